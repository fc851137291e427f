/**
 * The graph of pending calls, and its cycles: deadlocks, in which each actor waits for the reply of
 * the next one, and handles no messages until then.
 *
 *     A ──call──▶ B ──call──▶ C          edges: pending calls
 *     ▲                       │          the search starts at a call that is pending for long,
 *     └─────────call──────────┘          and includes other nodes, one request per step
 *
 * @module
 */
import type { Pid } from "../term/pid.ts";
import type { ActorInfo } from "./actor_info.ts";

/** Maximum length of a cycle that is found. */
export const CYCLE_MAX = 16;

/** Maximum number of actors that one search visits. */
const VISITED_MAX = 64;

/** One of the actors of a cycle. */
export interface Waiter {
  readonly pid: Pid;
  /** The actor's pid and names, as text. */
  readonly label: string;
  /** The type of the request that the actor has sent to the next one. */
  readonly request: string;
}

/**
 * Returns the cycle of pending calls that an actor is part of, or undefined if there is none.
 * `infoOf` describes an actor, and resolves with undefined if the actor cannot be observed.
 */
export async function findCycle(
  start: ActorInfo,
  infoOf: (pid: Pid, name: string | undefined) => Promise<ActorInfo | undefined>,
): Promise<readonly Waiter[] | undefined> {
  let left = VISITED_MAX;
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
      // After a call by name, the pid of the callee is known only from the information that was
      // returned.
      if (next.pid.equals(start.pid)) return [...path, step];
      const found = await search(next, [...path, step]);
      if (found !== undefined) return found;
    }
    return undefined;
  };

  return await search(start, []);
}

/** Returns a text that lists the actors of a cycle and their requests. */
export function cycleText(cycle: readonly Waiter[]): string {
  const steps = cycle.map(({ label, request }) => `${label} waits for ${request} of`);
  return `deadlock: ${steps.join(" ")} ${cycle[0]!.label}`;
}

function labelOf({ pid, names }: ActorInfo): string {
  return [pid, ...names].join(" ");
}
