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

/** The message that a process sends its parent when its node is ready. */
export const READY = "ready";

/** Returns whether this process was started by a parent. */
export function hasParent(): boolean {
  return process.env[PARENT_VARIABLE] !== undefined;
}

/** Calls `gone` when the parent has exited. */
export function onParentGone(gone: () => void): void {
  process.stdin.on("end", gone).on("error", gone).resume();
}

/** Reports to the parent, if there is one, that the node is ready. */
export function reportReady(): void {
  // If the parent has exited, `onParentGone` handles it.
  if (process.connected) process.send?.(READY, () => process.disconnect?.());
}
