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
 * - `"longCall"`: a call has been pending for a long time;
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
  /** The warning as human-readable text. */
  readonly message: string;
  /**
   * The actors that the warning is about. "longCall": the caller and the callee. "deadlock": all
   * actors of the cycle, in order.
   */
  readonly pids: readonly Pid[];
  /**
   * The time in milliseconds: for "slowTurn" the duration of the turn, for "eventLoopDelay" the
   * delay, for "longCall" the time since the call was made. Undefined for the other kinds.
   */
  readonly ms: number | undefined;
  /**
   * "mailbox": the number of messages. "busyLink": the bytes in the send queue. "memory": the used
   * bytes of the heap. Undefined for the other kinds.
   */
  readonly size: number | undefined;
  /**
   * "mailbox": information on the actor. "longCall": information on the callee. Undefined for the
   * other kinds, or if the actor could not be observed.
   */
  readonly activity: ActorInfo | undefined;
}

/** The limits above which warnings are emitted. `Infinity` disables a warning. */
export interface WarningLimits {
  /**
   * Number of messages in a mailbox without a maximum length. The warning is repeated at 10 times
   * this number, at 100 times, and so on. Default 10000.
   */
  readonly mailbox?: number | undefined;
  /**
   * Milliseconds that a turn of a handler, one or more messages, may block the event loop. Default
   * 200. With the default, turns are measured only for 30 seconds after timers were late; with an
   * explicit value, always. Measuring costs two clock reads per turn.
   */
  readonly slowTurn?: number | undefined;
  /** Milliseconds by which timers may fire late. Default 500. */
  readonly eventLoopDelay?: number | undefined;
  /**
   * Milliseconds that an actor may wait for a reply. For a call that takes longer, a deadlock is
   * searched for. Default 2000.
   */
  readonly longCall?: number | undefined;
  /** The share of the heap limit, 0 to 1, above which memory use causes a warning. Default 0.9. */
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

/** Fills in the default limits. Throws `ObserveError` with `code` "badarg" if one is invalid. */
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

/** Returns a text for a warning that describes what an actor is doing. */
export function activityText(info: ActorInfo): string {
  const { status, mailbox, current, calls } = info;
  const doing = current === undefined
    ? `it is ${status}`
    : `it has been handling ${current.message} for ${seconds(current.ms)}`;
  const [call] = calls;
  const waits = call === undefined ? "" : `, waits for ${call.request} of ${call.callee}`;
  return `${doing}${waits}, ${mailbox} messages in its mailbox`;
}

/** Formats a duration in milliseconds as text: in seconds, if it is at least one second. */
export function seconds(ms: number): string {
  return ms < 1_000 ? `${Math.round(ms)} ms` : `${(ms / 1000).toFixed(1)} s`;
}
