/**
 * The process that has started this one as one of its nodes (`nodes.ts`). It decides when the nodes
 * end: it handles Ctrl-C, which a terminal sends to all of them. When it exits, even by `kill -9`, the
 * pipe to this process's input ends, and this process stops gracefully.
 *
 * @module
 */
import process from "node:process";

/** Environment variable of a process that has such a parent. */
export const PARENT_VARIABLE = "MESHER_PARENT";

/** Whether this process has such a parent. */
export function hasParent(): boolean {
  return process.env[PARENT_VARIABLE] !== undefined;
}

/** Calls `gone` when the parent has exited. */
export function onParentGone(gone: () => void): void {
  process.stdin.on("end", gone).on("error", gone).resume();
}
