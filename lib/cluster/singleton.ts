/**
 * Implements singletons: one child runs in the whole cluster. A manager on each participating node
 * competes for a lock, which is a normal global name; the node that has the lock runs the child.
 *
 * @module
 */
import { ArgumentError } from "../actor/errors.ts";
import type { Self } from "../actor/self.ts";
import { type System, systemOf } from "../actor/system.ts";
import { timeoutMs } from "../actor/timer.ts";
import type { Pid } from "../term/pid.ts";
import { checkLease } from "./lease.ts";
import { checkQuorum } from "./quorum.ts";
import type { SingletonChild, SingletonNames, SingletonOptions } from "./singleton_definition.ts";
import { SingletonManager } from "./singleton_manager.ts";

/** Default time limit of `singleton`, in milliseconds. */
const TIMEOUT_MS = 30_000;

/**
 * The error of `singleton`: the child was not found in time.
 *
 * @example
 * ```ts
 * import type { Node } from "@firn/firn";
 * import { type Singleton, type SingletonChild, SingletonError } from "@firn/firn/cluster";
 *
 * // Starts a singleton, or returns undefined if no node can run it now.
 * async function tryClock(node: Node, child: SingletonChild): Promise<Singleton | undefined> {
 *   try {
 *     return await node.global.singleton("clock", child, { timeout: 1000 });
 *   } catch (error) {
 *     if (error instanceof SingletonError) return undefined;
 *     throw error;
 *   }
 * }
 * ```
 */
export class SingletonError extends Error {
  /** Name of the error class. */
  override readonly name = "SingletonError";
  /** Stable code: `"timeout"`. */
  readonly code = "timeout";
  /** Creates the error from the name, the time limit and the reason. */
  constructor(name: string, ms: number, why: string) {
    super(`the singleton ${JSON.stringify(name)} was not found within ${ms} ms: ${why}`);
  }
}

/** The handle of a node that takes part in a singleton. */
export class Singleton {
  /** The global name of the child. */
  readonly name: string;
  /** The manager on this node. */
  readonly pid: Pid<never>;
  readonly #names: SingletonNames;

  /** Internal: see `Global.singleton`. */
  constructor(name: string, pid: Pid<never>, names: SingletonNames) {
    this.name = name;
    this.pid = pid;
    this.#names = names;
  }

  /** Whether the child runs on this node. */
  get isHere(): boolean {
    return this.#names.holder()?.equals(this.pid) ?? false;
  }

  /**
   * Returns the child. Returns `undefined` while the child is being started or moved, or cannot be
   * reached from this node.
   */
  whereis(): Pid<never> | undefined {
    return this.#names.whereis();
  }

  /**
   * Stops taking part: the child is stopped, and another node takes over. That node receives the
   * state that the child has passed to `handover`.
   */
  stop(): Promise<void> {
    return systemOf(this.pid).end(this.pid, "shutdown");
  }
}

/**
 * Takes part in a singleton. `settled` resolves when the child was found, or when it is known to
 * run on an unreachable node.
 */
export function startSingleton(
  system: System,
  name: string,
  child: SingletonChild,
  options: SingletonOptions,
  names: SingletonNames,
): { readonly singleton: Singleton; readonly settled: Promise<void> } {
  const ms = timeoutMs(options.timeout ?? TIMEOUT_MS);
  checkQuorum(options.quorum);
  checkLease(options.lease);
  if (options.lease !== undefined && options.quorum !== undefined) {
    throw new ArgumentError("a singleton has a quorum or a lease, not both");
  }
  let done!: () => void;
  const decided = new Promise<void>((resolve) => done = resolve);
  let manager: SingletonManager | undefined;
  const run = (self: Self<unknown>): Promise<void> => {
    manager = new SingletonManager(self, child, options, names);
    return manager.live(done);
  };
  const pid = system.spawn(undefined, undefined, run, []);
  names.join(pid);
  const ended = system.whenEnded(pid).then(done);
  const singleton = new Singleton(name, pid, names);
  if (ms === Infinity) return { singleton, settled: decided };
  const late = (): Error => new SingletonError(name, ms, manager?.obstacle ?? "it has not started");
  const settled = system.within(decided, ms, late).catch(async (error) => {
    if (manager !== undefined) manager.isGivenUp = true;
    system.exit(pid, "shutdown");
    await ended;
    throw error;
  });
  return { singleton, settled };
}
