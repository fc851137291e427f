/**
 * Names of actors on this node: one actor a name, any number of names an actor.
 *
 * @module
 */
import type { Home, Pid } from "../term/pid.ts";
import { type ActorRef, actorRefOf } from "./actor_ref.ts";
import { NameError, NoProcError } from "./errors.ts";

/** The names of one system. */
export class Names {
  readonly #home: Home;
  readonly #pids = new Map<string, Pid<never>>();

  /** `home` is that of the actors that may have a name here. */
  constructor(home: Home) {
    this.#home = home;
  }

  /** Throws `NameError` if another holds the name, `NoProcError` if the actor is not there. */
  register(name: string, pid: Pid<never>): void {
    if (name === "") throw new NameError("badname", "the name is empty");
    const actor = actorRefOf(pid);
    // Another system in this process would not know of the name when the actor ends.
    if (actor === undefined || pid.home !== this.#home) throw new NoProcError(pid);
    const holder = this.#pids.get(name);
    if (holder !== undefined) {
      if (holder === pid) return;
      const message = `the name ${JSON.stringify(name)} is held by ${holder}`;
      throw new NameError("taken", message, holder);
    }
    this.#pids.set(name, pid);
    const { names } = actor;
    actor.names = names === undefined ? name : [...listOf(names), name];
  }

  /** Who holds a name. */
  whereis(name: string): Pid<never> | undefined {
    return this.#pids.get(name);
  }

  /** Whether somebody held it. */
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

  /** All names, in the order of their registration. */
  registered(): string[] {
    return [...this.#pids.keys()];
  }

  /** Frees the names of an actor that has ended. It keeps them for errors that name it. */
  ended(actor: ActorRef): void {
    for (const name of listOf(actor.names)) this.#pids.delete(name);
  }
}

/** The names of an actor, which keeps one alone as it is. */
export function listOf(names: string | readonly string[] | undefined): readonly string[] {
  return typeof names === "string" ? [names] : names ?? [];
}
