/**
 * The process that has started this one as one of its nodes (`nodes.ts`). It decides when they end:
 * Ctrl-C, which a terminal sends to all of them, is for it to hear. When it is gone, by `kill -9` too,
 * the pipe that is this one's input ends, and this one stops in order.
 *
 * @module
 */
import process from "node:process";

/** In the environment of a process that has a parent of this kind. */
export const PARENT_VARIABLE = "MESHER_PARENT";

/** Whether this process has one. */
export function hasParent(): boolean {
  return process.env[PARENT_VARIABLE] !== undefined;
}

/** Calls `gone` when the parent is. */
export function onParentGone(gone: () => void): void {
  process.stdin.on("end", gone).on("error", gone).resume();
}
