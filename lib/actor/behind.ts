/**
 * Finds the system of an object from which actors can be started and called: an actor, a node, or
 * the global names of a node.
 *
 * @module
 */
import { actorOf, never } from "./actor.ts";
import type { System } from "./system.ts";

const SYSTEM = Symbol("system");

/** Records which system an object belongs to. */
export function setSystem(object: object, system: System): void {
  Object.defineProperty(object, SYSTEM, { value: system });
}

/**
 * Returns the system of an actor, or of an object that was passed to `setSystem`; otherwise
 * undefined.
 */
export function systemBehind(object: object): System | undefined {
  const actor = actorOf(object);
  if (actor !== undefined) return actor.pid.home.system as System;
  return (object as { readonly [SYSTEM]?: System })[SYSTEM];
}

/**
 * Runs an operation that an actor or a node requested, and tracks the returned promise. If it
 * rejects and nothing awaits it, the actor exits. If I/O is due, it settles only after pending I/O,
 * so that a loop of retries cannot starve I/O. If the actor has already exited, the operation does
 * not run, and the promise never settles.
 */
export function trackedFor<T>(from: object, work: () => Promise<T>): Promise<T> {
  const actor = actorOf(from);
  if (actor?.isAlive === false) return never();
  const system = systemBehind(from);
  return system === undefined ? work() : system.tracked(work, actor);
}
