/**
 * Runs several nodes as processes on this machine, which form one Mesher. They share the database,
 * a SQLite file or PostgreSQL. SQLite allows one writer at a time, and the others wait briefly.
 *
 * If a node exits before it is ready for the first time, the others are stopped, and this process
 * exits with its status: a setting is wrong, or a port is in use. A node that was ready before is
 * restarted whenever it ends, unless this process stops it. When this process ends, the nodes stop
 * (`parent.ts`).
 *
 * @module
 */
import { type ChildProcess, spawn } from "node:child_process";
import process from "node:process";
import { fileURLToPath } from "node:url";
import { type Config, ConfigError, storageConfig, withSettingName } from "../config.ts";
import { firstRun } from "../first_run.ts";
import { freePorts } from "../../scripts/cluster/ports.ts";
import { assertPortsFree, portsOf } from "../ports.ts";
import { PARENT_VARIABLE, READY } from "./parent.ts";
import { firstLoginNotice, keepSecrets } from "../first_login.ts";
import { say } from "../log.ts";
import { openStorage } from "../storage/open.ts";

/**
 * The pause before a process is restarted, in milliseconds. It doubles with each process that ends
 * before it is ready.
 */
const RESTART_MS = 1_000;
const RESTART_MS_MAX = 30_000;
const MAIN = fileURLToPath(new URL("../main.ts", import.meta.url));

/** Runs `count` nodes until stopped. Resolves with the exit status. */
export async function runNodes(
  config: Config,
  count: number,
  told: Promise<void>,
): Promise<number> {
  if (config.cluster !== null) {
    throw new ConfigError("--nodes names its nodes itself: unset MESHER_NODE_NAME and the others");
  }
  if (config.database === ":memory:") {
    throw new ConfigError("DATABASE_URL is :memory:, which processes cannot share: name a file");
  }
  const served = portsOf(config, count);
  for (const ports of served) await assertPortsFree(config.hostname, ports);
  // Opens the storage before any node starts, so that the nodes do not compete for creating it.
  const opening = openStorage({ ...storageConfig(config.database), log: say });
  const storage = await withSettingName("DATABASE_URL", opening);
  const url = config.publicUrl ?? `http://${config.hostname}:${config.httpPort}`;
  const first = await firstRun(storage, config.passwordCost, keepSecrets(config.firstLogin, url))
    .finally(() => storage.close());
  const cookie = crypto.randomUUID() + crypto.randomUUID();
  const ports = await freePorts(count, served.flatMap((one) => [one.httpPort, one.wsPort ?? 0]));
  const names = ports.map((port, i) => `mesher${i + 1}@127.0.0.1:${port}`);
  const children = names.map((name, i) =>
    new Child(name, {
      ...process.env,
      DATABASE_URL: config.database,
      MESHER_NODE_NAME: name,
      MESHER_COOKIE: cookie,
      MESHER_PEERS: names.filter((other) => other !== name).join(","),
      MESHER_HTTP_PORT: String(served[i]!.httpPort),
      MESHER_WS_PORT: String(served[i]!.wsPort ?? ""),
      [PARENT_VARIABLE]: String(process.pid),
    })
  );
  if (first !== null) process.stdout.write(firstLoginNotice(config.firstLogin, url));
  const pages = served.map(({ httpPort }) => `http://${config.hostname}:${httpPort}`).join(" ");
  say(
    "info",
    `${count} nodes start; pages: ${config.httpPort === 0 ? "each logs its own" : pages}`,
  );
  const ended = Promise.all(children.map(({ ended }) => ended));
  await Promise.race([told, ended, ...children.map(({ failed }) => failed)]);
  for (const child of children) child.stop();
  return Math.max(...await ended);
}

/** One node: its process, and the processes that replace it after it has ended. */
class Child {
  /** The exit status of the last process. */
  readonly ended: Promise<number>;
  /** Resolves if the node ends before it was ready for the first time. */
  readonly failed: Promise<void>;
  readonly #name: string;
  readonly #env: NodeJS.ProcessEnv;
  #process: ChildProcess | undefined = undefined;
  #isStopping = false;
  /** Whether one of the node's processes was ready. */
  #wasReady = false;
  #pauseMs = RESTART_MS;
  #fail = (): void => {};
  #wake = (): void => {};

  constructor(name: string, env: NodeJS.ProcessEnv) {
    this.#name = name;
    this.#env = env;
    this.failed = new Promise((resolve) => this.#fail = resolve);
    this.ended = this.#live();
  }

  stop(): void {
    this.#isStopping = true;
    this.#wake();
    const child = this.#process;
    // The process is signalled by its id, because Deno reports no exit status after the child's own
    // `kill`.
    if (child !== undefined) process.kill(child.pid!, "SIGTERM");
  }

  async #live(): Promise<number> {
    for (;;) {
      const { code, signal } = await this.#run();
      if (code === 0) return 0;
      const how = `${this.#name} has ended: ${signal ?? `exit status ${code}`}`;
      if (this.#isStopping) {
        say("warn", how);
        return code ?? 1;
      }
      if (signal === null && !this.#wasReady) {
        say("error", `${how}, before it was ready. Its reason is above. All nodes stop`);
        this.#fail();
        return code ?? 1;
      }
      say("warn", `${how}, and is restarted in ${this.#pauseMs / 1000} s`);
      await this.#pause(this.#pauseMs);
      this.#pauseMs = Math.min(2 * this.#pauseMs, RESTART_MS_MAX);
      if (this.#isStopping) return 1;
    }
  }

  #run(): Promise<{ code: number | null; signal: string | null }> {
    const run = "Bun" in globalThis ? [MAIN] : ["run", "--no-prompt", "-P=mesher", MAIN];
    const child = spawn(process.execPath, run, {
      env: this.#env,
      // The input is a pipe to which nothing is written. It ends when this process ends. The entry
      // "ipc" is the channel on which the node reports that it is ready.
      stdio: ["pipe", "inherit", "inherit", "ipc"],
    });
    child.stdin!.on("error", () => {
      // The pipe fails when the process has exited, which the event `exit` reports.
    });
    child.on("message", (message) => {
      if (message !== READY) return;
      this.#wasReady = true;
      this.#pauseMs = RESTART_MS;
    });
    return new Promise((resolve) => {
      child.on("spawn", () => {
        this.#process = child;
        say("info", `${this.#name} is process ${child.pid}`);
        if (this.#isStopping) this.stop();
      });
      child.on("error", (error) => {
        say("error", `a node cannot be started: ${error.message}`);
        resolve({ code: 1, signal: null });
      });
      child.on("exit", (code, signal) => {
        this.#process = undefined;
        resolve({ code, signal });
      });
    });
  }

  #pause(ms: number): Promise<void> {
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, ms);
      this.#wake = () => (clearTimeout(timer), resolve());
    });
  }
}
