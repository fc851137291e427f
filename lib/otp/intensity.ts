/**
 * Restart intensity: the maximum number of restarts in a period, counted in a sliding window as in
 * OTP. Deterministic.
 *
 * @module
 */
import { ArgumentError } from "../actor/errors.ts";
import { Ring } from "../base/ring.ts";

/** Default of `intensity`: the number of restarts that are allowed within the period. */
export const INTENSITY = 3;
/** Default of `period`, in milliseconds. */
export const PERIOD_MS = 5_000;

/** Counts the restarts of one supervisor. */
export class Intensity {
  readonly #most: number;
  readonly #periodMs: number;
  /** Times of the restarts, oldest first; at most `#most` of them. */
  readonly #times = new Ring<number>(4);

  /** Throws `ArgumentError` if a number is invalid, for example negative. */
  constructor(most: number = INTENSITY, periodMs: number = PERIOD_MS) {
    if (!(most >= 0) || !(periodMs > 0)) {
      throw new ArgumentError("intensity must be 0 or more, and period more than 0 milliseconds");
    }
    this.#most = most;
    this.#periodMs = periodMs;
  }

  /** Counts a restart. Returns false if it exceeds the limit. */
  allow(now: number): boolean {
    // Removes restarts that are older than the period. A restart that is exactly as old as the
    // period still counts.
    while (this.#times.length > 0 && now - this.#times.peek()! > this.#periodMs) {
      this.#times.shift();
    }
    if (this.#times.length >= this.#most) return false;
    // Without a limit on restarts, their times are not needed.
    if (this.#most !== Infinity) this.#times.push(now);
    return true;
  }

  /** Number of restarts within the period that ended with the last restart. */
  get count(): number {
    return this.#times.length;
  }
}
