/**
 * The actor of a pool: a bounded queue, and an actor for each attempt of a job, on this node or
 * another.
 *
 *     add ─▶ waiting ──a node has room──▶ active ──returned──▶ completed
 *               ▲                            │ threw, took too long, its node is lost
 *               └── delayed ◀────────────────┴──no attempt is left──▶ failed
 *
 * Longer than 400 lines: it is one state machine.
 *
 * @module
 */
import { describe } from "../actor/describe.ts";
import { Exit, isReadable } from "../actor/exit.ts";
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
import { endSelf, isOrder } from "./start.ts";

/** Interval at which the pool checks whether a node can run a waiting job, in milliseconds. */
const LOOK_MS = 500;

/** Default maximum pause between attempts, in milliseconds. */
const CAP_MS = 30_000;

/** The message in which the actor of an attempt reports to its pool. */
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

/** A job and its state in the pool. */
export class PooledJob {
  readonly id: string;
  readonly args: readonly unknown[];
  /**
   * Number of attempts, including the running one. An attempt does not count if its node was lost
   * or no longer exposes the pool.
   */
  attempt = 0;
  /** The actor of the running attempt. */
  pid: Pid<never> | undefined = undefined;
  /** The node on which the running attempt runs. */
  node: string | undefined = undefined;
  timer: TimerRef | undefined = undefined;
  /**
   * The reason for which the pool kills the attempt's actor. Undefined if the pool does not kill
   * it.
   */
  ending: JobFailure | undefined = undefined;
  isOver = false;
  /** Called when the job is in the queue. */
  accepted: () => void = () => {};
  /**
   * Whether the job was loaded from the store. Such a job is already counted in the length of the
   * queue.
   */
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

/** Notifies the pool that a job was added. If there is a store, the job has already been stored. */
export class Added {
  readonly job: PooledJob;
  constructor(job: PooledJob) {
    this.job = job;
  }
}

/** Requests that the pool cancel a job. */
export class Cancel {
  readonly job: PooledJob;
  constructor(job: PooledJob) {
    this.job = job;
  }
}

/** Notifies the pool that an attempt on another node was spawned, or could not be spawned. */
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

/** The message of a job's timer: the attempt has timed out, or the next attempt is due. */
class JobTimer {
  readonly job: PooledJob;
  readonly attempt: number;
  constructor(job: PooledJob) {
    this.job = job;
    this.attempt = job.attempt;
  }
}

const LOOK = Symbol("look");

/** The body of the actor that runs an attempt. */
export type Attempt = (
  self: Self,
  pool: Pid<Report>,
  id: string,
  attempt: number,
  args: readonly unknown[],
) => Promise<void>;

/** The actor of one pool: queues jobs, and starts attempts on nodes. */
export class PoolActor {
  readonly events: Emitter<PoolEvents> = new Emitter();
  /** All unfinished jobs: waiting, running or delayed. */
  readonly jobs: Set<PooledJob> = new Set();
  readonly self: Self<unknown>;
  readonly #system: System;
  readonly #definition: PoolDefinition<unknown[], unknown>;
  readonly #attempt: Attempt;
  /** The actor that started the pool. Its exit ends the pool. */
  readonly #parent: Pid<never> | undefined;
  readonly #waiting = new Set<PooledJob>();
  readonly #active = new Map<string, PooledJob>();
  readonly #delayed = new Set<PooledJob>();
  readonly #byPid = new Map<string, PooledJob>();
  /** Number of running attempts by node. */
  readonly #load = new Map<string, number>();
  #isLooking = false;

  constructor(
    self: Self<unknown>,
    definition: PoolDefinition<unknown[], unknown>,
    attempt: Attempt,
    parent: Pid<never> | undefined,
  ) {
    this.self = self;
    this.#parent = parent;
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

  /** Handles a message to the pool. Any actor can send one, so malformed messages are dropped. */
  handle(message: unknown): void {
    try {
      this.#handle(message);
    } catch (error) {
      if (isReadable(message, "$job", "id", "attempt", "value", "error")) throw error;
    }
  }

  #handle(message: unknown): void {
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

  /** Decodes a stored job of an earlier pool with the same name. */
  restore(id: string, value: Uint8Array): PooledJob {
    const args = decodeTerm(value);
    if (!Array.isArray(args)) throw new TypeError(`${describe(args)} is not a list of arguments`);
    const job = new PooledJob(id, args, () => {}, () => {});
    job.isRestored = true;
    return job;
  }

  #added(job: PooledJob): void {
    const { max = 10_000, policy = "reject" } = this.#definition.queue ?? {};
    // The job was cancelled while it was being stored.
    if (job.isOver) return this.#forget(job);
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

  /** Starts waiting jobs on nodes with capacity, on the least loaded node first. */
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
    // The report of the attempt may have arrived before this message.
    if (this.#active.get(job.id) !== job) return;
    if (pid !== undefined) return this.#run(job, pid);
    this.#left(job);
    // The attempt did not run, because its node was lost or no longer exposes the pool. Such an
    // attempt does not count.
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

  /**
   * Handles an exit signal: an attempt's actor has exited without a report, or the pool must end.
   */
  #exited(exit: Exit): void {
    const { from, reason } = exit;
    const job = this.#byPid.get(from.key);
    this.#byPid.delete(from.key);
    if (job === undefined || !job.pid?.equals(from)) {
      // The exit reason must not be "normal": the linked workers would then continue to run.
      if (isOrder(this.#system, this.#parent, exit)) {
        endSelf(this.self, reason === "normal" ? "shutdown" : reason);
      }
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

  /** Ends a job in any state. */
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

  /** Called when the attempt of a job has ended. Frees the job's place on its node. */
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

  /** Removes a job from the store. If that fails, the job runs again after a restart. */
  #forget({ id }: PooledJob): void {
    const { store, name } = this.#definition;
    if (store === undefined) return;
    new Promise((resolve) => resolve(store.remove(keyOf(name, id), 1))).catch(() => {});
  }

  /** Called when the pool has exited. Rejects unfinished jobs, which stay in the store. */
  abandon(): void {
    for (const job of this.jobs) {
      job.isOver = true;
      job.failed(new JobError(job.id, "stopped", job.attempt));
    }
    this.jobs.clear();
  }
}

/** Returns the key of a job in a store. */
export function keyOf(pool: string, id: string): string {
  return `${pool}/${id}`;
}

/** Encodes a job for the store. */
export function jobBytes(args: readonly unknown[]): Uint8Array {
  return encodeTerm(args);
}

/** Returns the error of an attempt that ended without a report. */
function errorOf(reason: ExitReason): Error {
  if (reason instanceof Error) return reason;
  if (reason === "normal") return new Error("its result cannot be sent to the node of its pool");
  return new Error(`its actor ended: ${describe(reason)}`);
}
