/**
 * Jobs of a pool: their options, events and errors, and what a worker gets.
 *
 * @module
 */
import type { Backoff } from "./child.ts";
import type { Store } from "./store.ts";

/** What a worker gets beside the arguments of its job. */
export interface JobContext {
  /** The id of the job. */
  readonly id: string;
  /** Which attempt this is: 1 at first. */
  readonly attempt: number;
  /** Aborts when the job is cancelled, takes too long, or its pool ends. */
  readonly signal: AbortSignal;
  /** Reports progress: it arrives as the event "progress" of the pool. */
  progress(value: unknown): void;
}

/** What happens to a job that waits when the queue is full. */
export const QUEUE_POLICIES = ["reject", "dropOldest"] as const;

/** One of {@linkcode QUEUE_POLICIES}. */
export type QueuePolicy = (typeof QUEUE_POLICIES)[number];

/** How a pool works. */
export interface PoolDefinition<Args extends unknown[], Result> {
  /** The name under which other nodes expose the worker. */
  readonly name: string;
  /** Does a job. What it returns is the result; if it throws, the attempt has failed. */
  readonly worker: (job: JobContext, ...args: Args) => Result | Promise<Result>;
  /** Jobs that run at the same time on each node. Default 4. */
  readonly perNode?: number | undefined;
  /** Chooses among this node and the connected nodes that expose the pool. Default: all of them. */
  readonly nodes?: ((nodes: readonly string[]) => readonly string[]) | undefined;
  /** Jobs that may wait, and what happens to one more. Default 10,000, "reject". */
  readonly queue?: { readonly max: number; readonly policy?: QueuePolicy } | undefined;
  /** Further attempts of a job that failed, with pauses between them. Default: none. */
  readonly retry?: { readonly times: number; readonly backoff?: Backoff } | undefined;
  /** Milliseconds that an attempt may take. Default: no limit. */
  readonly timeout?: number | undefined;
  /**
   * What happens to the jobs of a node that is lost: "retry" runs them on another, though they may have run; it is no
   * failed attempt. "fail" fails them. Default "retry".
   */
  readonly onNodeDown?: "retry" | "fail" | undefined;
  /** Keeps the jobs until they are done: a pool that is started again continues with them. Default: in memory. */
  readonly store?: Store | undefined;
}

/** Why a job has no result. */
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
 * A job has no result. `cause` is what its last attempt threw.
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
  /** Why: its attempts failed, took too long, its node was lost, and so on. */
  readonly code: JobFailure;
  /** The id of the job. */
  readonly id: string;

  /** Internal. */
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
  queuefull: "was dropped, as the queue is full,",
  nodedown: "lost its node",
  stopped: "has no result, as its pool has ended,",
};

/** A job that was added. */
export interface Job<Result> {
  /** Its id. */
  readonly id: string;
  /** Resolves when the queue has it, and the store, if there is one. Rejects with {@linkcode JobError}. */
  readonly accepted: Promise<void>;
  /** Its result. Rejects with {@linkcode JobError}. */
  readonly result: Promise<Result>;
  /** Cancels it: it is not started, or its actor is killed. */
  cancel(): void;
}

/** What happens to jobs. */
export interface PoolEvents {
  /** A worker has called `progress`. */
  progress: { readonly id: string; readonly value: unknown };
  /** A job is done. */
  completed: { readonly id: string; readonly result: unknown };
  /** An attempt has failed, or its node was lost; another follows. */
  retrying: { readonly id: string; readonly attempt: number; readonly error: unknown };
  /** A job has no result. */
  failed: { readonly id: string; readonly error: JobError };
}

/** How many jobs there are. */
export interface PoolCounts {
  /** Wait for a worker. */
  readonly waiting: number;
  /** Run. */
  readonly active: number;
  /** Wait for another attempt. */
  readonly delayed: number;
}
