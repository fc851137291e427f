/**
 * The graph of pending calls, and its cycles: each actor in a cycle waits for the reply of the next, and
 * handles no message until then.
 *
 *     A ──call──▶ B ──call──▶ C          edges: calls of an actor that awaits
 *     ▲                       │          a cycle is followed from a call that waits for long,
 *     └─────────call──────────┘          also over other nodes, one question per step
 *
 * @module
 */
import type { Pid } from "../term/pid.ts";
import type { ActorInfo } from "./actor_info.ts";

/** Maximum number of actors in a cycle that is found. */
export const CYCLE_MAX = 16;

/** Maximum number of actors that are looked at to find one. */
const LOOKED_AT_MAX = 64;

/** An actor of a cycle. */
export interface Waiter {
  readonly pid: Pid;
  /** Its pid and names, as text. */
  readonly label: string;
  /** What it has requested of the next one. */
  readonly request: string;
}

/**
 * Returns the cycle that an actor is part of; undefined if it is in none. `infoOf` resolves with undefined
 * for an actor that cannot be observed.
 */
export async function findCycle(
  start: ActorInfo,
  infoOf: (pid: Pid, name: string | undefined) => Promise<ActorInfo | undefined>,
): Promise<readonly Waiter[] | undefined> {
  let left = LOOKED_AT_MAX;
  const seen = new Set<string>();

  const search = async (info: ActorInfo, path: Waiter[]): Promise<Waiter[] | undefined> => {
    if (info.status !== "awaiting" || path.length === CYCLE_MAX) return undefined;
    for (const { to, toName, request } of info.calls) {
      const step = { pid: info.pid, label: labelOf(info), request };
      if (toName === undefined && to.equals(start.pid)) return [...path, step];
      const key = `${to} ${toName}`;
      if (seen.has(key) || left-- === 0) continue;
      seen.add(key);
      const next = await infoOf(to, toName);
      if (next === undefined) continue;
      // A call by name: its pid is known from the answer.
      if (next.pid.equals(start.pid)) return [...path, step];
      const found = await search(next, [...path, step]);
      if (found !== undefined) return found;
    }
    return undefined;
  };

  return await search(start, []);
}

/** Returns a cycle in words. */
export function cycleText(cycle: readonly Waiter[]): string {
  const steps = cycle.map(({ label, request }) => `${label} waits for ${request} of`);
  return `deadlock: ${steps.join(" ")} ${cycle[0]!.label}`;
}

function labelOf({ pid, names }: ActorInfo): string {
  return [pid, ...names].join(" ");
}
