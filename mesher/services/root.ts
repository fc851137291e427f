/**
 * Keeps the supervision tree of a node running. The top supervisor has no supervisor, so this file
 * restarts it after a pause. Accepted events wait in the queues meanwhile.
 *
 * @module
 */
import type { Pid, Supervisor } from "@firn/firn";
import { pause } from "../cluster/pause.ts";
import type { Parts } from "../parts.ts";

/** The pause before the tree is restarted, in milliseconds. */
const PAUSE_MS = 1_000;

/** Stops the tree permanently. */
export type StopTree = () => Promise<void>;

/** Starts the tree of a node, and restarts it whenever it exits before it is stopped. */
export async function keepTree(
  parts: Pick<Parts, "node" | "place" | "log">,
  startTree: () => Promise<Supervisor>,
): Promise<StopTree> {
  const { node, place, log } = parts;
  let isStopping = false;
  let restarted: Promise<void> = Promise.resolve();
  const start = async (): Promise<void> => {
    const tree = await startTree();
    place.tree = tree;
    // The listener of exits ignores a tree that exits before `place.tree` is set.
    if (!node.isAlive(tree.pid)) lost();
  };
  const lost = (): void => {
    place.tree = null;
    if (isStopping) return;
    log("error", "all services have ended, and are restarted");
    restarted = again();
  };
  const again = async (): Promise<void> => {
    while (!isStopping) {
      await pause(node, PAUSE_MS);
      try {
        if (!isStopping) await start();
        return;
      } catch (error) {
        log("error", `the services could not be restarted: ${String(error)}`);
      }
    }
  };
  const forget = node.on("exit", ({ pid }) => {
    if (isTop(place.tree, pid)) lost();
  });
  await start();
  return async () => {
    isStopping = true;
    // A tree that is being started is stopped as well.
    await restarted;
    forget();
    await place.tree?.stop();
  };
}

function isTop(tree: Supervisor | null, pid: Pid<never>): boolean {
  return tree !== null && tree.pid.equals(pid);
}
