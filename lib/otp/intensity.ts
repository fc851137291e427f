/**
 * How many restarts in how much time are too many: OTP's sliding window. Quiet.
 *
 * @module
 */

/** Restarts within `periodMs` before the supervisor gives up, unless told otherwise. */
export const INTENSITY = 3;
/** The width of the window, unless told otherwise. Milliseconds. */
export const PERIOD_MS = 5_000;

/** The restarts of one supervisor. */
export class Intensity {
  readonly #most: number;
  readonly #periodMs: number;
  /** When, the oldest first; never longer than `#most`. */
  #times: number[] = [];

  constructor(most: number, periodMs: number) {
    this.#most = most;
    this.#periodMs = periodMs;
  }

  /** Counts a restart. False: it is one too many. */
  allow(now: number): boolean {
    // A restart is forgotten when it is older than the period, not when it is as old.
    this.#times = this.#times.filter((time) => now - time <= this.#periodMs);
    if (this.#times.length >= this.#most) return false;
    this.#times.push(now);
    return true;
  }

  /** How many count at the moment of the last one. */
  get count(): number {
    return this.#times.length;
  }
}
