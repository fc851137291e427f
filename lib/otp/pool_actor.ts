/**
 * The actor behind a pool: a bounded queue, and an actor for each attempt of a job, on this node or another.
 *
 *     add ─▶ waiting ──a node has room──▶ active ──returned──▶ completed
 *               ▲                            │ threw, took too long, its node is lost
 *               └── delayed ◀────────────────┴──no attempt is left──▶ failed
 *
 * @module
 */
import { describe } from "../actor/describe.ts";
import { Exit } from "../actor/exit.ts";
import type { Self } from "../actor/self.ts";
import { type System, systemOf } from "../actor/system.ts";
import type { TimerRef } from "../actor/timer.ts";
import { Emitter } from "../base/emitter.ts";
import { decodeTerm } from "../term/decode.ts";
import { encodeTerm } from "../term/encode.ts";
import type { ExitReason } from "../term/exit.ts";
import type { Pid } from "../term/pid.ts";
import {
  JobError,
  type JobFailure,
  type PoolCounts,
  type PoolDefinition,
  type PoolEvents,
} from "./job.ts";
import { endSelf } from "./start.ts";

/** How often nodes are looked for while jobs wait. Milliseconds. */
const LOOK_MS = 500;

/** The longest pause between attempts, by default. Milliseconds. */
const CAP_MS = 30_000;

/** What the actor of an attempt sends to its pool. */
export type Report =
  | {
    readonly $job: "done";
    readonly id: string;
    readonly attempt: number;
    readonly value: unknown;
  }
  | {
    readonly $job: "failed";
    readonly id: string;
    readonly attempt: number;
    readonly error: unknown;
  }
  | {
    readonly $job: "progress";
    readonly id: string;
    readonly attempt: number;
    readonly value: unknown;
  };

/** A job, as its pool has it. */
export class PooledJob {
  readonly id: string;
  readonly args: readonly unknown[];
  /** Attempts that were started and count. */
  attempt = 0;
  /** The actor of the running attempt, and its node. */
  pid: Pid<never> | undefined = undefined;
  node: string | undefined = undefined;
  timer: TimerRef | undefined = undefined;
  /** Why its actor is killed. */
  ending: JobFailure | undefined = undefined;
  isOver = false;
  /** Called when the queue has it. */
  accepted: () => void = () => {};
  /** It was in the queue before: it has its place. */
  isRestored = false;
  readonly done: (value: unknown) => void;
  readonly failed: (error: JobError) => void;

  constructor(
    id: string,
    args: readonly unknown[],
    done: (value: unknown) => void,
    failed: (error: JobError) => void,
  ) {
    this.id = id;
    this.args = args;
    this.done = done;
    this.failed = failed;
  }
}

/** A job is added: it is stored already, if there is a store. */
export class Added {
  readonly job: PooledJob;
  constructor(job: PooledJob) {
    this.job = job;
  }
}

/** A job is to be cancelled. */
export class Cancel {
  readonly job: PooledJob;
  constructor(job: PooledJob) {
    this.job = job;
  }
}

/** An attempt on another node was spawned, or not. */
class Spawned {
  readonly job: PooledJob;
  readonly pid: Pid<never> | undefined;
  readonly error: unknown;
  constructor(job: PooledJob, pid: Pid<never> | undefined, error: unknown) {
    this.job = job;
    this.pid = pid;
    this.error = error;
  }
}

/** The timer of a job has fired: the attempt takes too long, or the next one is due. */
class JobTimer {
  readonly job: PooledJob;
  readonly attempt: number;
  constructor(job: PooledJob) {
    this.job = job;
    this.attempt = job.attempt;
  }
}

const LOOK = Symbol("look");

/** The body of an attempt. */
export type Attempt = (
  self: Self,
  pool: Pid<Report>,
  id: string,
  attempt: number,
  args: readonly unknown[],
) => Promise<void>;

/** One pool. */
export class PoolActor {
  readonly events: Emitter<PoolEvents> = new Emitter();
  /** Jobs that were added and have no result. */
  readonly jobs: Set<PooledJob> = new Set();
  readonly self: Self<unknown>;
  readonly #system: System;
  readonly #definition: PoolDefinition<unknown[], unknown>;
  readonly #attempt: Attempt;
  readonly #waiting = new Set<PooledJob>();
  readonly #active = new Map<string, PooledJob>();
  readonly #delayed = new Set<PooledJob>();
  readonly #byPid = new Map<string, PooledJob>();
  /** Attempts by node. */
  readonly #load = new Map<string, number>();
  #isLooking = false;

  constructor(
    self: Self<unknown>,
    definition: PoolDefinition<unknown[], unknown>,
    attempt: Attempt,
  ) {
    this.self = self;
    this.#system = systemOf(self.pid);
    this.#definition = definition;
    this.#attempt = attempt;
    self.trapExit = true;
  }

  counts(): PoolCounts {
    return {
      waiting: this.#waiting.size,
      active: this.#active.size,
      delayed: this.#delayed.size,
    };
  }

  /** Handles a message. */
  handle(message: unknown): void {
    if (message instanceof Added) return this.#added(message.job);
    if (message instanceof Cancel) return this.#stop(message.job, "cancelled");
    if (message instanceof Spawned) return this.#spawned(message);
    if (message instanceof Exit) return this.#exited(message);
    if (message instanceof JobTimer) return this.#fired(message);
    if (message === LOOK) {
      this.#isLooking = false;
      return this.#dispatch();
    }
    const report = message as Report | null;
    if (typeof report?.$job === "string") this.#reported(report);
  }

  /** Returns a job that a pool of this name has left in its store. */
  restore(id: string, value: Uint8Array): PooledJob {
    const args = decodeTerm(value) as unknown[];
    const job = new PooledJob(id, args, () => {}, () => {});
    job.isRestored = true;
    return job;
  }

  #added(job: PooledJob): void {
    const { max = 10_000, policy = "reject" } = this.#definition.queue ?? {};
    if (job.isOver) return;
    if (this.#waiting.size >= max && !job.isRestored) {
      const dropped = policy === "reject" ? job : this.#waiting.values().next().value ?? job;
      this.#waiting.delete(dropped);
      this.#fail(dropped, "queuefull", undefined);
      if (dropped === job) return;
    }
    job.accepted();
    this.#waiting.add(job);
    this.#dispatch();
  }

  /** Starts jobs where there is room: on the node with the fewest. */
  #dispatch(): void {
    const { perNode = 4 } = this.#definition;
    if (this.#waiting.size === 0) return;
    const nodes = this.#nodes();
    for (const job of this.#waiting) {
      let best: string | undefined;
      for (const node of nodes) {
        if (best === undefined || this.#loadOf(node) < this.#loadOf(best)) best = node;
      }
      if (best === undefined || this.#loadOf(best) >= perNode) break;
      this.#waiting.delete(job);
      this.#start(job, best);
    }
    if (this.#waiting.size === 0 || this.#isLooking) return;
    this.#isLooking = true;
    this.self.sendAfter(this.self.pid, LOOK, LOOK_MS);
  }

  #nodes(): readonly string[] {
    const { name, nodes } = this.#definition;
    const here = this.self.pid.node;
    const others = this.#system.signals.remote?.candidates(name) ?? [];
    const all = others.includes(here) ? others : [here, ...others];
    return nodes === undefined ? all : nodes(all);
  }

  #loadOf(node: string): number {
    return this.#load.get(node) ?? 0;
  }

  #start(job: PooledJob, node: string): void {
    const { name, timeout } = this.#definition;
    const { id, args } = job;
    const self = this.self;
    job.attempt++;
    job.node = node;
    job.ending = undefined;
    this.#active.set(id, job);
    this.#load.set(node, this.#loadOf(node) + 1);
    if (timeout !== undefined) job.timer = self.sendAfter(self.pid, new JobTimer(job), timeout);
    const pool = self.pid as Pid<unknown> as Pid<Report>;
    if (node === self.pid.node) {
      return this.#run(job, self.spawnLink(this.#attempt, pool, id, job.attempt, args));
    }
    const there = { node, fn: name, owned: true };
    self.spawnLink(there, pool, id, job.attempt, args).then(
      (pid) => this.#system.send(self.pid, new Spawned(job, pid as Pid<never>, undefined)),
      (error) => this.#system.send(self.pid, new Spawned(job, undefined, error)),
    );
  }

  #run(job: PooledJob, pid: Pid<never>): void {
    job.pid = pid;
    this.#byPid.set(pid.key, job);
    if (job.ending !== undefined) this.self.exit(pid, "kill");
  }

  #spawned({ job, pid, error }: Spawned): void {
    // Its report may have come first.
    if (this.#active.get(job.id) !== job) return;
    if (pid !== undefined) return this.#run(job, pid);
    this.#left(job);
    // Nothing of it has run: the node is gone, or does not expose the pool any more.
    if (job.ending === "cancelled") return this.#fail(job, "cancelled", error);
    job.attempt--;
    this.#again(job, error, LOOK_MS);
  }

  #reported(report: Report): void {
    const job = this.#active.get(report.id);
    if (job === undefined || job.attempt !== report.attempt || job.ending !== undefined) return;
    if (report.$job === "progress") {
      const { id, value } = report;
      if (this.events.has("progress")) this.events.emit("progress", { id, value });
      return;
    }
    this.#left(job);
    if (report.$job === "failed") this.#failedOnce(job, "failed", report.error);
    else this.#complete(job, report.value);
    this.#dispatch();
  }

  #complete(job: PooledJob, result: unknown): void {
    const { id } = job;
    job.isOver = true;
    this.jobs.delete(job);
    this.#forget(job);
    job.done(result);
    if (this.events.has("completed")) this.events.emit("completed", { id, result });
  }

  /** An actor of an attempt has ended without a report, or this one is to end. */
  #exited({ from, reason }: Exit): void {
    const job = this.#byPid.get(from.key);
    this.#byPid.delete(from.key);
    if (job === undefined || !job.pid?.equals(from)) {
      if (from.equals(this.#system.pid)) endSelf(this.self, "shutdown");
      return;
    }
    const { ending } = job;
    this.#left(job);
    if (ending === "cancelled") this.#fail(job, ending, undefined);
    else if (ending !== undefined) this.#failedOnce(job, ending, undefined);
    else if (reason === "noconnection") this.#nodeLost(job);
    else this.#failedOnce(job, "failed", errorOf(reason));
    this.#dispatch();
  }

  #nodeLost(job: PooledJob): void {
    const error = new JobError(job.id, "nodedown", job.attempt);
    if (this.#definition.onNodeDown === "fail") return this.#fail(job, "nodedown", undefined);
    job.attempt--;
    this.#again(job, error, 0);
  }

  #failedOnce(job: PooledJob, code: JobFailure, error: unknown): void {
    const { times = 0, backoff } = this.#definition.retry ?? {};
    if (job.attempt > times) return this.#fail(job, code, error);
    const { base = 0, cap = CAP_MS, jitter = 0.5 } = backoff ?? {};
    const full = Math.min(cap, base * 2 ** Math.min(job.attempt - 1, 32));
    this.#again(job, error, full * (1 - jitter * this.#system.chance()));
  }

  #again(job: PooledJob, error: unknown, pause: number): void {
    const { id, attempt } = job;
    if (this.events.has("retrying")) this.events.emit("retrying", { id, attempt, error });
    this.#delayed.add(job);
    job.timer = this.self.sendAfter(this.self.pid, new JobTimer(job), pause);
  }

  #fired({ job, attempt }: JobTimer): void {
    if (this.#delayed.delete(job)) {
      this.#waiting.add(job);
      return this.#dispatch();
    }
    if (this.#active.get(job.id) === job && job.attempt === attempt) this.#stop(job, "timeout");
  }

  /** Ends a job, whatever it is doing. */
  #stop(job: PooledJob, code: "cancelled" | "timeout"): void {
    if (job.isOver) return;
    if (this.#active.get(job.id) === job) {
      job.ending ??= code;
      if (job.pid !== undefined) this.self.exit(job.pid, "kill");
      return;
    }
    this.#waiting.delete(job);
    this.#delayed.delete(job);
    if (job.timer !== undefined) this.self.cancelTimer(job.timer);
    this.#fail(job, code, undefined);
  }

  /** The attempt of a job is over. */
  #left(job: PooledJob): void {
    const { node, pid, timer } = job;
    this.#active.delete(job.id);
    if (timer !== undefined) this.self.cancelTimer(timer);
    if (pid !== undefined) this.#byPid.delete(pid.key);
    const load = this.#loadOf(node!) - 1;
    if (load > 0) this.#load.set(node!, load);
    else this.#load.delete(node!);
    job.pid = job.node = job.timer = undefined;
  }

  #fail(job: PooledJob, code: JobFailure, cause: unknown): void {
    if (job.isOver) return;
    job.isOver = true;
    const error = new JobError(job.id, code, job.attempt, cause);
    this.jobs.delete(job);
    this.#forget(job);
    job.failed(error);
    if (this.events.has("failed")) this.events.emit("failed", { id: job.id, error });
  }

  /** Removes a job from the store. One that could not be removed runs again after a restart. */
  #forget({ id }: PooledJob): void {
    const { store, name } = this.#definition;
    if (store === undefined) return;
    new Promise((resolve) => resolve(store.remove(keyOf(name, id), 1))).catch(() => {});
  }

  /** The pool has ended: its jobs have no result, and stay in the store. */
  abandon(): void {
    for (const job of this.jobs) {
      job.isOver = true;
      job.failed(new JobError(job.id, "stopped", job.attempt));
    }
    this.jobs.clear();
  }
}

/** The key of a job in a store. */
export function keyOf(pool: string, id: string): string {
  return `${pool}/${id}`;
}

/** What is stored of a job. */
export function jobBytes(args: readonly unknown[]): Uint8Array {
  return encodeTerm(args);
}

/** Returns why an attempt ended without a report. */
function errorOf(reason: ExitReason): Error {
  if (reason instanceof Error) return reason;
  if (reason === "normal") return new Error("its result cannot be sent to the node of its pool");
  return new Error(`its actor ended: ${describe(reason)}`);
}
