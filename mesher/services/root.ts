/**
 * Keeps the supervision tree of a node running. The top supervisor has no supervisor, so this file
 * restarts it after a pause. Accepted events wait in the queues meanwhile.
 *
 * @module
 */
import type { Pid, Supervisor } from "@firn/firn";
import { pause } from "../cluster/pause.ts";
import type { Parts } from "../parts.ts";
import { startTree } from "./tree.ts";

/** The pause before the tree is restarted, in milliseconds. */
const PAUSE_MS = 1_000;

/** Stops the tree permanently. */
export type StopTree = () => Promise<void>;

/** Starts the tree of a node, and restarts it whenever it exits before it is stopped. */
export async function keepTree(parts: Parts): Promise<StopTree> {
  const { node, place, log } = parts;
  let isStopping = false;
  const start = async (): Promise<void> => {
    place.tree = await startTree(parts);
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
  await start();
  const forget = node.on("exit", ({ pid }) => {
    if (isStopping || !isTop(place.tree, pid)) return;
    place.tree = null;
    log("error", "all services have ended, and are restarted");
    again();
  });
  return async () => {
    isStopping = true;
    forget();
    await place.tree?.stop();
  };
}

function isTop(tree: Supervisor | null, pid: Pid<never>): boolean {
  return tree !== null && tree.pid.equals(pid);
}
