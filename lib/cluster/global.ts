/**
 * Global names, as a program has them: each is registered on one node, and found on all of them in memory.
 * `registry.ts` says how.
 *
 * @module
 */
import { NameError } from "../actor/errors.ts";
import type { System } from "../actor/system.ts";
import type { LocalChildSpec } from "../otp/child.ts";
import type { Pid } from "../term/pid.ts";
import type { NameChange } from "./changes.ts";
import type { OnConflict } from "./conflict.ts";
import { type Registry, RESERVED } from "./registry.ts";
import { isKey, KEY_BYTES_MAX } from "./rows.ts";
import { type Singleton, type SingletonOptions, startSingleton } from "./singleton.ts";

/** How to register. */
export interface GlobalOptions {
  /** Default "exit". */
  readonly onConflict?: OnConflict | undefined;
}

/** The global names. */
export class Global {
  readonly #system: System;
  readonly #registry: Registry;
  readonly #singletons = new Map<string, Singleton>();

  /** For the runtime: programs get theirs from their node. */
  constructor(system: System, registry: Registry) {
    this.#system = system;
    this.#registry = registry;
  }

  /**
   * Registers an actor under a name on all nodes. Resolves when all connected nodes have answered: to
   * true, and every one of them finds it; or to false, since another holds the name. Until then nodes
   * may find it already. It ends with its actor. One that has the name already keeps it.
   *
   * @throws {NameError} `code` "badname": it is empty, longer than 255 bytes, or begins with NUL.
   * @throws {NoProcError} `code` "noproc": the actor is not there.
   * @throws {ArgumentError} `code` "badarg": this node has as many names as it may, 262,144.
   */
  register(name: string, pid: Pid<never>, options: GlobalOptions = {}): Promise<boolean> {
    if (isName(name)) return this.#registry.register(name, pid, options.onConflict ?? "exit");
    return Promise.reject(badName(name));
  }

  /** Who is registered under a name, on whatever node. What it takes as messages, is for the caller to know. */
  whereis<M = never>(name: string): Pid<M> | undefined {
    return this.#registry.find(name)?.pid as Pid<M> | undefined;
  }

  /** Frees a name that was registered on this node. Whether it was. */
  unregister(name: string): boolean {
    return isName(name) && this.#registry.unregister(name);
  }

  /** All names of all nodes, in the order in which they became known here. */
  names(): string[] {
    return this.#registry.names().filter((name) => !name.startsWith(RESERVED));
  }

  /**
   * Sends an actor a `NameChange` now and whenever the name appears, moves or goes. Gives what stops
   * that; it also ends with the actor.
   *
   * @throws {NoProcError} `code` "noproc": the actor is not on this node.
   */
  monitor(name: string, pid: Pid<NameChange>): () => void {
    return this.#registry.monitor(name, pid);
  }

  /**
   * Has exactly one child run in the cluster, under a global name: on one of the nodes that ask for it,
   * and on another of them when that one is lost or stops. Resolves when it is to be found here.
   *
   * While nodes are apart each side runs one. When they meet again, the later one is stopped, in order.
   *
   * @throws {NameError} `code` "badname": it is empty, longer than 254 bytes, or begins with NUL;
   * "taken": this node takes part already.
   *
   * @example
   * ```ts
   * import { type Call, Node, type Self } from "@firn/firn";
   * import { assertEquals } from "@std/assert";
   *
   * const cookie = "the same on every node";
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
   * const find = () => b.global.whereis<Call<"where", string>>("clock");
   * assertEquals(await b.call(find()!, "where"), a.name);
   * await a.stop();
   * while (find() === undefined) await new Promise((wake) => setTimeout(wake, 5));
   * assertEquals(await b.call(find()!, "where"), b.name);
   * ```
   */
  singleton(
    name: string,
    child: LocalChildSpec,
    options: SingletonOptions = {},
  ): Promise<Singleton> {
    const lock = RESERVED + name;
    if (!isName(name) || !isKey(lock)) return Promise.reject(badName(name));
    if (this.#singletons.has(name)) {
      const words = `this node takes part in the singleton ${JSON.stringify(name)} already`;
      return Promise.reject(new NameError("taken", words));
    }
    const singleton = startSingleton(this.#system, name, child, options, {
      holder: () => this.#registry.find(lock)?.pid,
      lock: (pid) => this.#registry.register(lock, pid, "keep"),
      unlock: () => void this.#registry.unregister(lock),
      monitor: (pid) => [lock, name].forEach((key) => this.monitor(key, pid)),
      // As old as the lock: who wins the one in a conflict wins the other.
      register: (pid) =>
        this.#registry.register(name, pid, "keep", { stamp: this.#registry.ours(lock)?.stamp }),
      whereis: () => this.whereis(name),
    });
    this.#singletons.set(name, singleton);
    this.#system.whenEnded(singleton.pid).then(() => this.#singletons.delete(name));
    return singleton.settled.then(() => singleton);
  }

  /** For the runtime: this node takes no part in any singleton any more. Resolves when all have moved. */
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
