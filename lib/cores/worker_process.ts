/**
 * Starts, observes and ends one worker process. Used by the parent.
 *
 *     starting ──ready──▶ ready ──leave──▶ leaving ──▶ ended
 *        └──────────────────┴── exit, crash, kill ───────▲
 *
 * @module
 */
import type { Child, Host } from "../host/host.ts";
import { parseLine, WORKER_ARGUMENT, type WorkerTerms } from "./protocol.ts";

/** The states of a worker. */
export type WorkerState = "starting" | "ready" | "leaving" | "ended";

/** Receives the output of a worker, and its exit. */
export interface WorkerOwner {
  /** Called with each line that the worker's program has printed. */
  printed(worker: WorkerProcess, line: string, isError: boolean): void;
  ready(worker: WorkerProcess): void;
  /** Called when the worker has exited. `how` is its exit status, or the signal that ended it. */
  ended(worker: WorkerProcess, how: number | string): void;
}

/** A process that runs one node. */
export class WorkerProcess {
  readonly core: number;
  readonly pid: number;
  readonly startedAt: number;
  readonly ended: Promise<number | string>;
  state: WorkerState = "starting";
  /** The name of the worker's node, with host and port once it is ready. */
  node: string;
  /** Time at which the last report of the worker was received. */
  heardAt: number;
  /** Time at which the worker began to leave. */
  leftAt = 0;
  readonly #child: Child;
  readonly #host: Host;
  readonly #owner: WorkerOwner;
  readonly #token: string;

  constructor(
    host: Host,
    owner: WorkerOwner,
    file: string,
    flags: readonly string[],
    args: readonly string[],
    terms: WorkerTerms,
  ) {
    this.core = terms.core;
    this.node = terms.name;
    this.#host = host;
    this.#owner = owner;
    this.#token = terms.token;
    this.startedAt = this.heardAt = host.clock.now();
    this.#child = host.spawn({
      runtime: host.runtime,
      file,
      flags,
      args: [WORKER_ARGUMENT, ...args],
      errors: (line) => owner.printed(this, line, true),
    });
    this.pid = this.#child.pid;
    this.#child.lines((line) => this.#line(line));
    this.#child.write(`${JSON.stringify(terms)}\n`);
    this.ended = this.#child.ended.then((how) => {
      this.state = "ended";
      owner.ended(this, how);
      return how;
    });
  }

  /** Makes the worker leave its cluster, close its connections and exit. */
  leave(): void {
    if (this.state === "leaving" || this.state === "ended") return;
    this.state = "leaving";
    this.leftAt = this.#host.clock.now();
    this.#child.signal("SIGTERM");
  }

  /** Kills the worker's process at once. */
  kill(): void {
    if (this.state !== "ended") this.#child.signal("SIGKILL");
  }

  signal(name: "SIGUSR2"): void {
    if (this.state === "ready") this.#child.signal(name);
  }

  #line(line: string): void {
    const { text, report } = parseLine(this.#token, line);
    if (text !== "" || report === undefined) this.#owner.printed(this, text, false);
    if (report === undefined) return;
    this.heardAt = this.#host.clock.now();
    if (report.kind !== "ready") return;
    this.node = report.node;
    if (this.state !== "starting") return;
    this.state = "ready";
    this.#owner.ready(this);
  }
}
