/**
 * Measures how late a timer fires: the delay of the event loop. Deterministic: time is an argument.
 *
 * @module
 */
import type { LoopDelay } from "./stats.ts";

/** Interval between two measurements, in milliseconds. */
export const TICK_MS = 250;

/** Number of measurements that are kept: those of one minute. */
const TICKS = 60_000 / TICK_MS;

/** Measures the delay of a timer that is due every {@linkcode TICK_MS}. */
export class LoopDelays {
  readonly #delays = new Float64Array(TICKS);
  #count = 0;
  #last: number;

  constructor(now: number) {
    this.#last = now;
  }

  /** Records that the timer has fired at `now`. Returns how late it was, in milliseconds. */
  tick(now: number): number {
    const delay = Math.max(0, now - this.#last - TICK_MS);
    this.#last = now;
    this.#delays[this.#count++ % TICKS] = delay;
    return delay;
  }

  /** Returns the last, the mean and the maximum delay of the last minute. */
  get delay(): LoopDelay {
    const count = Math.min(this.#count, TICKS);
    let sum = 0;
    let max = 0;
    for (let i = 0; i < count; i++) {
      sum += this.#delays[i]!;
      max = Math.max(max, this.#delays[i]!);
    }
    const last = count === 0 ? 0 : this.#delays[(this.#count - 1) % TICKS]!;
    return { last: rounded(last), mean: count === 0 ? 0 : rounded(sum / count), max: rounded(max) };
  }
}

function rounded(ms: number): number {
  return Math.round(ms * 10) / 10;
}
