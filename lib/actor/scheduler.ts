/**
 * Runs ready actors in turns, and lets the event loop process I/O and timers in between.
 *
 *     ready ─▶ queue ─▶ a turn each ─▶ … ─▶ out of credit? ─▶ slice over? ─yes─▶ yield to I/O ─┐
 *                ▲                              └─no: more credit ─┘                            │
 *                └──────────────────────────────────────────────────────────────────────────────┘
 *
 * The queue is drained in microtasks, which is cheap. Credit is the number of messages that may be
 * handled before the clock is read. When the slice is over, no actor runs until pending I/O has
 * been handled. If messages take long, the scheduler grants less credit, at least 1, so a slice is
 * exceeded by at most one message.
 *
 * @module
 */
import type { Clock } from "../base/clock.ts";
import { Ring } from "../base/ring.ts";

/** Maximum number of messages between two clock reads. */
const CREDIT = 64;

/**
 * Number of messages that all ready actors together may handle before each of them has had a turn:
 * with few ready actors, turns are longer.
 */
const ROUND = 4096;

/** Maximum time for which actors run before pending I/O is handled, in milliseconds. */
const SLICE_MS = 1;

/** An object that can run in turns. */
export interface Runnable {
  /** Handles some messages. Each message costs one credit. */
  run(): void;
}

/** Observes the messages of actors. Set only while messages are observed. */
export interface Probe {
  /** Calls a handler with a message, and returns the handler's result. */
  handle(actor: Runnable, handler: (message: never) => unknown, message: unknown): unknown;
  /** Called when an actor takes a message with `receive`. */
  taken(actor: Runnable, message: unknown): void;
  /** Called when an actor is about to send a message. */
  sending(actor: Runnable): void;
  /**
   * Called when a message is sent. For a call, `message` is a `Call` object that is used only once.
   */
  sent(message: unknown): void;
}

/** Measures how long handlers run, with two clock reads for each turn. */
export interface TurnTimer {
  /** Returns the current time in milliseconds. */
  now(): number;
  /**
   * Called after a turn that handled `count` messages in `ms` milliseconds; `last` is the last
   * message.
   */
  turn(actor: Runnable, count: number, last: unknown, ms: number): void;
}

/** Runs the ready actors of one system. */
export class Scheduler {
  /** Measures turns. Undefined if turns are not measured. */
  turnTimer: TurnTimer | undefined = undefined;
  /**
   * Observes messages. Undefined if messages are not observed, which then costs one check per turn.
   */
  probe: Probe | undefined = undefined;
  /**
   * Called with the object whose turn is running, when the clock is read: usually once per 64
   * messages, more often if messages take long.
   */
  sampled: ((runnable: Runnable, now: number) => void) | undefined = undefined;
  /** Called when no actor is ready, and before the scheduler yields to I/O. */
  drained: () => void = () => {};
  /** Number of messages that may be handled before the next clock read. */
  credit: number = CREDIT;
  /** The object whose turn is running. Its code is part of the turn up to its first `await`. */
  running: Runnable | undefined = undefined;
  readonly #clock: Clock;
  readonly #yieldToIo: (task: () => void) => void;
  readonly #outside: (task: () => void) => void;
  readonly #queue = new Ring<Runnable>(256);
  #armed = false;
  #yielding = false;
  #sliceBegan: number;
  /**
   * The credit that is granted after a clock read. Adapted so that it lasts for about one slice.
   */
  #grant = CREDIT;
  #lookedAt: number;
  /** Whether only turns ran since the last clock read. The elapsed time is then their duration. */
  #unbroken = false;

  /**
   * `outside` runs a function outside of the async context of the code that scheduled the turns.
   */
  constructor(
    clock: Clock,
    yieldToIo: (task: () => void) => void,
    outside: (task: () => void) => void = (task) => task(),
  ) {
    this.#clock = clock;
    this.#yieldToIo = yieldToIo;
    this.#outside = outside;
    this.#sliceBegan = this.#lookedAt = clock.now();
  }

  /** Number of objects that wait for a turn. */
  get waiting(): number {
    return this.#queue.length;
  }

  /**
   * Returns how many of `waiting` messages the turn that begins now may handle: at most
   * {@linkcode ROUND} divided by the number of ready actors, but at least {@linkcode CREDIT}. If the
   * slice ends, the turn ends too.
   */
  turn(waiting: number): number {
    if (waiting <= CREDIT) return waiting;
    return Math.min(waiting, Math.max(CREDIT, Math.floor(ROUND / (this.#queue.length + 1))));
  }

  /** Schedules a turn for `runnable`, after the turns that are already queued. */
  ready(runnable: Runnable): void {
    this.#queue.push(runnable);
    this.arm();
  }

  /** Schedules a microtask that runs the ready turns and then calls `drained`. */
  arm(): void {
    if (this.#armed) return;
    this.#armed = true;
    queueMicrotask(this.#begin);
  }

  /**
   * Uses credit for an operation outside of turns. Returns false if pending I/O must be handled
   * first; the caller must then schedule the operation with `ready`.
   */
  spend(credit = 1): boolean {
    this.credit -= credit;
    return this.credit > 0 || this.#renew();
  }

  /** Stops all turns. Used by simulations, when a machine is turned off. */
  halt(): void {
    this.credit = 0;
    this.#yielding = true;
  }

  readonly #begin = (): void => this.#outside(this.#drain);

  readonly #drain = (): void => {
    const queue = this.#queue;
    while (queue.length > 0) {
      if (this.credit <= 0 && !this.#renew()) {
        this.running = undefined;
        this.drained();
        return;
      }
      const runnable = this.running = queue.shift()!;
      runnable.run();
    }
    this.running = undefined;
    this.#armed = false;
    this.#unbroken = false;
    this.drained();
  };

  /**
   * Grants new credit and returns true, unless the slice is over: then yields to I/O and returns
   * false.
   */
  #renew(): boolean {
    if (this.#yielding) return false;
    const now = this.#clock.now();
    this.#pace(now);
    if (now - this.#sliceBegan < SLICE_MS) {
      this.credit = this.#grant;
      return true;
    }
    this.#yielding = true;
    this.#yieldToIo(this.#resume);
    return false;
  }

  /**
   * Adapts the credit of each grant to the duration of the previous one, so that it lasts for about
   * one slice.
   */
  #pace(now: number): void {
    const took = now - this.#lookedAt;
    if (!this.#unbroken) this.#grant = CREDIT;
    else if (took < SLICE_MS) this.#grant = Math.min(CREDIT, this.#grant * 2);
    else this.#grant = Math.max(1, Math.floor(this.#grant * SLICE_MS / took));
    this.#lookedAt = now;
    this.#unbroken = true;
    if (this.sampled !== undefined && this.running !== undefined) this.sampled(this.running, now);
  }

  readonly #resume = (): void => {
    this.#yielding = false;
    this.#sliceBegan = this.#lookedAt = this.#clock.now();
    this.#unbroken = true;
    this.credit = this.#grant;
    this.#begin();
  };
}
