/**
 * Timers that send a message once or repeatedly. They are in the system's wheel and attached to
 * their target, so that a timer never outlives its target.
 *
 * @module
 */
import { type ActorRef, attach, type Chained, detach } from "./actor_ref.ts";
import { ArgumentError } from "./errors.ts";
import type { ExitReason } from "../term/exit.ts";
import type { Wheel, WheelTimer } from "./wheel.ts";

/** Maximum delay of a timer, about 24 days. Native timers have the same limit. */
export const TIMER_MS_MAX: number = 2 ** 31 - 1;

/**
 * Checks and returns a delay. A negative delay becomes 0. Throws `ArgumentError` if the delay is
 * not a number, or exceeds {@linkcode TIMER_MS_MAX}.
 */
export function timerMs(ms: number): number {
  if (ms <= TIMER_MS_MAX) return Math.max(0, ms);
  throw new ArgumentError(`${ms} is not a valid delay: use 0 to ${TIMER_MS_MAX} ms`);
}

/** Checks and returns a timeout: a valid delay, or `Infinity` for no limit. */
export function timeoutMs(ms: number): number {
  return ms === Infinity ? ms : timerMs(ms);
}

/** Returns whether a timeout is valid. */
export function isTimeout(ms: number): boolean {
  return ms <= TIMER_MS_MAX || ms === Infinity;
}

/** Returns the error for an invalid timeout. */
export function invalidTimeout(ms: number): ArgumentError {
  return new ArgumentError(
    `${ms} is not a valid timeout: use 0 to ${TIMER_MS_MAX} ms, or Infinity`,
  );
}

/** A started timer, as accepted by `cancelTimer`. */
export interface TimerRef {
  /** Whole milliseconds until the timer fires, or `undefined` if it will not fire any more. */
  readonly left: number | undefined;
}

/** The parts of the system that a timer uses. */
export interface TimerHost {
  readonly wheel: Wheel;
  /** Returns the current time of the wheel's clock, in milliseconds. */
  now(): number;
  setTimer(timer: WheelTimer, ms: number): void;
}

/** A timer that calls a function when it is due. */
export class Deadline implements WheelTimer {
  due = 0;
  next: WheelTimer | undefined = undefined;
  previous: WheelTimer | undefined = undefined;
  readonly fire: () => void;

  constructor(fire: () => void) {
    this.fire = fire;
  }
}

/** A pending `sleep` of an actor. Ends after its time, or when the actor exits. */
export class Sleep implements WheelTimer, Chained {
  due = 0;
  next: WheelTimer | undefined = undefined;
  previous: WheelTimer | undefined = undefined;
  following: Chained | undefined = undefined;
  preceding: Chained | undefined = undefined;
  readonly #wheel: Wheel;
  readonly #actor: ActorRef;
  readonly #wake: () => void;
  readonly #ended: (reason: ExitReason) => void;

  constructor(
    wheel: Wheel,
    actor: ActorRef,
    wake: () => void,
    ended: (reason: ExitReason) => void,
  ) {
    this.#wheel = wheel;
    this.#actor = actor;
    this.#wake = wake;
    this.#ended = ended;
    attach(this, actor);
  }

  fire(): void {
    detach(this, this.#actor);
    this.#wake();
  }

  drop(reason: ExitReason): void {
    this.#wheel.remove(this);
    this.#ended(reason);
  }
}

/** A timer that sends a message. */
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

  /**
   * Schedules the next message relative to the first one, however late this message is. Skips
   * messages whose time has already passed.
   */
  #again(everyMs: number): void {
    const missed = Math.max(0, Math.floor((this.#host.now() - this.due) / everyMs));
    this.#host.wheel.add(this, this.due + (missed + 1) * everyMs);
  }

  /**
   * Cancels the timer. Returns the milliseconds left, or false if it had fired or been cancelled.
   */
  cancel(): number | false {
    const left = this.left;
    if (left === undefined) return false;
    this.#host.wheel.remove(this);
    detach(this, this.#target);
    return left;
  }

  /** Called when the target exits. */
  drop(): void {
    this.#host.wheel.remove(this);
  }
}

/** The reference of a timer for an exited actor, which never fires. */
export const EXPIRED_TIMER: TimerRef = { left: undefined };
