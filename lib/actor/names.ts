/**
 * Registered names of actors on this node. An actor may have several names; each name belongs to
 * one actor.
 *
 * @module
 */
import type { Home, Pid } from "../term/pid.ts";
import { type ActorRef, actorRefOf } from "./actor_ref.ts";
import { NameError, NoProcError } from "./errors.ts";

/** Maximum number of names of an exited actor that are freed at once. More are freed in steps. */
const FREED_COUNT = 512;

/** Number of names that are freed in one step. */
const STEP_COUNT = 64;

/** The registered names of one system's actors. */
export class Names {
  readonly #home: Home;
  readonly #pids = new Map<string, Pid<never>>();
  /** Names of the runtime's own actors. `registered` does not list them. */
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
   * Registers a name for one of the runtime's own actors. `registered` does not list the name, and
   * it cannot be freed.
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
   * Frees the names of an actor that has exited. The actor itself keeps them, for error messages.
   * If there are many names, returns an iterator that frees them in steps. Until then, lookups
   * ignore the names.
   */
  ended({ names, pid }: ActorRef): Generator<number, void> | undefined {
    if (typeof names === "string") this.#pids.delete(names);
    else if (names !== undefined && names.size <= FREED_COUNT) {
      for (const name of names) this.#pids.delete(name);
    } else if (names !== undefined) {
      this.#freeing++;
      return this.#free(names, pid as Pid);
    }
    return undefined;
  }

  *#free(names: ReadonlySet<string>, pid: Pid): Generator<number, void> {
    let count = 0;
    for (const name of names) {
      // Another actor may have registered the name in the meantime.
      if (this.#pids.get(name) === pid) this.#pids.delete(name);
      if (++count % STEP_COUNT === 0) yield STEP_COUNT;
    }
    this.#freeing--;
  }
}

/** Returns the names of an actor as a list. A single name is stored as a plain string. */
export function listOf(names: string | ReadonlySet<string> | undefined): readonly string[] {
  return typeof names === "string" ? [names] : [...names ?? []];
}
