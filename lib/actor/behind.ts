/**
 * The system behind an object that starts and calls: an actor, a node, the global names of a node.
 *
 * @module
 */
import { actorOf, never } from "./actor.ts";
import type { System } from "./system.ts";

const SYSTEM = Symbol("system");

/** Records the system of an object. */
export function setSystem(object: object, system: System): void {
  Object.defineProperty(object, SYSTEM, { value: system });
}

/** Returns the system of an object; undefined if it is neither an actor nor one that `setSystem` has had. */
export function systemBehind(object: object): System | undefined {
  const actor = actorOf(object);
  if (actor !== undefined) return actor.pid.home.system as System;
  return (object as { readonly [SYSTEM]?: System })[SYSTEM];
}

/**
 * Runs what an actor or a node asks for. What it returns is tracked: a failure that nothing awaits ends the
 * actor, and no loop around it keeps I/O from its turn. Never settles for a dead actor.
 */
export function trackedFor<T>(from: object, work: () => Promise<T>): Promise<T> {
  const actor = actorOf(from);
  if (actor?.isAlive === false) return never();
  const system = systemBehind(from);
  return system === undefined ? work() : system.tracked(work, actor);
}
