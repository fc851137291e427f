/**
 * Runs what is ready, in turns, and lets the event loop see to sockets and timers in between.
 *
 *     ready ─▶ queue ─▶ a turn each ─▶ … ─▶ out of credit? ─▶ slice over? ─yes─▶ yield to I/O ─┐
 *                ▲                              └─no: more credit ─┘                            │
 *                └──────────────────────────────────────────────────────────────────────────────┘
 *
 * The queue is drained in microtasks, which costs next to nothing. Credit counts messages; when it is
 * used up the clock is read, and when the slice is over nobody gets a turn until I/O has had one.
 * Where messages take long there is less credit, down to one: a slice is then a message too long at
 * the most.
 *
 * @module
 */
import type { Clock } from "../base/clock.ts";
import { Ring } from "../base/ring.ts";

/** Messages between two looks at the clock, at the most. */
const CREDIT = 64;

/** How long actors may run before I/O has a turn. Milliseconds. */
const SLICE_MS = 1;

/** Something that can be given a turn. */
export interface Runnable {
  /** Handles some messages. Each costs one credit. */
  run(): void;
}

/** The scheduler of one system. */
export class Scheduler {
  /** Messages that may be handled before the clock is read again. */
  credit: number = CREDIT;
  /** What has its turn now: its code up to the first `await` runs within. */
  running: Runnable | undefined = undefined;
  readonly #clock: Clock;
  readonly #yieldToIo: (task: () => void) => void;
  readonly #queue = new Ring<Runnable>(256);
  #armed = false;
  #yielding = false;
  #sliceBegan: number;
  /** How much credit there is at a time. */
  #grant = CREDIT;
  #lookedAt: number;
  /** Turns have followed each other since that look, so that what it took was all theirs. */
  #unbroken = false;

  constructor(clock: Clock, yieldToIo: (task: () => void) => void) {
    this.#clock = clock;
    this.#yieldToIo = yieldToIo;
    this.#sliceBegan = this.#lookedAt = clock.now();
  }

  /** How many wait for a turn. */
  get waiting(): number {
    return this.#queue.length;
  }

  /** Gives `runnable` a turn when those before it have had theirs. */
  ready(runnable: Runnable): void {
    this.#queue.push(runnable);
    if (this.#armed) return;
    this.#armed = true;
    queueMicrotask(this.#drain);
  }

  /**
   * Whether something may happen now, outside of a turn: costs credit. False: I/O is due, and what
   * wants to happen has to be `ready` instead.
   */
  spend(credit = 1): boolean {
    this.credit -= credit;
    return this.credit > 0 || this.#renew();
  }

  /** Gives nobody a turn any more: the machine is gone. For simulations. */
  halt(): void {
    this.credit = 0;
    this.#yielding = true;
  }

  readonly #drain = (): void => {
    const queue = this.#queue;
    while (queue.length > 0) {
      if (this.credit <= 0 && !this.#renew()) {
        this.running = undefined;
        return;
      }
      const runnable = this.running = queue.shift()!;
      runnable.run();
    }
    this.running = undefined;
    this.#armed = false;
    this.#unbroken = false;
  };

  /** New credit, if the slice is not over. Otherwise sees to it that I/O has a turn. */
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

  /** Grants as much credit as lasts for a slice, by what the last one took. */
  #pace(now: number): void {
    const took = now - this.#lookedAt;
    if (!this.#unbroken) this.#grant = CREDIT;
    else if (took < SLICE_MS) this.#grant = Math.min(CREDIT, this.#grant * 2);
    else this.#grant = Math.max(1, Math.floor(this.#grant * SLICE_MS / took));
    this.#lookedAt = now;
    this.#unbroken = true;
  }

  readonly #resume = (): void => {
    this.#yielding = false;
    this.#sliceBegan = this.#lookedAt = this.#clock.now();
    this.#unbroken = true;
    this.credit = this.#grant;
    this.#drain();
  };
}
