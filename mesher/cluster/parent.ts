/**
 * The connection of a node's process with its parent, which has started it (`nodes.ts`). The parent
 * decides when the node ends: it handles Ctrl-C, which a terminal sends to all of its processes.
 * When the parent exits, even by `kill -9`, the pipe to this process's standard input ends, and
 * this process stops gracefully.
 *
 * @module
 */
import process from "node:process";

/** The environment variable that a parent sets for its processes. */
export const PARENT_VARIABLE = "MESHER_PARENT";

/** Returns whether this process was started by a parent. */
export function hasParent(): boolean {
  return process.env[PARENT_VARIABLE] !== undefined;
}

/** Calls `gone` when the parent has exited. */
export function onParentGone(gone: () => void): void {
  process.stdin.on("end", gone).on("error", gone).resume();
}
