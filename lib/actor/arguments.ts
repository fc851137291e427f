/**
 * What callers without types may give in place of an actor: told in words, not by the line that fell over it.
 *
 * @module
 */
import { Pid } from "../term/pid.ts";
import { describe } from "./describe.ts";
import { ArgumentError } from "./errors.ts";

/** Throws `ArgumentError` for what is no pid. */
export function checkPid(pid: unknown): void {
  if (!(pid instanceof Pid)) throw new ArgumentError(`${describe(pid)} is no pid`);
}

/** Throws `ArgumentError` for what is no `{ name, node }`. */
export function checkActorName(to: unknown): void {
  if (hasTexts(to, "name", "node")) return;
  throw new ArgumentError(`${describe(to)} is no actor: give a pid, a name, or { name, node }`);
}

/** Throws `ArgumentError` for what is no `{ node, fn }`. */
export function checkRemoteSpawn(there: unknown): void {
  if (hasTexts(there, "node", "fn")) return;
  throw new ArgumentError(`cannot spawn ${describe(there)}: give a function, or { node, fn }`);
}

function hasTexts(value: unknown, ...names: readonly string[]): boolean {
  if (typeof value !== "object" || value === null) return false;
  return names.every((name) => typeof (value as Record<string, unknown>)[name] === "string");
}
