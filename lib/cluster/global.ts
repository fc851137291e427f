/**
 * Implements the public API of global names. A name is registered on one node, and every node looks
 * it up in its own memory. `README.md` has the guarantees, `registry.ts` the protocol.
 *
 * @module
 */
import { checkPid } from "../actor/arguments.ts";
import { setSystem } from "../actor/behind.ts";
import { NameError, NodeStoppedError } from "../actor/errors.ts";
import type { System } from "../actor/system.ts";
import { timeoutMs } from "../actor/timer.ts";
import type { Pid } from "../term/pid.ts";
import type { NameChange } from "./changes.ts";
import type { OnConflict, Resolve } from "./lost_name.ts";
import type { GroupTable } from "./groups.ts";
import { checkQuorum, type Quorum } from "./quorum.ts";
import { type Registry, RESERVED } from "./registry.ts";
import { isKey, KEY_BYTES_MAX } from "./rows.ts";
import { type Singleton, startSingleton } from "./singleton.ts";
import type { SingletonChild, SingletonNames, SingletonOptions } from "./singleton_definition.ts";

/** Default time limit of `waitFor`, in milliseconds. */
const WAIT_MS = 5_000;

/** Options with which an actor is registered under a global name. */
export interface GlobalOptions {
  /** The policy for an actor that loses its name to another. Default "exit". */
  readonly onConflict?: OnConflict | undefined;
  /**
   * Chooses which of two actors keeps the name after a partition. Default: the one that was
   * registered first. It is called on the node whose actor would lose the name.
   */
  readonly resolve?: Resolve | undefined;
  /**
   * Number of nodes that must grant the name, or `"majority"`. If fewer of the granting nodes stay
   * connected, the actor loses the name, and exits with `{ noQuorum: name }` unless `onConflict` is
   * "keep". Default: no quorum is needed.
   */
  readonly quorum?: Quorum | undefined;
}

/** Options of `waitFor`. */
export interface WaitOptions {
  /** Time limit in milliseconds, or `Infinity`. Default 5000. */
  readonly timeout?: number | undefined;
  /** Aborts the wait: `waitFor` rejects with the signal's reason. Default: none. */
  readonly signal?: AbortSignal | undefined;
}

/**
 * The error of `waitFor`: no actor was registered under the name in time.
 *
 * @example
 * ```ts
 * import { Node } from "@firn/firn";
 * import { NameTimeoutError } from "@firn/firn/cluster";
 * import { assertRejects } from "@std/assert";
 *
 * await using node = await Node.start({ logLevel: "silent" });
 * await assertRejects(() => node.global.waitFor("nothing", { timeout: 10 }), NameTimeoutError);
 * ```
 */
export class NameTimeoutError extends Error {
  /** Name of the error class. */
  override readonly name = "NameTimeoutError";
  /** Stable code: `"timeout"`. */
  readonly code = "timeout";
  /** Creates the error from the name and the time limit in milliseconds. */
  constructor(name: string, ms: number) {
    super(`no actor was registered as ${JSON.stringify(name)} within ${ms} ms`);
  }
}

/** Registers and finds actors by names that all nodes of a cluster share. */
export class Global {
  readonly #system: System;
  readonly #registry: Registry;
  readonly #groups: GroupTable | undefined;
  readonly #singletons = new Map<string, Singleton>();

  /** Internal: programs use `node.global`. */
  constructor(system: System, registry: Registry, groups?: GroupTable) {
    this.#system = system;
    setSystem(this, system);
    this.#registry = registry;
    this.#groups = groups;
  }

  /**
   * Registers an actor under a name on all nodes. Resolves when all connected nodes have answered:
   * to true if the name is registered on all of them, or to false if another actor has the name.
   * Other nodes may find the name earlier. The registration ends when the actor exits. If the actor
   * already has the name, it keeps it.
   *
   * If at least one node is connected to all nodes that register a name at the same time, at most
   * one of the registrations resolves to true. Nodes that are connected neither directly nor
   * through one other node may each register a name; when they connect, one of them loses it: see
   * `onConflict`, `resolve` and `quorum`.
   *
   * @throws {NameError} `code` "badname": the name is empty, longer than 255 bytes, or begins with
   * NUL.
   * @throws {NoProcError} `code` "noproc": the actor does not exist.
   * @throws {QuorumError} `code` "noquorum": fewer nodes than `quorum` are connected and have
   * granted the name; or this node has just started, and a member that is not connected may have
   * granted the name to another actor.
   * @throws {ArgumentError} `code` "badarg": this node has 262,144 names already, or `quorum` is
   * invalid.
   */
  register(name: string, pid: Pid<never>, options: GlobalOptions = {}): Promise<boolean> {
    checkPid(pid);
    return this.#register(name, pid, options, false);
  }

  /**
   * Registers an actor and replaces the current holder, if there is one. The replaced actor is not
   * notified and does not exit. Otherwise the same as {@linkcode register}. Resolves to false if
   * the holder's node is not connected.
   *
   * @example
   * ```ts
   * import { Node } from "@firn/firn";
   * import { assertEquals } from "@std/assert";
   *
   * await using node = await Node.start({ logLevel: "silent" });
   * const [old, young] = [node.spawn(() => () => {}), node.spawn(() => () => {})];
   * await node.global.register("cart", old);
   * assertEquals(await node.global.register("cart", young), false);
   * assertEquals(await node.global.reregister("cart", young), true);
   * assertEquals(node.global.whereis("cart")?.equals(young), true);
   * ```
   */
  reregister(name: string, pid: Pid<never>, options: GlobalOptions = {}): Promise<boolean> {
    checkPid(pid);
    return this.#register(name, pid, options, true);
  }

  /**
   * Returns the actor that is registered under a name, on any node. The caller specifies the type
   * of the pid: `whereis<ServicePid<Counter>>("counter")`, or uses `counter.at(node.global,
   * "counter")`.
   */
  whereis<P extends Pid<never> = Pid>(name: string): P | undefined {
    return this.#registry.find(name)?.pid as Pid<never> | undefined as P | undefined;
  }

  /**
   * Resolves with the actor that is registered under a name: at once if there is one, otherwise
   * when an actor is registered.
   *
   * @throws {NameTimeoutError} `code` "timeout": no actor was registered within `timeout`.
   * @throws {ArgumentError} `code` "badarg": the timeout is above 24 days, and not `Infinity`.
   *
   * @example
   * ```ts
   * import { Node } from "@firn/firn";
   * import { assertEquals } from "@std/assert";
   *
   * await using node = await Node.start({ logLevel: "silent" });
   * const found = node.global.waitFor("cart", { timeout: 1000 });
   * const pid = node.spawn(() => () => {});
   * await node.global.register("cart", pid);
   * assertEquals((await found).equals(pid), true);
   * ```
   */
  waitFor<P extends Pid<never> = Pid>(name: string, options: WaitOptions = {}): Promise<P> {
    return this.#system.tracked(() => this.#waitFor(name, options));
  }

  #waitFor<P extends Pid<never>>(name: string, options: WaitOptions): Promise<P> {
    this.#checkRuns();
    if (!isName(name)) throw badName(name);
    const { timeout = WAIT_MS, signal } = options;
    const found = this.whereis<P>(name);
    if (found !== undefined) return Promise.resolve(found);
    if (signal?.aborted) throw signal.reason;
    let ended!: () => void;
    const waiting = new Promise<P>((resolve, reject) => {
      const abort = (): void => {
        ended();
        reject(signal?.reason);
      };
      const stop = this.#registry.wait(name, (pid) => {
        ended();
        resolve(pid as Pid<never> as P);
      });
      ended = () => {
        stop();
        signal?.removeEventListener("abort", abort);
      };
      signal?.addEventListener("abort", abort, { once: true });
    });
    if (timeout === Infinity) return waiting;
    const late = (): Error => {
      ended();
      return new NameTimeoutError(name, timeoutMs(timeout));
    };
    return this.#system.within(waiting, timeout, late);
  }

  /** Frees a name that was registered on this node. Returns whether it was registered. */
  unregister(name: string): boolean {
    return isName(name) && this.#registry.unregister(name);
  }

  /** Returns all global names, in the order in which they became known to this node. */
  names(): string[] {
    return this.#registry.names().filter((name) => !name.startsWith(RESERVED));
  }

  /**
   * Sends an actor a `NameChange` now and whenever the name is registered, moved or freed. Returns
   * a function that stops these messages. They also stop when the actor exits.
   *
   * @throws {NoProcError} `code` "noproc": the actor is not on this node.
   */
  monitor(name: string, pid: Pid<NameChange>): () => void {
    return this.#registry.monitor(name, pid);
  }

  /**
   * Runs exactly one child in the cluster, under a global name. The child runs on one of the nodes
   * that call this method. If that node is lost or stops, the child is started on another. Resolves
   * when the child is found from this node, or when a connected node has reported twice that the
   * child runs on a node that is unreachable from this one.
   *
   * While nodes are disconnected, each side runs one child; when they connect again, the later one
   * is stopped gracefully. With `quorum` or `lease`, only one side runs the child; each incarnation
   * has a higher fencing token. The guide "Network partitions" compares these policies.
   *
   * @throws {NameError} `code` "badname": the name is empty, longer than 254 bytes, or begins with
   * NUL; "taken": this node already takes part.
   * @throws {SingletonError} `code` "timeout": the child was not found within `timeout`. This node
   * then does not take part.
   * @throws {ArgumentError} `code` "badarg": an option is invalid.
   *
   * @example
   * ```ts
   * import { type Call, Node, type Pid, type Self } from "@firn/firn";
   * import { assertEquals } from "@std/assert";
   *
   * const cookie = crypto.getRandomValues(new Uint8Array(32)).toHex();
   * await using a = await Node.start({ name: "a@127.0.0.1:0", cookie, logLevel: "silent" });
   * await using b = await Node.start({ name: "b@127.0.0.1:0", cookie, logLevel: "silent" });
   * await b.connect(a.name);
   *
   * const clock = (_self: Self<Call<"where", string>>, node: Node) => (call: Call<"where", string>) =>
   *   call.reply(node.name);
   * for (const node of [a, b]) {
   *   await node.global.singleton("clock", {
   *     id: "clock",
   *     start: (self) => self.spawnLink(clock, node),
   *   });
   * }
   * const find = () => b.global.whereis<Pid<Call<"where", string>>>("clock");
   * assertEquals(await b.call(find()!, "where"), a.name);
   * await a.stop();
   * const next = await b.global.waitFor<Pid<Call<"where", string>>>("clock");
   * assertEquals(await b.call(next, "where"), b.name);
   * ```
   */
  singleton(
    name: string,
    child: SingletonChild,
    options: SingletonOptions = {},
  ): Promise<Singleton> {
    return this.#system.tracked(() => {
      this.#checkRuns();
      const lock = RESERVED + name;
      if (!isName(name) || !isKey(lock)) throw badName(name);
      if (this.#singletons.has(name)) {
        const words = `this node takes part in the singleton ${JSON.stringify(name)} already`;
        throw new NameError("taken", words);
      }
      const names = this.#namesOf(name, lock);
      const { singleton, settled } = startSingleton(this.#system, name, child, options, names);
      this.#singletons.set(name, singleton);
      this.#system.whenEnded(singleton.pid).then(() => this.#singletons.delete(name));
      return settled.then(() => singleton);
    });
  }

  #checkRuns(): void {
    const { isStopped, home } = this.#system;
    if (isStopped) throw new NodeStoppedError(home.node, "it cannot register global names");
  }

  #register(
    name: string,
    pid: Pid<never>,
    options: GlobalOptions,
    replace: boolean,
  ): Promise<boolean> {
    let answer: Promise<boolean>;
    try {
      answer = this.#answer(name, pid, options, replace);
    } catch (error) {
      return this.#system.rejected(error, this.#system.running);
    }
    // While a registration waits for peers, its promise is the result of `asking`, which the actor
    // system already tracks.
    return answer === this.#registry.asking(name) ? answer : this.#system.tracked(() => answer);
  }

  #answer(
    name: string,
    pid: Pid<never>,
    options: GlobalOptions,
    replace: boolean,
  ): Promise<boolean> {
    this.#checkRuns();
    if (!isName(name)) throw badName(name);
    const { onConflict = "exit", resolve, quorum } = options;
    checkQuorum(quorum);
    return this.#registry.register(name, pid, onConflict, { resolve, quorum, replace });
  }

  #namesOf(name: string, lock: string): SingletonNames {
    const registry = this.#registry;
    return {
      name,
      holder: () => registry.find(lock)?.pid,
      lock: (pid, terms) =>
        registry.register(lock, pid, "keep", { ...terms, yieldsAfterPause: true }),
      unlock: () => void registry.unregister(lock),
      token: () => registry.ours(lock)?.token,
      monitor: (pid) => [lock, name].forEach((key) => this.monitor(key, pid as Pid<NameChange>)),
      // The child's name has the stamp of the lock. A node that wins the lock in a conflict
      // therefore also wins the name.
      register: (pid) => {
        const { stamp, token } = registry.ours(lock) ?? {};
        return registry.register(name, pid, "keep", { stamp, token, yieldsAfterPause: true });
      },
      whereis: () => this.whereis(name),
      join: (pid) => void this.#groups?.join(lock, lock, pid),
      others: () => this.#groups?.members(lock, lock).filter(({ home }) => !home.local) ?? [],
    };
  }

  /**
   * Internal: stops taking part in all singletons. Resolves when none of them runs on this node any
   * more.
   */
  leave(): Promise<unknown> {
    return Promise.all([...this.#singletons.values()].map((singleton) => singleton.stop()));
  }
}

function isName(name: string): boolean {
  return isKey(name) && !name.startsWith(RESERVED);
}

function badName(name: string): NameError {
  const words = `a global name has 1 to ${KEY_BYTES_MAX} bytes, and does not begin with NUL`;
  return new NameError("badname", `${words}: ${JSON.stringify(name)}`);
}
