/**
 * Checks arguments that untyped callers pass, so that the error describes the wrong argument.
 *
 * @module
 */
import { Pid } from "../term/pid.ts";
import { describe } from "./describe.ts";
import { ArgumentError } from "./errors.ts";
import type { ActorName, RemoteSpawn } from "./remote.ts";

/** Throws `ArgumentError` if the argument is not a pid. */
export function checkPid(pid: unknown): void {
  if (!(pid instanceof Pid)) throw new ArgumentError(`${describe(pid)} is not a pid`);
}

/**
 * Throws `ArgumentError` unless the pid belongs to this node: other nodes cannot determine whether
 * the actor is alive.
 */
export function checkLocal(pid: Pid<never>): void {
  checkPid(pid);
  if (!pid.home.local) {
    throw new ArgumentError(`${pid} is an actor of another node: use monitor instead`);
  }
}

/** Throws `ArgumentError` unless the argument has the form `{ name, node }`. */
export function checkActorName(to: unknown): void {
  const there = to as Partial<ActorName> | null | undefined;
  if (typeof there?.name === "string" && typeof there.node === "string") return;
  throw new ArgumentError(`${describe(to)} is not an actor: pass a pid, a name, or { name, node }`);
}

/** Throws `ArgumentError` unless the argument has the form `{ node, fn }`. */
export function checkRemoteSpawn(what: unknown): void {
  const there = what as Partial<RemoteSpawn> | null | undefined;
  if (typeof there?.node === "string" && typeof there.fn === "string") return;
  throw new ArgumentError(`cannot spawn ${describe(what)}: pass a function, or { node, fn }`);
}
