/** All promises that the simulator checks. */
import type { MakePromise } from "../chaos.ts";
import { channels } from "./channels.ts";
import { claims } from "./claims.ts";
import { singletons } from "./singletons.ts";
import { catchAll } from "./careless.ts";
import { children } from "./children.ts";
import { homes } from "./homes.ts";
import { leaks } from "./leaks.ts";
import { membership } from "./membership.ts";
import { messages } from "./messages.ts";
import { names } from "./names.ts";
import { observation } from "./observation.ts";
import { rooms } from "./rooms.ts";
import { shutdown } from "./shutdown.ts";
import { signals } from "./signals.ts";

/** The promises by name. */
export const PROMISES: Readonly<Record<string, MakePromise>> = {
  messages,
  signals,
  names,
  claims,
  singletons,
  homes,
  channels,
  rooms,
  children,
  membership,
  observation,
  leaks,
  // These promises are last, because they stop the nodes.
  careless: catchAll,
  shutdown,
};

/** A promise that checks all state runs alone, in every fifth seed. */
const ALONE = 5;

/** The promises that stop the nodes at the end. Each seed has at most one of them. */
const STOPPING: readonly string[] = ["careless", "shutdown"];

/** Returns which of the requested promises are checked with a seed. */
export function promisesOf(seed: number, wanted: readonly string[]): MakePromise[] {
  const alone = wanted.includes("leaks") && (seed % ALONE === 0 || wanted.length === 1);
  if (alone) return [PROMISES["leaks"]!];
  const stopping = STOPPING.filter((name) => wanted.includes(name));
  const last = stopping[seed % stopping.length];
  const names = wanted.filter((name) =>
    name !== "leaks" && (!STOPPING.includes(name) || name === last)
  );
  return names.map((name) => PROMISES[name]!);
}
