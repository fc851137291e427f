/**
 * Registered names of actors on this node. An actor may have several names; each name belongs to
 * one actor.
 *
 * @module
 */
import type { Home, Pid } from "../term/pid.ts";
import { type ActorRef, actorRefOf } from "./actor_ref.ts";
import { NameError, NoProcError } from "./errors.ts";

/** Registers the names of one system's actors. */
export class Names {
  readonly #home: Home;
  readonly #pids = new Map<string, Pid<never>>();
  /** Names of actors of the runtime, which are not listed. */
  readonly #reserved = new Map<string, Pid<never>>();

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
    // An actor of another system in this process is rejected: that system would not free the name
    // when the actor exits.
    if (actor === undefined || pid.home !== this.#home) throw new NoProcError(pid);
    const holder = this.whereis(name);
    if (holder !== undefined) {
      if (holder === pid) return;
      const message = `the name ${JSON.stringify(name)} is held by ${holder}`;
      throw new NameError("taken", message, holder);
    }
    this.#pids.set(name, pid);
    const { names } = actor;
    actor.names = names === undefined ? name : [...listOf(names), name];
  }

  /** Returns the actor that has a name. */
  whereis(name: string): Pid<never> | undefined {
    return this.#pids.get(name) ?? this.#reserved.get(name);
  }

  /** Registers a name for an actor of the runtime. It is not listed and cannot be freed. */
  reserve(name: string, pid: Pid<never>): void {
    this.#reserved.set(name, pid);
  }

  /** Number of names. */
  get size(): number {
    return this.#pids.size;
  }

  /** Frees a name. Returns whether it was registered. */
  unregister(name: string): boolean {
    const pid = this.#pids.get(name);
    if (pid === undefined) return false;
    this.#pids.delete(name);
    const actor = actorRefOf(pid);
    if (actor?.names === name) actor.names = undefined;
    else if (actor?.names !== undefined) {
      actor.names = listOf(actor.names).filter((other) => other !== name);
    }
    return true;
  }

  /** Returns all names, in the order of registration. */
  registered(): string[] {
    return [...this.#pids.keys()];
  }

  /** Frees the names of an actor that has exited. The actor keeps them for error messages. */
  ended(actor: ActorRef): void {
    for (const name of listOf(actor.names)) this.#pids.delete(name);
  }
}

/** Returns the names of an actor as a list; a single name is stored without one. */
export function listOf(names: string | readonly string[] | undefined): readonly string[] {
  return typeof names === "string" ? [names] : names ?? [];
}
