/**
 * Registered names of actors on this node. An actor may have several names; each name belongs to
 * one actor.
 *
 * @module
 */
import type { Home, Pid } from "../term/pid.ts";
import { type ActorRef, actorRefOf, attach, type Chained } from "./actor_ref.ts";
import { NameError, NoProcError } from "./errors.ts";

/** Number of names of an exited actor that are freed before pending I/O and timers are handled. */
const FREED_COUNT = 1024;

/** The registered names of one system's actors. */
export class Names {
  readonly #home: Home;
  readonly #pids = new Map<string, Pid<never>>();
  /** Names of the runtime's own actors, which are not listed. */
  readonly #reserved = new Map<string, Pid<never>>();
  /** Number of exited actors that still have names in `#pids`. Lookups ignore these names. */
  #freeing = 0;

  /** `home` is the node whose actors may be registered. */
  constructor(home: Home) {
    this.#home = home;
  }

  /**
   * Throws `NameError` if another actor has the name, `NoProcError` if the actor does not exist.
   */
  register(name: string, pid: Pid<never>): void {
    if (name === "") throw new NameError("badname", "the name is empty");
    const actor = actorRefOf(pid);
    // Rejects an actor of another system in this process, because that system would not free the
    // name when the actor exits.
    if (actor === undefined || pid.home !== this.#home) throw new NoProcError(pid);
    const holder = this.whereis(name);
    if (holder !== undefined) {
      if (holder === pid) return;
      const message = `the name ${JSON.stringify(name)} is held by ${holder}`;
      throw new NameError("taken", message, holder);
    }
    this.#pids.set(name, pid);
    const { names } = actor;
    if (names === undefined) actor.names = name;
    else if (typeof names === "string") actor.names = new Set([names, name]);
    else names.add(name);
  }

  /** Returns the actor that has a name. */
  whereis(name: string): Pid<never> | undefined {
    const pid = this.#pids.get(name) ?? this.#reserved.get(name);
    if (this.#freeing === 0) return pid;
    return pid?.target === undefined ? undefined : pid;
  }

  /**
   * Registers a name for one of the runtime's own actors. The name is not listed and cannot be
   * freed.
   */
  reserve(name: string, pid: Pid<never>): void {
    this.#reserved.set(name, pid);
  }

  /** Number of registered names. */
  get size(): number {
    return this.#pids.size;
  }

  /** Frees a name. Returns whether it was registered. */
  unregister(name: string): boolean {
    const pid = this.#pids.get(name);
    if (pid === undefined) return false;
    this.#pids.delete(name);
    const actor = actorRefOf(pid);
    const names = actor?.names;
    if (names === name) actor!.names = undefined;
    else if (typeof names === "object") names.delete(name);
    return true;
  }

  /** Returns all names, in the order of registration. */
  registered(): string[] {
    const names = [...this.#pids.keys()];
    return this.#freeing === 0 ? names : names.filter((name) => this.whereis(name) !== undefined);
  }

  /**
   * Frees the names of an actor that has exited. The actor object keeps its names, for error
   * messages.
   */
  ended(actor: ActorRef): void {
    const { names, pid } = actor;
    if (typeof names === "string") this.#pids.delete(names);
    else if (names !== undefined && names.size <= FREED_COUNT) {
      for (const name of names) this.#pids.delete(name);
    } else if (names !== undefined) {
      this.#freeing++;
      const left = names.values();
      attach(new Freeing(() => this.#freeMore(left, pid as Pid)), actor);
    }
  }

  /** Frees more names of an exited actor. Returns whether some are left. */
  #freeMore(names: Iterator<string>, pid: Pid): boolean {
    for (let i = 0; i < FREED_COUNT; i++) {
      const { done, value } = names.next();
      if (done) {
        this.#freeing--;
        return false;
      }
      // Another actor may have registered the name in the meantime.
      if (this.#pids.get(value) === pid) this.#pids.delete(value);
    }
    return true;
  }
}

/** Frees the names of an exited actor in portions. */
class Freeing implements Chained {
  following: Chained | undefined = undefined;
  preceding: Chained | undefined = undefined;
  readonly drop: () => boolean;

  constructor(drop: () => boolean) {
    this.drop = drop;
  }
}

/** Returns the names of an actor as a list. A single name is stored as a plain string. */
export function listOf(names: string | ReadonlySet<string> | undefined): readonly string[] {
  return typeof names === "string" ? [names] : [...names ?? []];
}
