/**
 * Warnings before failures, and their limits. Quiet.
 *
 * @module
 */
import type { Pid } from "../term/pid.ts";
import type { ActorInfo } from "./actor_info.ts";
import { ObserveError } from "./error.ts";

/** What a warning is about. */
export type WarningKind =
  /** Many messages wait in a mailbox. */
  | "mailbox"
  /** A handler has blocked the event loop. */
  | "slowTurn"
  /** Timers fire late: JavaScript blocks the event loop. */
  | "eventLoopDelay"
  /** More than half of what may wait for another node waits. */
  | "busyLink"
  /** The heap is almost full. */
  | "memory"
  /** A call waits for long. */
  | "longCall"
  /** Actors wait for each other's replies, and each handles nothing else meanwhile. */
  | "deadlock";

/** A warning: the event "warning" of a node. */
export interface Warning {
  /** What it is about. */
  readonly kind: WarningKind;
  /** The same in words. */
  readonly message: string;
  /** The actors: of a call the caller and the callee, of a deadlock all participants in order. */
  readonly pids: readonly Pid[];
  /** Milliseconds that it took or has taken; undefined if it is not about time. */
  readonly ms: number | undefined;
  /** Messages in a mailbox, bytes that wait for a node, bytes of the heap; otherwise undefined. */
  readonly size: number | undefined;
  /** The actor: of a call the callee, with what it does now. */
  readonly activity: ActorInfo | undefined;
}

/** When to warn. Each limit may be `Infinity`: no warning. */
export interface WarningLimits {
  /** Messages in an unbounded mailbox; again at each tenfold. Default 10000. */
  readonly mailbox?: number | undefined;
  /**
   * Milliseconds that a handler may block the event loop. Default 200, in which case handlers are measured for
   * half a minute after timers have fired that late; with a value of your own they are measured always, which
   * costs two readings of the clock per message.
   */
  readonly slowTurn?: number | undefined;
  /** Milliseconds that timers may fire late. Default 500. */
  readonly eventLoopDelay?: number | undefined;
  /** Milliseconds that an actor may wait for a reply. Deadlocks are looked for from then on. Default 2000. */
  readonly longCall?: number | undefined;
  /** Part of the heap's limit that may be in use, 0 to 1. Default 0.9. */
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

/** Completes limits. Throws `ObserveError` "badarg" for an invalid one. */
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

/** Describes what an actor does now, for a warning. */
export function activityText(info: ActorInfo): string {
  const { status, mailbox, current, calls } = info;
  const doing = current === undefined
    ? `it is ${status}`
    : `it has been handling ${current.message} for ${seconds(current.ms)}`;
  const [call] = calls;
  const waits = call === undefined ? "" : `, waits for ${call.request} of ${call.callee}`;
  return `${doing}${waits}, ${mailbox} messages in its mailbox`;
}

/** Returns a time in words. */
export function seconds(ms: number): string {
  return ms < 1_000 ? `${Math.round(ms)} ms` : `${(ms / 1000).toFixed(1)} s`;
}
