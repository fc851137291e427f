/**
 * Pools: a bounded queue of jobs, and a limited number of workers on this node and others.
 *
 * @module
 */
import { trackedFor } from "../actor/behind.ts";
import { describe } from "../actor/describe.ts";
import { ArgumentError } from "../actor/errors.ts";
import type { Self } from "../actor/self.ts";
import { systemOf } from "../actor/system.ts";
import { timerMs } from "../actor/timer.ts";
import type { ListenOptions } from "../base/emitter.ts";
import { checkNames } from "../base/spelling.ts";
import type { Pid } from "../term/pid.ts";
import {
  type Job,
  JobError,
  type PoolCounts,
  type PoolDefinition,
  type PoolEvents,
  QUEUE_POLICIES,
} from "./job.ts";
import {
  Added,
  type Attempt,
  Cancel,
  jobBytes,
  keyOf,
  PoolActor,
  PooledJob,
  type Report,
} from "./pool_actor.ts";
import { type Spawnable, spawnable } from "./spawnable.ts";
import { startAndWait, type Starter } from "./start.ts";

/** The names of all options, to detect misspelt ones. */
const OPTIONS: Readonly<Record<keyof PoolDefinition<never, never>, true>> = {
  name: true,
  worker: true,
  perNode: true,
  nodes: true,
  queue: true,
  retry: true,
  timeout: true,
  onNodeDown: true,
  store: true,
};

/**
 * A kind of pool. A node that exposes it, by `node.expose(thumbnails)`, runs jobs of other nodes'
 * pools.
 */
export interface PoolKind<Args extends unknown[], Result>
  extends Spawnable<never, [Pid<Report>, string, number, readonly unknown[]]> {
  /**
   * Starts a pool. If the starter is an actor, the pool is linked with it. With a store, the pool
   * continues with the stored jobs. At most one pool may use a name in a store: start it as a
   * singleton if several nodes may start it.
   */
  start(from: Starter): Promise<Pool<Args, Result>>;
}

/** A running pool. */
export class Pool<Args extends unknown[], Result> {
  /** The pid of the pool. */
  readonly pid: Pid<never>;
  readonly #definition: PoolDefinition<Args, Result>;
  readonly #actor: PoolActor;

  /** Internal: see {@linkcode pool}. */
  constructor(pid: Pid<never>, definition: PoolDefinition<Args, Result>, actor: PoolActor) {
    this.pid = pid;
    this.#definition = definition;
    this.#actor = actor;
  }

  /** Adds a job. Its promises need not be awaited. */
  add(...args: Args): Job<Result> {
    const system = systemOf(this.pid);
    const id = system.uuid();
    const { name, store } = this.#definition;
    const result = Promise.withResolvers<Result>();
    const accepted = Promise.withResolvers<void>();
    const caller = system.running;
    const failed = (error: JobError): void => {
      // Records which actor added the job: it exits if a promise that is derived from the job's
      // promises rejects and is not awaited.
      system.noted(error, caller);
      accepted.reject(error);
      result.reject(error);
    };
    const job = new PooledJob(id, args, (value) => result.resolve(value as Result), failed);
    job.accepted = accepted.resolve;
    for (const { promise } of [accepted, result] as const) promise.catch(() => {});
    this.#actor.jobs.add(job);
    const take = (): void => {
      if (!system.isAlive(this.pid)) return this.#actor.abandon();
      system.send(this.pid as Pid<unknown>, new Added(job));
    };
    if (store === undefined) take();
    else {
      const saved = async (): Promise<void> => {
        if (await store.save(keyOf(name, id), jobBytes(args), 1, undefined) === true) return take();
        throw new Error("the store did not save it: `save` must return true when it has");
      };
      saved().catch((error) => {
        this.#actor.jobs.delete(job);
        failed(new JobError(id, "failed", 0, error));
      });
    }
    const cancel = (): void => system.send(this.pid as Pid<unknown>, new Cancel(job));
    return { id, accepted: accepted.promise, result: result.promise, cancel };
  }

  /** Adds jobs. Resolves with their results, in the order of the arguments. */
  addAll(list: readonly Args[]): Promise<Result[]> {
    return systemOf(this.pid).tracked(() =>
      Promise.all(list.map((args) => this.add(...args).result))
    );
  }

  /** Adds a listener of an event. Returns a function that removes it. */
  on<Name extends keyof PoolEvents>(
    name: Name,
    listener: (event: PoolEvents[Name]) => unknown,
    options?: ListenOptions,
  ): () => void {
    return this.#actor.events.on(name, listener, options);
  }

  /** Returns the numbers of unfinished jobs, by state. */
  counts(): PoolCounts {
    return this.#actor.counts();
  }

  /**
   * Stops the pool and its workers. Unfinished jobs reject with `code` "stopped". Stored jobs
   * remain in the store.
   */
  stop(): Promise<void> {
    return systemOf(this.pid).end(this.pid, "shutdown");
  }
}

/**
 * Defines a pool of workers. A job runs on this node, or on a connected node that exposes the pool.
 * At most `perNode` jobs run on a node at a time.
 *
 * A job may run more than once: unless `onNodeDown` is "fail", a job whose node is lost runs again
 * on another node, although it may have finished its work. Use the id of the job to make its
 * effects idempotent.
 *
 * @throws {ArgumentError} `code` "badarg": an option is unknown or invalid.
 *
 * @example
 * ```ts
 * import { Node } from "@firn/firn";
 * import { pool } from "@firn/firn/otp";
 * import { assertEquals } from "@std/assert";
 *
 * const squares = pool({
 *   name: "squares",
 *   worker: (_job, n: number) => n * n,
 *   perNode: 2,
 *   retry: { times: 3, backoff: { base: 1000 } },
 * });
 *
 * const cookie = crypto.getRandomValues(new Uint8Array(32)).toHex();
 * await using a = await Node.start({ name: "a@127.0.0.1:0", cookie, logLevel: "silent" });
 * await using b = await Node.start({ name: "b@127.0.0.1:0", cookie, logLevel: "silent" });
 * b.expose(squares);
 * await a.connect(b.name);
 *
 * const jobs = await squares.start(a);
 * assertEquals(await jobs.addAll([[1], [2], [3]]), [1, 4, 9]);
 * const job = jobs.add(4);
 * assertEquals(await job.result, 16);
 * ```
 */
export function pool<Args extends unknown[], Result>(
  definition: PoolDefinition<Args, Result>,
): PoolKind<Args, Result> {
  check(definition as unknown as PoolDefinition<unknown[], unknown>);
  const { name, worker, store } = definition;
  // The name of this function appears in crash reports.
  const { [name]: attempt } = {
    [name]: async (
      self: Self,
      pool: Pid<Report>,
      id: string,
      attempt: number,
      args: readonly unknown[],
    ): Promise<void> => {
      const progress = (value: unknown): void =>
        self.send(pool, { $job: "progress", id, attempt, value });
      try {
        const context = { id, attempt, signal: self.signal, progress };
        const value = await worker(context, ...args as Args);
        self.send(pool, { $job: "done", id, attempt, value });
      } catch (error) {
        self.send(pool, { $job: "failed", id, attempt, error });
      }
    },
  };
  const begin = async (from: Starter): Promise<Pool<Args, Result>> => {
    let actor!: PoolActor;
    const all = definition as unknown as PoolDefinition<unknown[], unknown>;
    const pid = await startAndWait<unknown>(from, `pool ${name}`, (self, starting) => {
      actor = new PoolActor(self, all, attempt as Attempt, starting.parent);
      starting.done();
      return (message) => actor.handle(message);
    });
    const system = systemOf(pid);
    system.whenEnded(pid).then(() => actor.abandon());
    if (store !== undefined) {
      let reading = "the keys of its jobs";
      try {
        for (const key of await store.keys!(keyOf(name, ""))) {
          reading = `the job ${JSON.stringify(key)}`;
          const stored = await store.load(key);
          const id = key.slice(keyOf(name, "").length);
          if (stored) system.send(pid, new Added(actor.restore(id, stored.value)));
        }
      } catch (error) {
        // The link is removed first, so that the starter receives the error, but no exit signal.
        if (from.pid !== undefined) actor.self.unlink(from.pid);
        await system.end(pid, "shutdown");
        const words = `pool ${name}: the store did not return ${reading}: `;
        throw new Error(words + describe(error), { cause: error });
      }
    }
    return new Pool(pid as Pid<never>, definition, actor);
  };
  const start = (from: Starter): Promise<Pool<Args, Result>> => trackedFor(from, () => begin(from));
  return { ...spawnable(name, attempt as never), start };
}

function check(definition: PoolDefinition<unknown[], unknown>): void {
  const bad = (words: string): ArgumentError => new ArgumentError(`pool: ${words}`);
  checkNames(definition, OPTIONS, bad);
  const { name, worker, perNode = 1, queue, retry, timeout, onNodeDown, store } = definition;
  if (typeof name !== "string" || name === "") throw bad("name must be a text that is not empty");
  if (typeof worker !== "function") throw bad("worker must be a function");
  if (!(Number.isInteger(perNode) && perNode >= 1)) {
    throw bad(`perNode is ${perNode}: use 1 or more`);
  }
  if (queue !== undefined && !(queue.max >= 0)) {
    throw bad(`queue.max is ${queue.max}: use 0 or more`);
  }
  if (queue?.policy !== undefined && !QUEUE_POLICIES.includes(queue.policy)) {
    throw bad(
      `queue.policy is ${JSON.stringify(queue.policy)}: use ${QUEUE_POLICIES.join(" or ")}`,
    );
  }
  if (retry !== undefined && !(retry.times >= 0)) {
    throw bad(`retry.times is ${retry.times}: use 0 or more`);
  }
  if (timeout !== undefined) timerMs(timeout);
  if (onNodeDown !== undefined && onNodeDown !== "retry" && onNodeDown !== "fail") {
    throw bad(`onNodeDown is ${JSON.stringify(onNodeDown)}: use "retry" or "fail"`);
  }
  if (store !== undefined && store.keys === undefined) {
    throw bad("its store needs the function keys");
  }
}
