/**
 * A node for each core of the machine: worker processes that share one port, and their parent,
 * which restarts crashed workers, kills blocked ones, and performs rolling restarts for new
 * versions of the program.
 *
 *     cores(file) ─┬─ worker 1: node core1@127.0.0.1:41001 ─┐
 *                  ├─ worker 2: node core2@127.0.0.1:41002 ─┼─ one cluster, one port for clients
 *                  └─ worker 3: node core3@127.0.0.1:41003 ─┘
 *
 * Longer than 400 lines: half of it is the documented options and the interface of the parent.
 *
 * @module
 */
import os from "node:os";
import process from "node:process";
import { fileURLToPath } from "node:url";
import type { Timer } from "../base/clock.ts";
import { LogEntry } from "../base/log.ts";
import type { Host } from "../host/host.ts";
import { checkNames } from "../base/spelling.ts";
import { systemHost } from "../start.ts";
import { CoresError } from "./error.ts";
import { Backoff } from "./protocol.ts";
import { WorkerProcess } from "./worker_process.ts";

export { type Core, core } from "./core.ts";
export { CoresError } from "./error.ts";

/** Options of {@linkcode cores}. */
export interface CoresOptions {
  /** Number of workers. Default: the number of processors that this process may use. */
  readonly count?: number | undefined;
  /** The port that the workers share. Default 0: chooses a free one. */
  readonly port?: number | undefined;
  /** Prefix of the node names, followed by the number of the worker. Default "core". */
  readonly name?: string | undefined;
  /** The address of the nodes. Default "127.0.0.1": reachable from this machine only. */
  readonly hostname?: string | undefined;
  /** The cluster's cookie. Default: a random one for these workers. */
  readonly cookie?: string | readonly string[] | undefined;
  /** Seeds on other machines. Default: none. */
  readonly seeds?: readonly string[] | undefined;
  /**
   * Options of the runtime for workers. Default: `["--allow-net"]` on Deno, none on Bun.
   */
  readonly flags?: readonly string[] | undefined;
  /** Arguments of the worker program. Default: none. */
  readonly args?: readonly string[] | undefined;
  /** A worker whose event loop is blocked for this long is killed and replaced. Default 5000 ms. */
  readonly blockedAfter?: number | undefined;
  /** Time limit for a worker to become ready. Default 30000 ms. */
  readonly startTimeout?: number | undefined;
  /** Time limit for a worker to leave its cluster, passed to `Node.leave`. Default 25000 ms. */
  readonly leaveTimeout?: number | undefined;
  /**
   * Whether this process handles SIGTERM and SIGINT (stops the workers, then exits), SIGHUP
   * (replaces the workers) and SIGUSR2 (sends it to the workers). Default true.
   */
  readonly signals?: boolean | undefined;
  /** Receives the lines that workers print. Default: prints them, prefixed with the node's name. */
  readonly print?: ((line: string, node: string, isError: boolean) => void) | undefined;
}

/** A worker process of {@linkcode Cores}. */
export interface CoreWorker {
  /** The worker's number, from 1. */
  readonly core: number;
  /** The name of the worker's node. */
  readonly node: string;
  /** The worker's process id. */
  readonly pid: number;
  /** Whether the worker's setup has finished. */
  readonly ready: boolean;
}

/** Running workers, returned by {@linkcode cores}. */
export interface Cores extends AsyncDisposable {
  /** The port that the workers share. */
  readonly port: number;
  /** Returns the workers, except those that are leaving. */
  workers(): CoreWorker[];
  /**
   * Replaces all workers one after another, as SIGHUP does: starts a new process with the current
   * program file; when it is ready, the old one leaves. Rejects with a {@linkcode CoresError} if a
   * new worker does not become ready. The workers that were not replaced yet then continue.
   */
  reload(): Promise<void>;
  /** Makes all workers leave. Resolves when their processes have exited. */
  stop(): Promise<void>;
}

const OPTIONS: Readonly<Record<keyof CoresOptions, true>> = {
  count: true,
  port: true,
  name: true,
  hostname: true,
  cookie: true,
  seeds: true,
  flags: true,
  args: true,
  blockedAfter: true,
  startTimeout: true,
  leaveTimeout: true,
  signals: true,
  print: true,
};

/** Number of heartbeats that a worker sends within `blockedAfter`. */
const BEATS = 5;

/** Number of checks of all workers within the interval between two heartbeats. */
const LOOKS = 4;

/**
 * Time beyond `leaveTimeout` after which a worker that has not exited is killed, in milliseconds.
 */
const LATE_MS = 2_000;

/**
 * Runs `file` in a process for each core. The program calls {@linkcode core}. Its node is a normal
 * member of one cluster, so rooms, names and groups span the workers, and all workers serve the
 * same port. Resolves when all workers are ready.
 *
 * A worker that exits is restarted after 100 ms, then after twice the previous delay, up to 10 s. A
 * worker whose event loop is blocked for `blockedAfter` is killed. On SIGTERM and SIGINT all
 * workers leave; on SIGHUP they are replaced. No connection is refused during a replacement if the
 * kernel migrates connections (`net.ipv4.tcp_migrate_req` is 1, Linux 5.14); a warning is logged if
 * it is 0. On Deno this process needs `--allow-run`, and `--allow-net` for port 0.
 *
 * @throws {CoresError} `code` "badoption", or "nostart": a worker exited before it was ready, or was
 * not ready in time.
 *
 * @example A program of two files
 * ```ts ignore
 * import { cores } from "@firn/firn/cores";
 *
 * await cores(new URL("./worker.ts", import.meta.url), { port: 8080 });
 * ```
 */
export async function cores(file: string | URL, options: CoresOptions = {}): Promise<Cores> {
  const group = new CoreGroup(systemHost(), pathOf(file), options);
  try {
    await group.start();
  } catch (error) {
    await group.stop();
    throw error;
  }
  return group;
}

function pathOf(file: string | URL): string {
  if (file instanceof URL) return fileURLToPath(file);
  return file.startsWith("file:") ? fileURLToPath(file) : file;
}

/** The state of one worker number: its current process, and its restarts. */
interface Slot {
  readonly core: number;
  readonly backoff: Backoff;
  worker: WorkerProcess | undefined;
  restart: Timer | undefined;
}

class CoreGroup implements Cores {
  port = 0;
  readonly #host: Host;
  readonly #file: string;
  readonly #options: CoresOptions;
  readonly #cookie: string | readonly string[];
  readonly #slots: Slot[];
  readonly #beatMs: number;
  /** All worker processes that have not exited, including those that are leaving. */
  readonly #processes = new Set<WorkerProcess>();
  readonly #awaiting = new Map<WorkerProcess, PromiseWithResolvers<void>>();
  #watch: Timer | undefined;
  #watchedAt = 0;
  #reloading: Promise<void> | undefined;
  #reloadAgain = false;
  #stopped: Promise<void> | undefined;
  readonly #signals: [name: "SIGTERM" | "SIGINT" | "SIGHUP" | "SIGUSR2", listener: () => void][] = [
    ["SIGTERM", () => void this.#exit()],
    ["SIGINT", () => void this.#exit()],
    ["SIGHUP", () => void this.#hangUp()],
    ["SIGUSR2", () => this.#processes.forEach((each) => each.signal("SIGUSR2"))],
  ];

  constructor(host: Host, file: string, options: CoresOptions) {
    checkNames(options, OPTIONS, (words) => new CoresError("badoption", words));
    const { count = os.availableParallelism(), cookie } = options;
    if (!(Number.isInteger(count) && count >= 1)) {
      throw new CoresError("badoption", `option count is ${count}: use an integer of at least 1`);
    }
    this.#host = host;
    this.#file = file;
    this.#options = options;
    this.#cookie = cookie ?? host.random.bytes(32).toHex();
    this.#beatMs = this.#blockedMs / BEATS;
    this.#slots = Array.from({ length: count }, (_, i) => ({
      core: i + 1,
      backoff: new Backoff(),
      worker: undefined,
      restart: undefined,
    }));
  }

  get #blockedMs(): number {
    return this.#options.blockedAfter ?? 5_000;
  }

  /**
   * Interval between two checks of all workers. A worker that exceeds a time limit is killed at
   * most this time later.
   */
  get #lookMs(): number {
    return this.#beatMs / LOOKS;
  }

  get #leaveMs(): number {
    return this.#options.leaveTimeout ?? 25_000;
  }

  async start(): Promise<void> {
    this.port = this.#options.port || await freePort(this.#host);
    await this.#warnOfResets();
    if (this.#options.signals !== false) {
      for (const [name, listener] of this.#signals) process.on(name, listener);
    }
    this.#watchedAt = this.#host.clock.now();
    this.#watch = this.#host.clock.every(this.#lookMs, () => this.#look());
    // The first worker starts alone, because it is the seed of the others.
    const [first, ...others] = this.#slots;
    await this.#ready(first!.worker = this.#spawn(first!));
    await Promise.all(others.map((slot) => this.#ready(slot.worker = this.#spawn(slot))));
  }

  workers(): CoreWorker[] {
    return this.#slots.flatMap(({ core, worker }) =>
      worker === undefined
        ? []
        : [{ core, node: worker.node, pid: worker.pid, ready: worker.state === "ready" }]
    );
  }

  reload(): Promise<void> {
    return this.#reloading ??= this.#reload().finally(() => {
      this.#reloading = undefined;
      if (this.#reloadAgain) this.#hangUp();
    });
  }

  stop(): Promise<void> {
    return this.#stopped ??= this.#stop();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.stop();
  }

  // The following methods are called by workers.

  printed({ node, core }: WorkerProcess, line: string, isError: boolean): void {
    const { print } = this.#options;
    if (print !== undefined) return print(line, node, isError);
    const name = node.includes("@") ? node : `core ${core}`;
    (isError ? process.stderr : process.stdout).write(`[${name}] ${line}\n`);
  }

  ready(worker: WorkerProcess): void {
    this.#awaiting.get(worker)?.resolve();
  }

  ended(worker: WorkerProcess, how: number | string): void {
    this.#processes.delete(worker);
    const awaited = this.#awaiting.get(worker);
    const words = `${worker.node} (process ${worker.pid}) has ended: ${how}`;
    awaited?.reject(new CoresError("nostart", `${words}, before it was ready`));
    const slot = this.#slots.find((each) => each.worker === worker);
    if (slot === undefined) return;
    slot.worker = undefined;
    if (this.#stopped !== undefined) return;
    const ms = slot.backoff.next(this.#host.clock.now() - worker.startedAt);
    this.#log("error", `${words}; it is restarted in ${ms} ms`);
    slot.restart = this.#host.clock.after(ms, () => {
      slot.worker = this.#spawn(slot);
    });
  }

  // The following methods start, watch and stop the workers.

  #spawn(slot: Slot): WorkerProcess {
    const options = this.#options;
    const siblings = this.#slots.flatMap(({ worker }) =>
      worker?.state === "ready" ? [worker.node] : []
    );
    const flags = options.flags ?? (this.#host.runtime === "deno" ? ["--allow-net"] : []);
    const worker = new WorkerProcess(this.#host, this, this.#file, flags, options.args ?? [], {
      token: this.#host.random.bytes(16).toHex(),
      name: `${options.name ?? "core"}${slot.core}`,
      hostname: options.hostname ?? "127.0.0.1",
      cookie: this.#cookie,
      seeds: [...options.seeds ?? [], ...siblings],
      port: this.port,
      core: slot.core,
      count: this.#slots.length,
      beatMs: this.#beatMs,
      leaveMs: this.#leaveMs,
    });
    this.#processes.add(worker);
    return worker;
  }

  /** Resolves when a worker is ready. Rejects if it exits first. */
  async #ready(worker: WorkerProcess): Promise<void> {
    const awaited = Promise.withResolvers<void>();
    this.#awaiting.set(worker, awaited);
    try {
      await awaited.promise;
    } finally {
      this.#awaiting.delete(worker);
    }
  }

  /** Kills workers that are blocked, or that take too long to start or to leave. */
  #look(): void {
    const now = this.#host.clock.now();
    const pausedMs = now - this.#watchedAt - this.#lookMs;
    this.#watchedAt = now;
    const startMs = this.#options.startTimeout ?? 30_000;
    for (const worker of this.#processes) {
      // This process was paused and could not read reports, so the silence of the workers does not
      // count.
      if (pausedMs > this.#beatMs) worker.heardAt = now;
      const { state } = worker;
      if (state === "leaving") {
        if (now - worker.leftAt > this.#leaveMs + LATE_MS) {
          this.#kill(worker, "has not left in time");
        }
      } else if (state === "starting" && now - worker.startedAt > startMs) {
        this.#kill(worker, `was not ready within ${startMs} ms`);
      } else if (state === "ready" && now - worker.heardAt > this.#blockedMs) {
        this.#kill(worker, `is blocked: its event loop has not run for ${this.#blockedMs} ms`);
      }
    }
  }

  #kill(worker: WorkerProcess, why: string): void {
    this.#log("error", `${worker.node} (process ${worker.pid}) ${why}: killed`);
    worker.kill();
  }

  async #reload(): Promise<void> {
    for (const slot of this.#slots) {
      if (this.#stopped !== undefined) return;
      const old = slot.worker;
      // A worker that has crashed runs the new program when it is restarted.
      if (old === undefined) continue;
      const next = this.#spawn(slot);
      await this.#ready(next);
      if (slot.worker !== old) {
        // The old worker has crashed in the meantime. `next` replaces it, so its restart is
        // cancelled, and a worker that was already restarted leaves.
        slot.restart?.cancel();
        slot.worker?.leave();
      }
      slot.worker = next;
      old.leave();
      await old.ended;
    }
  }

  async #hangUp(): Promise<void> {
    this.#reloadAgain = this.#reloading !== undefined;
    if (this.#reloadAgain || this.#stopped !== undefined) return;
    this.#log("info", "SIGHUP: the workers are replaced, one after the other");
    try {
      await this.reload();
      this.#log("info", "all workers have been replaced");
    } catch (error) {
      this.#log("error", `the workers are not replaced: ${(error as Error).message}`);
    }
  }

  async #exit(): Promise<void> {
    await this.stop();
    process.exit(0);
  }

  async #stop(): Promise<void> {
    for (const { restart } of this.#slots) restart?.cancel();
    for (const worker of this.#processes) {
      if (worker.state === "starting") worker.kill();
      else worker.leave();
    }
    await Promise.all([...this.#processes].map(({ ended }) => ended));
    this.#watch?.cancel();
    for (const [name, listener] of this.#signals) process.off(name, listener);
  }

  async #warnOfResets(): Promise<void> {
    const setting = await this.#host.readText(MIGRATE_FILE).catch(() => "");
    if (setting.trim() !== "0") return;
    this.#log(
      "warn",
      "net.ipv4.tcp_migrate_req is 0: a few connections may be reset when a worker ends; " +
        "use sysctl -w net.ipv4.tcp_migrate_req=1",
    );
  }

  #log(level: "info" | "warn" | "error", words: string): void {
    this.#host.log(new LogEntry(this.#host.clock.wall(), level, "cores", words));
  }
}

/**
 * The Linux setting that decides whether connections in the queue of a closed listener migrate to
 * another process's listener.
 */
const MIGRATE_FILE = "/proc/sys/net/ipv4/tcp_migrate_req";

/** Returns a free port. */
async function freePort(host: Host): Promise<number> {
  const options = { hostname: "127.0.0.1", port: 0 };
  const listener = await host.listen(options, (stream) => stream.abort());
  const { port } = listener.address;
  await listener.close();
  return port;
}
