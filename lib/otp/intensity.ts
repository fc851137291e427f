/**
 * How many restarts in how much time are too many: OTP's sliding window. Quiet.
 *
 * @module
 */
import { ArgumentError } from "../actor/errors.ts";
import { Ring } from "../base/ring.ts";

/** Restarts within `periodMs` before the supervisor gives up, unless told otherwise. */
export const INTENSITY = 3;
/** The width of the window, unless told otherwise. Milliseconds. */
const PERIOD_MS = 5_000;

/** The restarts of one supervisor. */
export class Intensity {
  readonly #most: number;
  readonly #periodMs: number;
  /** When, the oldest first; never longer than `#most`. */
  readonly #times = new Ring<number>(4);

  /** Throws `ArgumentError` for numbers that make no sense. */
  constructor(most: number = INTENSITY, periodMs: number = PERIOD_MS) {
    if (!(most >= 0) || !(periodMs > 0)) {
      throw new ArgumentError("intensity must be 0 or more, and period more than 0 milliseconds");
    }
    this.#most = most;
    this.#periodMs = periodMs;
  }

  /** Counts a restart. False: it is one too many. */
  allow(now: number): boolean {
    // A restart is forgotten when it is older than the period, not when it is as old.
    while (this.#times.length > 0 && now - this.#times.peek()! > this.#periodMs) {
      this.#times.shift();
    }
    if (this.#times.length >= this.#most) return false;
    // Without a limit there is nothing to remember them for.
    if (this.#most !== Infinity) this.#times.push(now);
    return true;
  }

  /** How many count at the moment of the last one. */
  get count(): number {
    return this.#times.length;
  }
}
