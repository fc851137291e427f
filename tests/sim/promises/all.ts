/**
 * All promises that are simulated.
 */
import type { MakePromise } from "../chaos.ts";
import { claims } from "./claims.ts";
import { singletons } from "./singletons.ts";
import { catchAll } from "./careless.ts";
import { children } from "./children.ts";
import { leaks } from "./leaks.ts";
import { membership } from "./membership.ts";
import { messages } from "./messages.ts";
import { names } from "./names.ts";
import { rooms } from "./rooms.ts";
import { shutdown } from "./shutdown.ts";
import { signals } from "./signals.ts";

/** By name. */
export const PROMISES: Readonly<Record<string, MakePromise>> = {
  messages,
  signals,
  names,
  claims,
  singletons,
  rooms,
  children,
  careless: catchAll,
  membership,
  leaks,
  // The last: it stops the nodes.
  shutdown,
};

/** One that looks at everything has a seed of five to itself. */
const ALONE = 5;

/** What is looked at with a seed, of those that are wanted. */
export function promisesOf(seed: number, wanted: readonly string[]): MakePromise[] {
  const alone = wanted.includes("leaks") && (seed % ALONE === 0 || wanted.length === 1);
  const names = alone ? ["leaks"] : wanted.filter((name) => name !== "leaks");
  return names.map((name) => PROMISES[name]!);
}
