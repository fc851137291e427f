/**
 * The demo cluster as a process, for tests: what it prints, how it ends, who is left.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { readFileSync } from "node:fs";
import process from "node:process";
import { fileURLToPath } from "node:url";
import type { ServerMessage } from "../../scripts/cluster/protocol.ts";
import { runtime, until } from "../kit/test.ts";

const SCRIPT = fileURLToPath(new URL("../../scripts/cluster.ts", import.meta.url));

/** The command line that runs the demo on the runtime that runs the tests. */
export const DEMO_COMMAND: readonly string[] = runtime === "deno"
  ? [process.execPath, "run", "-A", SCRIPT]
  : [process.execPath, SCRIPT];

/** Whether nodes of both runtimes are asked for. */
export const isMixed: boolean = process.env["FIRN_PAIRS"] === "mixed";

/** What `--json` prints for each node. */
export interface NodeLine {
  readonly name: string;
  readonly address: string;
  readonly url: string;
  readonly page: string;
  readonly pid: number;
  readonly runtime: string;
}

/** A demo that runs, or has run. */
export class Demo {
  /** What it printed, so far. */
  out = "";
  err = "";
  /** Its exit status, or the signal that ended it. */
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

  /** Starts it with those options. */
  static start(args: readonly string[], env: Record<string, string> = {}): Demo {
    const [program, ...rest] = [...DEMO_COMMAND, ...args];
    return Demo.run(program!, rest, env);
  }

  /** Starts whatever runs it. */
  static run(program: string, args: readonly string[], env: Record<string, string> = {}): Demo {
    const child = spawn(program, [...args], {
      stdio: ["pipe", "pipe", "pipe"],
      env: { ...process.env, ...env },
    });
    return new Demo(child);
  }

  /** The nodes, once they are printed. */
  async nodes(count: number): Promise<NodeLine[]> {
    await until("the nodes are printed", () => this.out.split("\n").length > count);
    return this.lines();
  }

  /** The nodes that are printed. */
  lines(): NodeLine[] {
    return this.out.trimEnd().split("\n").map((line) => JSON.parse(line) as NodeLine);
  }

  /** Writes to its standard input. */
  type(text: string): void {
    this.#child.stdin!.write(text);
  }

  signal(name: "SIGTERM" | "SIGINT" | "SIGKILL"): void {
    process.kill(this.#child.pid!, name);
  }

  /** Ends it, however it is. For the end of a test that may have failed. */
  async [Symbol.asyncDispose](): Promise<void> {
    try {
      if (this.#child.exitCode === null && this.#child.signalCode === null) this.signal("SIGTERM");
    } catch {
      // It has ended in this moment.
    }
    await this.ended;
    this.#child.stdin!.destroy();
  }
}

/** Whether a process runs. One that is dead and not yet buried does not. */
export function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
  } catch {
    return false;
  }
  try {
    return !/^State:\s*Z/m.test(readFileSync(`/proc/${pid}/status`, "utf8"));
  } catch {
    // No such folder on this system: the signal's answer stands. Or it has ended in this moment.
    return process.platform !== "linux";
  }
}

/** Ends what a test that has failed left behind. */
export function endAll(pids: readonly number[]): void {
  for (const pid of pids.filter(isAlive)) process.kill(pid, "SIGKILL");
}

/** A WebSocket client that keeps what it hears. */
export class Guest {
  readonly heard: ServerMessage[] = [];
  readonly #socket: WebSocket;

  private constructor(socket: WebSocket) {
    this.#socket = socket;
    socket.onmessage = ({ data }) => this.heard.push(JSON.parse(data as string));
  }

  /** Connects. Rejects if it is refused. */
  static async at(url: string): Promise<Guest> {
    const socket = new WebSocket(url);
    await new Promise<void>((open, refused) => {
      socket.onopen = () => open();
      socket.onclose = () => refused(new Error(`no WebSocket at ${url}`));
    });
    socket.onclose = null;
    return new Guest(socket);
  }

  /** Sends a value as JSON, or a text or bytes as they are. */
  say(what: unknown): void {
    const raw = typeof what === "string" || what instanceof Uint8Array;
    this.#socket.send(raw ? what as string : JSON.stringify(what));
  }

  /** Waits for the next thing that it hears, and takes it away. */
  async hears(): Promise<ServerMessage> {
    await until("something is heard", () => this.heard.length > 0);
    return this.heard.shift()!;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#socket.readyState === WebSocket.CLOSED) return;
    await new Promise<void>((closed) => {
      this.#socket.onclose = () => closed();
      this.#socket.close();
    });
  }
}
