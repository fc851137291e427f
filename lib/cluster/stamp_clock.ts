/**
 * The cluster's time, in which entries of global names are stamped: a hybrid logical clock.
 *
 *     wall clock at the start + monotonic clock since + shift ─▶ time ─▶ a stamp: later than all known ones
 *
 * A node whose clock differs from a peer's by more than {@linkcode SKEW_US_MAX} does not impose its own time
 * on others: when the session is up, the node with fewer sessions (then the greater name) shifts its time by
 * the difference. Stamps further ahead than that do not move this clock.
 *
 * Quiet: the wall clock is an argument.
 *
 * @module
 */
import { STAMP_MAX } from "./rows.ts";

/** Clocks that differ by less are taken as they are. Microseconds. */
export const SKEW_US_MAX = 10_000_000;

/** Makes stamps. */
export class StampClock {
  readonly #wall: () => number;
  #shift = 0;
  /** No stamp that is known is later. */
  #last = 0;

  /** `wall` is the time in milliseconds since 1970; it should not jump. */
  constructor(wall: () => number) {
    this.#wall = wall;
  }

  /** The cluster's time, in microseconds. */
  get time(): number {
    return Math.floor(this.#wall() * 1000) + this.#shift;
  }

  /** A new stamp, later than all that are known. */
  next(): number {
    return this.#last = Math.min(Math.max(this.time, this.#last + 1), STAMP_MAX);
  }

  /** A peer's stamp. One that is implausibly late is not believed. */
  heard(stamp: number): void {
    if (stamp > this.#last && stamp - this.time <= SKEW_US_MAX) this.#last = stamp;
  }

  /** By how much a peer's time is ahead of ours, if that is more than clocks should differ; otherwise 0. */
  skew(time: number): number {
    const ahead = time - this.time;
    return Math.abs(ahead) > SKEW_US_MAX ? ahead : 0;
  }

  /** Moves this clock. What was stamped before must be moved as well. */
  shift(us: number): void {
    this.#shift += us;
    this.#last = Math.max(0, this.#last + us);
  }
}
