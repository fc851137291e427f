/**
 * Jobs of a pool: options, events, errors, and the context of a worker.
 *
 * @module
 */
import type { Backoff } from "./child.ts";
import type { Store } from "./store.ts";

/** The context of a job for its worker, passed before the job's arguments. */
export interface JobContext {
  /** The id of the job. */
  readonly id: string;
  /** Number of this attempt. The first attempt is 1. */
  readonly attempt: number;
  /** Aborts when the job is cancelled or times out, or its pool stops. */
  readonly signal: AbortSignal;
  /** Reports progress, which the pool emits as the event "progress". */
  progress(value: unknown): void;
}

/**
 * Determines what happens when a job is added to a full queue: the new job is rejected, or the
 * oldest waiting job is dropped.
 *
 * @example
 * ```ts
 * import { Node } from "@firn/firn";
 * import { pool, QUEUE_POLICIES } from "@firn/firn/otp";
 * import { assertEquals } from "@std/assert";
 *
 * await using node = await Node.start({ logLevel: "silent" });
 * for (const policy of QUEUE_POLICIES) {
 *   const worker = (_job: unknown, n: number) => n * 2;
 *   const doubler = pool({ name: policy, worker, queue: { max: 10, policy } });
 *   const jobs = await doubler.start(node);
 *   assertEquals(await jobs.add(21).result, 42);
 * }
 * ```
 */
export const QUEUE_POLICIES = ["reject", "dropOldest"] as const;

/** One of {@linkcode QUEUE_POLICIES}. */
export type QueuePolicy = (typeof QUEUE_POLICIES)[number];

/** Options of a pool. */
export interface PoolDefinition<Args extends unknown[], Result> {
  /** The name of the pool, under which other nodes expose the worker. */
  readonly name: string;
  /** Runs a job. The return value is the result; if it throws, the attempt has failed. */
  readonly worker: (job: JobContext, ...args: Args) => Result | Promise<Result>;
  /** Maximum number of jobs that run at a time on each node. Default 4. */
  readonly perNode?: number | undefined;
  /**
   * Selects the nodes that may run jobs. `nodes` contains this node, and the connected nodes that
   * expose the pool. Default: all of them.
   */
  readonly nodes?: ((nodes: readonly string[]) => readonly string[]) | undefined;
  /**
   * Maximum number of waiting jobs, and what happens when another job is added. Default 10,000 and
   * "reject".
   */
  readonly queue?: { readonly max: number; readonly policy?: QueuePolicy } | undefined;
  /** Maximum number of retries of a failed job, and the pauses before them. Default: no retries. */
  readonly retry?: { readonly times: number; readonly backoff?: Backoff } | undefined;
  /** Time limit of an attempt, in milliseconds. Default: no limit. */
  readonly timeout?: number | undefined;
  /**
   * What happens to the running jobs of a lost node. "retry" runs them on another node, although
   * they may have finished; this does not count as a failed attempt. "fail" rejects them. Default
   * "retry".
   */
  readonly onNodeDown?: "retry" | "fail" | undefined;
  /**
   * Stores unfinished jobs, so that a restarted pool continues with them. Default: jobs are only
   * kept in memory.
   */
  readonly store?: Store | undefined;
}

/**
 * Reasons why a job failed.
 *
 * @example
 * ```ts
 * import { JOB_FAILURES, type JobFailure } from "@firn/firn/otp";
 * import { assertEquals } from "@std/assert";
 *
 * const isFinal = (failure: JobFailure) => failure !== "queuefull" && failure !== "nodedown";
 * assertEquals(JOB_FAILURES.filter(isFinal), ["failed", "timeout", "cancelled", "stopped"]);
 * ```
 */
export const JOB_FAILURES = [
  "failed",
  "timeout",
  "cancelled",
  "queuefull",
  "nodedown",
  "stopped",
] as const;

/** One of {@linkcode JOB_FAILURES}. */
export type JobFailure = (typeof JOB_FAILURES)[number];

/**
 * The error of a failed job. `cause` is the error of its last attempt.
 *
 * @example
 * ```ts
 * import { Node } from "@firn/firn";
 * import { JobError, pool } from "@firn/firn/otp";
 * import { assertEquals, assertRejects } from "@std/assert";
 *
 * const failing = pool({
 *   name: "failing",
 *   worker: () => {
 *     throw new Error("no disk");
 *   },
 * });
 * await using node = await Node.start({ logLevel: "silent" });
 * const jobs = await failing.start(node);
 * const error = await assertRejects(() => jobs.add().result, JobError);
 * assertEquals((error as JobError).code, "failed");
 * assertEquals(((error as JobError).cause as Error).message, "no disk");
 * ```
 */
export class JobError extends Error {
  /** Name of the error class. */
  override readonly name = "JobError";
  /** Stable code of the reason. */
  readonly code: JobFailure;
  /** The id of the job. */
  readonly id: string;

  /** Internal: created by the runtime. */
  constructor(id: string, code: JobFailure, attempts: number, cause?: unknown) {
    const why = cause instanceof Error ? `: ${cause.message}` : "";
    super(`job ${id}: ${WORDS[code]} after ${attempts} attempts${why}`, { cause });
    this.id = id;
    this.code = code;
  }
}

const WORDS: Readonly<Record<JobFailure, string>> = {
  failed: "failed",
  timeout: "took too long",
  cancelled: "was cancelled",
  queuefull: "was dropped, because the queue is full,",
  nodedown: "lost its node",
  stopped: "has no result, because its pool has ended,",
};

/** A job that was added to a pool. */
export interface Job<Result> {
  /** The id of the job. */
  readonly id: string;
  /**
   * Resolves when the job is queued, and stored if there is a store. Rejects with {@linkcode
   * JobError}.
   */
  readonly accepted: Promise<void>;
  /** Resolves with the result of the job. Rejects with {@linkcode JobError}. */
  readonly result: Promise<Result>;
  /** Cancels the job. If it waits, it is removed; if it runs, its actor is killed. */
  cancel(): void;
}

/** The events of a pool, with what their listeners receive. */
export interface PoolEvents {
  /** The worker of a job has called `progress`. */
  progress: { readonly id: string; readonly value: unknown };
  /** A job has completed. */
  completed: { readonly id: string; readonly result: unknown };
  /** An attempt has failed, or its node was lost, and another attempt follows. */
  retrying: { readonly id: string; readonly attempt: number; readonly error: unknown };
  /** A job has failed, and is not attempted again. */
  failed: { readonly id: string; readonly error: JobError };
}

/** The numbers of a pool's unfinished jobs, by state. */
export interface PoolCounts {
  /** Number of jobs that wait for capacity on a node. */
  readonly waiting: number;
  /** Number of running jobs. */
  readonly active: number;
  /** Number of jobs that pause before their next attempt. */
  readonly delayed: number;
}
