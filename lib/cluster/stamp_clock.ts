/**
 * Provides the cluster's time for the stamps of global names: a hybrid logical clock.
 *
 *     wall clock at the start + monotonic clock since + shift ─▶ time ─▶ a stamp: later than all known ones
 *
 * If the clocks of two nodes differ by more than {@linkcode SKEW_US_MAX} when their session opens,
 * one node shifts its time by the difference: the one with fewer sessions or, if both have the same
 * number, the one with the greater name. A received stamp that is further ahead does not change
 * this clock.
 *
 * Deterministic: the wall clock is an argument.
 *
 * @module
 */
import { STAMP_MAX } from "./rows.ts";

/** Maximum difference between the times of two nodes that is not corrected, in microseconds. */
export const SKEW_US_MAX = 10_000_000;

/** Creates stamps for the entries of names. */
export class StampClock {
  readonly #wall: () => number;
  #shift = 0;
  /** The latest stamp that this node has created or accepted. */
  #last = 0;
  /**
   * The cluster's time when the clock was last read. Most received stamps are compared with this
   * time, so that the clock need not be read for each stamp.
   */
  #passed = 0;

  /** `wall` returns the time in milliseconds since 1970. It should not jump. */
  constructor(wall: () => number) {
    this.#wall = wall;
  }

  /** The cluster's time, in microseconds. */
  get time(): number {
    return this.#passed = Math.floor(this.#wall() * 1000) + this.#shift;
  }

  /** Returns a new stamp, later than all known ones. */
  next(): number {
    return this.#last = Math.min(Math.max(this.time, this.#last + 1), STAMP_MAX);
  }

  /** Records a peer's stamp. Ignores a stamp that is too far in the future. */
  accept(stamp: number): void {
    if (stamp <= this.#last) return;
    if (stamp - this.#passed <= SKEW_US_MAX || stamp - this.time <= SKEW_US_MAX) this.#last = stamp;
  }

  /**
   * Returns by how many microseconds a peer's time is ahead of this node's, if that exceeds the
   * limit; otherwise 0.
   */
  skew(time: number): number {
    const ahead = time - this.time;
    return Math.abs(ahead) > SKEW_US_MAX ? ahead : 0;
  }

  /** Shifts this clock by `us` microseconds. The caller must shift existing stamps as well. */
  shift(us: number): void {
    this.#shift += us;
    this.#passed += us;
    this.#last = Math.max(0, this.#last + us);
  }
}
