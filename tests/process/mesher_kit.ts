/** Nodes of Mesher as processes, started as in production. */
import { type ChildProcess, spawn } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { fileURLToPath } from "node:url";
import { Client, loggedIn } from "../mesher/end_to_end_kit.ts";
import { programOf } from "../../scripts/cluster/runtimes.ts";
import { PAIRS, type Runtime } from "../kit/process.ts";
import { until } from "../kit/test.ts";

const MAIN = fileURLToPath(new URL("../../mesher/main.ts", import.meta.url));

/** The first login, which the first start writes to the file {@linkcode MesherProcess.loginFile}. */
export interface FirstLogin {
  readonly email: string;
  readonly password: string;
  readonly key: string;
}

let started = 0;

/**
 * Returns the runtime of the next process: this one, or with FIRN_PAIRS=mixed alternately Deno and
 * Bun.
 */
function nextRuntime(): Runtime {
  return PAIRS[0]![started++ % 2]!;
}

/** A process that runs Mesher. */
export class MesherProcess {
  /** The output of the process, from both streams. */
  output = "";
  readonly #child: ChildProcess;
  readonly ended: Promise<number | null>;
  readonly #folder: string = mkdtempSync(join(tmpdir(), "mesher-login-"));
  #firstLogin: FirstLogin | undefined;
  #isGone = false;

  constructor(args: readonly string[], env: Readonly<Record<string, string>>, cwd?: string) {
    const runtime = nextRuntime();
    const run = runtime === "deno" ? ["run", "-A", MAIN] : [MAIN];
    this.#child = spawn(programOf(runtime), [...run, ...args], {
      env: {
        ...process.env,
        MESHER_HTTP_PORT: "0",
        MESHER_WS_PORT: "0",
        MESHER_FIRST_LOGIN: this.loginFile,
        ...env,
      },
      stdio: ["ignore", "pipe", "pipe"],
      cwd,
    });
    for (const output of [this.#child.stdout!, this.#child.stderr!]) {
      output.setEncoding("utf8").on("data", (text: string) => this.output += text);
    }
    this.#child.on("exit", () => this.#isGone = true);
    this.ended = new Promise((resolve) =>
      this.#child.on("close", (code) => {
        rmSync(this.#folder, { recursive: true, force: true });
        resolve(code);
      })
    );
  }

  /** The file with the credentials of the first login. */
  get loginFile(): string {
    return join(this.#folder, "login.txt");
  }

  /** Waits until the process serves Mesher's page. Returns the URL of the page. */
  async ready(): Promise<string> {
    const address = (): string | undefined => /Mesher is ready: (\S+)/.exec(this.output)?.[1];
    const isDecided = (): boolean => this.#isGone || address() !== undefined;
    await until("Mesher is ready", isDecided, 60_000).catch(() => {});
    if (address() === undefined) throw new Error(`Mesher is not ready: ${this.output}`);
    return address()!;
  }

  /** The initial credentials, read from the file that Mesher writes at its first start. */
  get firstLogin(): FirstLogin {
    if (this.#firstLogin !== undefined) return this.#firstLogin;
    const text = readFileSync(this.loginFile, "utf8");
    const value = (name: string): string => new RegExp(`^${name} +(\\S+)`, "m").exec(text)![1]!;
    return this.#firstLogin = {
      email: value("email"),
      password: value("password"),
      key: value("key"),
    };
  }

  signal(name: "SIGKILL" | "SIGTERM"): void {
    // Uses the process id, because after the child's own `kill` Deno reports no status.
    if (this.#isGone) return;
    process.kill(this.#child.pid!, name);
  }

  /** Stops the process gracefully. Returns its exit status. */
  stop(): Promise<number | null> {
    this.signal("SIGTERM");
    return this.ended;
  }
}

/** Runs `body` with a folder of its own, and ends the processes that it starts. */
export async function withProcesses(
  body: (
    start: (
      args: readonly string[],
      env: Readonly<Record<string, string>>,
      cwd?: string,
    ) => MesherProcess,
    folder: string,
  ) => Promise<void>,
): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), "mesher-"));
  const all: MesherProcess[] = [];
  try {
    await body((args, env, cwd) => {
      const started = new MesherProcess(args, env, cwd);
      all.push(started);
      return started;
    }, folder);
  } finally {
    for (const one of all) one.signal("SIGKILL");
    await Promise.all(all.map(({ ended }) => ended));
    rmSync(folder, { recursive: true, force: true });
  }
}

/** A client that follows a project's events. */
export class Watcher {
  /** Number of times that each event was received, by id. */
  readonly seen: Map<string, number> = new Map();
  // deno-lint-ignore no-explicit-any -- arbitrary JSON
  readonly others: any[] = [];
  readonly #socket: WebSocket;
  readonly opened: Promise<unknown>;
  readonly closed: Promise<unknown>;
  isClosed = false;
  /** Called for each received event. */
  // deno-lint-ignore no-explicit-any -- arbitrary JSON
  onEvent: ((data: any) => void) | undefined;

  constructor(url: string, cookie: string, project: string = "default") {
    const address = `${url.replace("http", "ws")}/stream/projects/${project}`;
    this.#socket = new WebSocket(address, { headers: { cookie } } as never);
    this.opened = new Promise((resolve, reject) => {
      this.#socket.onopen = resolve;
      this.#socket.onerror = () => reject(new Error(`no stream at ${address}`));
    });
    this.closed = new Promise((resolve) => this.#socket.onclose = resolve);
    this.closed.then(() => this.isClosed = true);
    this.#socket.onmessage = ({ data }) => {
      const message = JSON.parse(String(data));
      if (message.type !== "event") return void this.others.push(message);
      this.seen.set(message.data.id, (this.seen.get(message.data.id) ?? 0) + 1);
      this.onEvent?.(message.data);
    };
  }

  send(message: unknown): void {
    this.#socket.send(JSON.stringify(message));
  }

  async close(): Promise<void> {
    this.#socket.close();
    await this.closed;
  }
}

/** Logs in to a node, and follows its events. */
export async function watch(url: string, firstLogin: FirstLogin): Promise<Watcher> {
  const client = await loggedIn(url, firstLogin.email, firstLogin.password);
  const watcher = new Watcher(url, client.headers["cookie"]!);
  await watcher.opened;
  return watcher;
}

/** Returns a client that sends events with a key. */
export function senderTo(url: string, { key }: FirstLogin): Client {
  return new Client(url, { "x-api-key": key });
}
