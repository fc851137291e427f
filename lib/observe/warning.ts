/**
 * Warnings and their limits. Deterministic.
 *
 * @module
 */
import type { Pid } from "../term/pid.ts";
import type { ActorInfo } from "./actor_info.ts";
import { ObserveError } from "./error.ts";

/**
 * The kinds of warnings.
 *
 * - `"mailbox"`: a mailbox is long;
 * - `"slowTurn"`: a handler has blocked the event loop;
 * - `"eventLoopDelay"`: timers fire late: JavaScript blocks the event loop;
 * - `"busyLink"`: the send queue to another node is above half of its limit;
 * - `"memory"`: the heap is almost full;
 * - `"longCall"`: a call has been pending for long;
 * - `"deadlock"`: actors wait for each other's replies in a cycle.
 */
export type WarningKind =
  | "mailbox"
  | "slowTurn"
  | "eventLoopDelay"
  | "busyLink"
  | "memory"
  | "longCall"
  | "deadlock";

/** A warning: the event "warning" of a node. */
export interface Warning {
  /** The kind of the warning. */
  readonly kind: WarningKind;
  /** The warning as text. */
  readonly message: string;
  /** The actors: caller and callee of a call; all participants of a deadlock, in order. */
  readonly pids: readonly Pid[];
  /** The duration or delay in milliseconds. Undefined for kinds of warnings without one. */
  readonly ms: number | undefined;
  /**
   * Number of messages in a mailbox, of bytes in a send queue, or of bytes of the heap. Undefined
   * for kinds of warnings without one.
   */
  readonly size: number | undefined;
  /** Information on the actor, for a call on the callee. */
  readonly activity: ActorInfo | undefined;
}

/** Limits of warnings. `Infinity` disables a warning. */
export interface WarningLimits {
  /** Messages in an unbounded mailbox; repeated at each tenfold length. Default 10000. */
  readonly mailbox?: number | undefined;
  /**
   * Milliseconds that a turn of a handler, up to 64 messages, may block the event loop. Default
   * 200. With the default, turns are measured only for 30 seconds after timers were late; with an
   * explicit value, always. Measuring costs two clock reads per turn.
   */
  readonly slowTurn?: number | undefined;
  /** Milliseconds that timers may fire late. Default 500. */
  readonly eventLoopDelay?: number | undefined;
  /**
   * Milliseconds that an actor may wait for a reply. Deadlocks are searched for from then on.
   * Default 2000.
   */
  readonly longCall?: number | undefined;
  /** Share of the heap's limit that may be in use, 0 to 1. Default 0.9. */
  readonly memory?: number | undefined;
}

/** The default limits. */
export const WARNING_LIMITS: Readonly<Required<WarningLimits>> = {
  mailbox: 10_000,
  slowTurn: 200,
  eventLoopDelay: 500,
  longCall: 2_000,
  memory: 0.9,
};

/** Adds defaults to limits. Throws `ObserveError` with `code` "badarg" for an invalid one. */
export function completeLimits(limits: WarningLimits = {}): {
  readonly [Name in keyof WarningLimits]-?: number;
} {
  const all = { ...WARNING_LIMITS, ...limits };
  for (const [name, value] of Object.entries(all)) {
    if (!Object.hasOwn(WARNING_LIMITS, name)) {
      throw new ObserveError("badarg", `option warnings has no limit ${JSON.stringify(name)}`);
    }
    if (!(value! > 0)) {
      throw new ObserveError("badarg", `option warnings.${name} is ${value}: use a number above 0`);
    }
  }
  return all as Required<WarningLimits> as { readonly [Name in keyof WarningLimits]-?: number };
}

/** Describes the current activity of an actor, for a warning. */
export function activityText(info: ActorInfo): string {
  const { status, mailbox, current, calls } = info;
  const doing = current === undefined
    ? `it is ${status}`
    : `it has been handling ${current.message} for ${seconds(current.ms)}`;
  const [call] = calls;
  const waits = call === undefined ? "" : `, waits for ${call.request} of ${call.callee}`;
  return `${doing}${waits}, ${mailbox} messages in its mailbox`;
}

/** Formats a duration in seconds. */
export function seconds(ms: number): string {
  return ms < 1_000 ? `${Math.round(ms)} ms` : `${(ms / 1000).toFixed(1)} s`;
}
