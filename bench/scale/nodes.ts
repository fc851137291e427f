/**
 * Starts a node in this process, and nodes in separate processes, for the events of
 * `event_list.ts`.
 *
 * @module
 */
import process from "node:process";
import { fileURLToPath } from "node:url";
import { deriveKeys } from "../../lib/mesh/identity.ts";
import { type Parts, startNode } from "../../lib/start.ts";
import { startServer } from "../peers/processes.ts";

/** The cookie of all nodes. */
export const COOKIE = "the benches' own";

/** Time limit in milliseconds for the start of a node in another process, including its action. */
const START_MS = 120_000;

/** A node in another process. */
export interface FarNode {
  readonly name: string;
  /** The id of the first actor of the node. */
  readonly first: number;
  /** Kills the process, as a crash of its machine would. */
  kill(): void;
}

/** Starts a node in this process. */
export async function startNear(): Promise<Parts> {
  const keys = await deriveKeys(COOKIE);
  return await startNode(
    {
      name: "near@127.0.0.1:0",
      cookie: COOKIE,
      logLevel: "silent",
      warnings: { eventLoopDelay: Infinity },
    },
    undefined,
    () => Promise.resolve(keys),
  );
}

/**
 * Starts a node in another process. Resolves when it has performed the action `what` `count` times.
 */
export async function startFar(near: string, what: string, count: number): Promise<FarNode> {
  const file = fileURLToPath(new URL("far.ts", import.meta.url));
  const flags = "Deno" in globalThis ? ["run", "-A"] : [];
  const command = [process.execPath, ...flags, file, near, what, `${count}`];
  let kill = (): void => {};
  const line = await startServer(command, (child) => {
    kill = () => void child.kill("SIGKILL");
  }, START_MS);
  const { name, first } = JSON.parse(line) as { name: string; first: number };
  return { name, first, kill };
}

/** Waits until a condition holds. */
export async function until(is: () => boolean): Promise<void> {
  while (!is()) await new Promise((wake) => setTimeout(wake, 2));
}
