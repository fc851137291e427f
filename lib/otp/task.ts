/**
 * Tasks: functions that run as separate actors and return a result.
 *
 * A task belongs to the actor that started it, and ends when that actor exits. If the task crashes,
 * `await` rejects with the reason; no message is sent, and no other actor ends.
 *
 * @module
 */
import type { ExitReason } from "../term/exit.ts";
import { type Actor, actorOf, DEAD_USES_MAX, never } from "../actor/actor.ts";
import { systemBehind, trackedFor } from "../actor/behind.ts";
import { ArgumentError, NodeStoppedError } from "../actor/errors.ts";
import { reasonLine, thrownReason } from "../actor/exit.ts";
import type { Self } from "../actor/self.ts";
import { systemOf } from "../actor/system.ts";
import { track } from "../actor/tracked_promise.ts";
import type { Pid } from "../term/pid.ts";
import type { Starter } from "./start.ts";

/** Default timeout of `task.await`, in milliseconds. */
const AWAIT_TIMEOUT_MS = 5_000;

/** Default number of concurrent tasks of `task.map`. */
const MAP_CONCURRENCY = 8;

/**
 * A task has not returned a result in time. The task continues: you may cancel it, or await it
 * again.
 *
 * @example
 * ```ts
 * import { Node, task } from "@firn/firn";
 * import { TaskTimeoutError } from "@firn/firn/otp";
 * import { assertRejects } from "@std/assert";
 *
 * await using node = await Node.start({ logLevel: "silent" });
 * const slow = task.async(node, (self) => self.receive());
 * await assertRejects(() => task.await(slow, { timeout: 10 }), TaskTimeoutError);
 * task.cancel(slow);
 * ```
 */
export class TaskTimeoutError extends Error {
  /** Name of the error class. */
  override readonly name = "TaskTimeoutError";
  /** Stable code: `"timeout"`. */
  readonly code = "timeout";
}

/**
 * A task ended without a result, for `reason`.
 *
 * @example
 * ```ts
 * import { Node, task } from "@firn/firn";
 * import { TaskExitError } from "@firn/firn/otp";
 * import { assertEquals, assertRejects } from "@std/assert";
 *
 * await using node = await Node.start({ logLevel: "silent" });
 * const failing = task.async(node, () => {
 *   throw new Error("no result");
 * });
 * const error = await assertRejects(() => task.await(failing), TaskExitError);
 * assertEquals((error.reason as Error).message, "no result");
 * ```
 */
export class TaskExitError extends Error {
  /** Name of the error class. */
  override readonly name = "TaskExitError";
  /** Stable code: `"exit"`. */
  readonly code = "exit";
  /** The exit reason of the task: the `Error` that it threw, `"killed"`, … */
  readonly reason: ExitReason;

  /** Internal: created by the runtime. */
  constructor(pid: Pid<never>, reason: ExitReason) {
    super(`task ${pid} ended without a result: ${reasonLine(reason)}`, { cause: reason });
    this.reason = reason;
  }
}

/** A task that was started. */
export interface Task<T> {
  /** The actor that runs the task. */
  readonly pid: Pid<never>;
  /** The result of the task. Rejects with {@linkcode TaskExitError}. */
  readonly result: Promise<T>;
}

/** A task, with the actor that owns it. */
class OwnedTask<T> implements Task<T> {
  readonly pid: Pid<never>;
  readonly result: Promise<T>;
  readonly owner: Actor | undefined;
  /** Number of times that the task was awaited after its owner had exited. */
  late = 0;

  constructor(pid: Pid<never>, result: Promise<T>, owner: Actor | undefined) {
    this.pid = pid;
    this.result = result;
    this.owner = owner;
  }
}

/** The function of a task. `self.signal` is aborted when the task is cancelled. */
export type TaskFunction<T> = (self: Self<never>) => T | Promise<T>;

/** Options of {@linkcode TaskApi.await}. */
export interface AwaitOptions {
  /** Milliseconds after which `await` rejects, or `Infinity` for never. Default 5000. */
  readonly timeout?: number | undefined;
}

/** Options of {@linkcode TaskApi.map}. */
export interface MapOptions {
  /** Number of concurrent tasks, or `Infinity`. Default 8. */
  readonly concurrency?: number | undefined;
}

/** Starts tasks and waits for them. */
export interface TaskApi {
  /** Starts a task. `from` is the node, or the actor that the task belongs to. */
  async<T>(from: Starter, run: TaskFunction<T>): Task<T>;
  /**
   * Waits for the result.
   *
   * @throws {TaskTimeoutError} `code` "timeout": the task took too long; you may await it again.
   * @throws {TaskExitError} `code` "exit": the task ended without a result, because of `reason`.
   * @throws {ArgumentError} `code` "badarg": the time is above 24 days, and not `Infinity`.
   */
  await<T>(task: Task<T>, options?: AwaitOptions): Promise<T>;
  /** Ends a task at once. Returns false if the task had already ended. */
  cancel(task: Task<unknown>): boolean;
  /**
   * Runs `each` for every item as a task, several of them at once. Resolves with the results in the
   * order of the items. If a task fails, cancels the other tasks, and rejects with the first
   * failure.
   */
  map<I, T>(
    from: Starter,
    items: Iterable<I>,
    each: (item: I, self: Self<never>) => T | Promise<T>,
    options?: MapOptions,
  ): Promise<T[]>;
}

/**
 * Starts tasks, and waits for their results.
 *
 * @example
 * ```ts
 * import { Node, task } from "@firn/firn";
 * import { assertEquals } from "@std/assert";
 *
 * await using node = await Node.start({ logLevel: "silent" });
 * const answer = task.async(node, async () => 6 * 7);
 * assertEquals(await task.await(answer), 42);
 *
 * const squares = await task.map(node, [1, 2, 3], (n) => n * n, { concurrency: 2 });
 * assertEquals(squares, [1, 4, 9]);
 * ```
 */
export const task: TaskApi = {
  async: start,
  await: wait,
  cancel,
  map,
};

function start<T>(from: Starter, run: TaskFunction<T>): OwnedTask<T> {
  const owner = actorOf(from);
  let settle: (value: T) => void = () => {};
  let fail: (error: unknown) => void = () => {};
  const result = new Promise<T>((resolve, reject) => {
    settle = resolve;
    fail = reject;
  });
  // A task that is never awaited must not cause an unhandled rejection.
  result.catch(() => {});
  const body = async (self: Self<never>): Promise<void> => {
    // If a task throws, only its owner is notified, and no crash is reported.
    try {
      settle(await run(self));
    } catch (error) {
      // If the task was cancelled or has ended itself, its exit reason is reported below.
      if (!systemOf(self.pid).isAlive(self.pid)) return;
      const reason = thrownReason(error);
      fail(new TaskExitError(self.pid, reason));
      self.exit({ shutdown: reason });
    }
  };
  let pid: Pid<never>;
  try {
    pid = from.spawn(body);
  } catch (error) {
    // On a stopped node, `async` does not throw, but the result rejects. While the result is
    // awaited, pending I/O is handled, so that a loop of retries cannot starve I/O.
    const system = systemBehind(from);
    if (!(error instanceof NodeStoppedError) || system === undefined) throw error;
    fail(error);
    return new OwnedTask(system.deadPid(), result, owner);
  }
  const system = systemOf(pid);
  // If the owner has exited, the task is not started, and its result never settles.
  if (owner?.isAlive !== false) {
    system.whenEnded(pid).then((reason) => fail(new TaskExitError(pid, reason)));
  }
  if (owner !== undefined) system.ownedBy(owner.pid as Pid, pid);
  return new OwnedTask(pid, result, owner);
}

function wait<T>(task: Task<T>, { timeout = AWAIT_TIMEOUT_MS }: AwaitOptions = {}): Promise<T> {
  const owner = task instanceof OwnedTask ? task.owner : undefined;
  // Other actors may still await the result. After 100 awaits, further ones never settle, because
  // they may come from a loop of the exited owner.
  if (owner?.isAlive === false && (task as OwnedTask<T>).late++ >= DEAD_USES_MAX) return never();
  const system = systemOf(task.pid);
  // On a stopped node, all tasks have ended. For an exited owner, no timeout is needed.
  const isFinal = timeout === Infinity || system.isStopped || owner?.isAlive === false;
  const result = isFinal ? task.result : system.within(task.result, timeout, () => {
    return new TaskTimeoutError(`task ${task.pid} had no result within ${timeout} ms`);
  });
  return track(result, system, owner ?? system.running);
}

function cancel(task: Task<unknown>): boolean {
  const system = systemOf(task.pid);
  if (!system.isAlive(task.pid)) return false;
  system.exit(task.pid, "kill");
  return true;
}

function map<I, T>(
  from: Starter,
  items: Iterable<I>,
  each: (item: I, self: Self<never>) => T | Promise<T>,
  options: MapOptions = {},
): Promise<T[]> {
  return trackedFor(from, () => mapped(from, items, each, options));
}

async function mapped<I, T>(
  from: Starter,
  items: Iterable<I>,
  each: (item: I, self: Self<never>) => T | Promise<T>,
  { concurrency = MAP_CONCURRENCY }: MapOptions,
): Promise<T[]> {
  if (!(concurrency >= 1)) throw new ArgumentError(`concurrency is ${concurrency}: use 1 or more`);
  const results: T[] = [];
  const running = new Set<Task<T>>();
  const waiting = items[Symbol.iterator]();
  const workers: Promise<void>[] = [];
  let begun = 0;
  /** Whether no further tasks are started: all were started, or one has failed. */
  let over = false;
  const next = (): { readonly item: I } | undefined => {
    if (over) return undefined;
    const { done, value } = waiting.next();
    over = done === true;
    return over ? undefined : { item: value };
  };
  const work = async (first: { readonly item: I }): Promise<void> => {
    for (let one: { readonly item: I } | undefined = first; one; one = next()) {
      const { item } = one;
      const index = begun++;
      const begunTask = start(from, (self) => each(item, self));
      running.add(begunTask);
      results[index] = await begunTask.result;
      running.delete(begunTask);
    }
  };
  try {
    while (workers.length < Math.floor(concurrency)) {
      const one = next();
      if (one === undefined) break;
      workers.push(work(one));
    }
    await Promise.all(workers);
  } catch (error) {
    if (!over) waiting.return?.();
    over = true;
    for (const other of running) cancel(other);
    // Waits for the other tasks, and ignores their results.
    await Promise.allSettled(workers);
    throw error;
  }
  return results;
}
