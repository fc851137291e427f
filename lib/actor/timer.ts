/**
 * Timers that send: after a time once, or again and again. They hang in the system's wheel, and on
 * their target, so that none outlives it.
 *
 * @module
 */
import { type ActorRef, attach, type Chained, detach } from "./actor_ref.ts";
import { ArgumentError } from "./errors.ts";
import type { Wheel, WheelTimer } from "./wheel.ts";

/** The longest time of a timer, about 24 days. The machine's own timers take no more either. */
export const TIMER_MS_MAX: number = 2 ** 31 - 1;

/** What a timer can be set to. A negative time is over already; `ArgumentError` if it is none. */
export function timerMs(ms: number): number {
  if (ms <= TIMER_MS_MAX) return Math.max(0, ms);
  throw new ArgumentError(`${ms} is no time for a timer: use 0 to ${TIMER_MS_MAX} ms`);
}

/** How long to wait at the most: what a timer can be set to, or for ever. */
export function patienceMs(ms: number): number {
  return ms === Infinity ? ms : timerMs(ms);
}

/** Whether it can be waited so long. */
export function isPatience(ms: number): boolean {
  return ms <= TIMER_MS_MAX || ms === Infinity;
}

/** It cannot be waited so long. */
export function badPatience(ms: number): ArgumentError {
  return new ArgumentError(`${ms} is no timeout: use 0 to ${TIMER_MS_MAX} ms, or Infinity`);
}

/** Names a timer that was set; for `cancelTimer`. */
export interface TimerRef {
  /** Whole milliseconds until it fires, or `undefined` if it will not any more. */
  readonly left: number | undefined;
}

/** Where a timer finds its time. */
export interface TimerHost {
  readonly wheel: Wheel;
  /** Now, on the wheel's clock. */
  now(): number;
  setTimer(timer: WheelTimer, ms: number): void;
}

/** Something to be done when a time is over. */
export class Deadline implements WheelTimer {
  due = 0;
  next: WheelTimer | undefined = undefined;
  previous: WheelTimer | undefined = undefined;
  readonly fire: () => void;

  constructor(fire: () => void) {
    this.fire = fire;
  }
}

/** A message on its way. */
export class SentTimer implements WheelTimer, TimerRef, Chained {
  due = 0;
  next: WheelTimer | undefined = undefined;
  previous: WheelTimer | undefined = undefined;
  following: Chained | undefined = undefined;
  preceding: Chained | undefined = undefined;
  readonly #host: TimerHost;
  readonly #target: ActorRef;
  readonly #message: unknown;
  readonly #everyMs: number | undefined;

  constructor(host: TimerHost, target: ActorRef, message: unknown, everyMs: number | undefined) {
    this.#host = host;
    this.#target = target;
    this.#message = message;
    this.#everyMs = everyMs;
    attach(this, target);
  }

  get left(): number | undefined {
    if (this.next === undefined) return undefined;
    return Math.max(0, Math.floor(this.due - this.#host.now()));
  }

  fire(): void {
    if (this.#everyMs === undefined) detach(this, this.#target);
    else this.#again(this.#everyMs);
    this.#target.deliver(this.#message);
  }

  /** In step with the first, however late this one is. Those that were missed are left out. */
  #again(everyMs: number): void {
    const missed = Math.max(0, Math.floor((this.#host.now() - this.due) / everyMs));
    this.#host.wheel.add(this, this.due + (missed + 1) * everyMs);
  }

  /** Milliseconds that were left, or false if it had fired or been cancelled. */
  cancel(): number | false {
    const left = this.left;
    if (left === undefined) return false;
    this.#host.wheel.remove(this);
    detach(this, this.#target);
    return left;
  }

  /** The target has ended. */
  drop(): void {
    this.#host.wheel.remove(this);
  }
}

/** What is sent by timers is sent to a live actor; a dead one is answered with a spent reference. */
export const SPENT: TimerRef = { left: undefined };
