/**
 * Runs the demo cluster as a process for tests, with its output, its exit status, and the processes
 * that it started.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { readFileSync } from "node:fs";
import process from "node:process";
import { fileURLToPath } from "node:url";
import type { ServerMessage } from "../../scripts/cluster/protocol.ts";
import { runtime, until } from "../kit/test.ts";

const SCRIPT = fileURLToPath(new URL("../../scripts/cluster.ts", import.meta.url));

/** The command line that runs the demo on the runtime of the tests. */
export const DEMO_COMMAND: readonly string[] = runtime === "deno"
  ? [process.execPath, "run", "-A", SCRIPT]
  : [process.execPath, SCRIPT];

/** Whether the nodes must run on both runtimes. */
export const isMixed: boolean = process.env["FIRN_PAIRS"] === "mixed";

/** The fields that `--json` prints for each node. */
export interface NodeLine {
  readonly name: string;
  readonly address: string;
  readonly url: string;
  readonly page: string;
  readonly pid: number;
  readonly runtime: string;
}

/** A running or finished demo. */
export class Demo {
  /** The output so far. */
  out = "";
  err = "";
  /** Resolves to the demo's exit status, or to the signal that ended it. */
  readonly ended: Promise<number | string>;
  readonly #child: ChildProcess;

  private constructor(child: ChildProcess) {
    this.#child = child;
    child.stdout!.setEncoding("utf8").on("data", (text: string) => this.out += text);
    child.stderr!.setEncoding("utf8").on("data", (text: string) => this.err += text);
    this.ended = new Promise((end) => {
      child.on("error", (error) => end(error.message));
      child.on("close", (code, signal) => end(code ?? signal ?? "unknown"));
    });
  }

  /** Starts the demo with these options. */
  static start(args: readonly string[], env: Record<string, string> = {}): Demo {
    const [program, ...rest] = [...DEMO_COMMAND, ...args];
    return Demo.run(program!, rest, env);
  }

  /** Starts another program, which runs the demo. */
  static run(program: string, args: readonly string[], env: Record<string, string> = {}): Demo {
    const child = spawn(program, [...args], {
      stdio: ["pipe", "pipe", "pipe"],
      env: { ...process.env, ...env },
    });
    return new Demo(child);
  }

  /** Waits until this many nodes are printed, and returns them. */
  async nodes(count: number): Promise<NodeLine[]> {
    await until("the nodes are printed", () => this.out.split("\n").length > count);
    return this.lines();
  }

  /** Returns the nodes printed so far. */
  lines(): NodeLine[] {
    return this.out.trimEnd().split("\n").map((line) => JSON.parse(line) as NodeLine);
  }

  /** Writes to the standard input of the demo. */
  type(text: string): void {
    this.#child.stdin!.write(text);
  }

  signal(name: "SIGTERM" | "SIGINT" | "SIGKILL"): void {
    process.kill(this.#child.pid!, name);
  }

  /** Kills the demo if it is still running, for example after a failed test. */
  async [Symbol.asyncDispose](): Promise<void> {
    try {
      if (this.#child.exitCode === null && this.#child.signalCode === null) this.signal("SIGTERM");
    } catch {
      // The process has just exited.
    }
    await this.ended;
    this.#child.stdin!.destroy();
  }
}

/** Returns whether a process runs. A zombie does not. */
export function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
  } catch {
    return false;
  }
  try {
    return !/^State:\s*Z/m.test(readFileSync(`/proc/${pid}/status`, "utf8"));
  } catch {
    // Without /proc, on other systems than Linux, only the signal shows that the process runs. On
    // Linux, the process has just exited.
    return process.platform !== "linux";
  }
}

/** Kills processes that a failed test has not ended. */
export function endAll(pids: readonly number[]): void {
  for (const pid of pids.filter(isAlive)) process.kill(pid, "SIGKILL");
}

/** A WebSocket client that keeps the messages it receives. */
export class Guest {
  readonly observed: ServerMessage[] = [];
  readonly #socket: WebSocket;

  private constructor(socket: WebSocket) {
    this.#socket = socket;
    socket.onmessage = ({ data }) => this.observed.push(JSON.parse(data as string));
  }

  /** Connects. Rejects if the connection is refused. */
  static async at(url: string): Promise<Guest> {
    const socket = new WebSocket(url);
    await new Promise<void>((open, refused) => {
      socket.onopen = () => open();
      socket.onclose = () => refused(new Error(`no WebSocket at ${url}`));
    });
    socket.onclose = null;
    return new Guest(socket);
  }

  /** Sends a value as JSON, or a text or bytes unchanged. */
  say(what: unknown): void {
    const raw = typeof what === "string" || what instanceof Uint8Array;
    this.#socket.send(raw ? what as string : JSON.stringify(what));
  }

  /** Waits for the next message, and removes it from the queue. */
  async next(): Promise<ServerMessage> {
    await until("a message has arrived", () => this.observed.length > 0);
    return this.observed.shift()!;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#socket.readyState === WebSocket.CLOSED) return;
    await new Promise<void>((closed) => {
      this.#socket.onclose = () => closed();
      this.#socket.close();
    });
  }
}
