/**
 * How often somebody may try a password: ten times in ten minutes per address, on each node.
 *
 * @module
 */
import { isRateIdle, type RateLimit, type RateState, takeRate } from "../domain/rate.ts";

const LIMIT: RateLimit = { limit: 10, windowMs: 600_000 };
/** At most so many addresses are watched; then those that are idle are forgotten, or all. */
const WATCHED_MAX = 10_000;

/** The attempts of a node. */
export class Attempts {
  readonly #states = new Map<string, RateState>();

  /** One more attempt at `email`: milliseconds to wait, or 0 if it may be made. */
  try(email: string, now: number): number {
    if (this.#states.size >= WATCHED_MAX) this.#sweep(now);
    const key = email.trim().toLowerCase();
    const verdict = takeRate(this.#states.get(key) ?? null, now, 1, LIMIT);
    this.#states.set(key, verdict.state);
    return verdict.granted === 1 ? 0 : verdict.retryAfterMs;
  }

  /** The password was right: earlier attempts do not count. */
  forgive(email: string): void {
    this.#states.delete(email.trim().toLowerCase());
  }

  #sweep(now: number): void {
    for (const [key, state] of this.#states) {
      if (isRateIdle(state, now, LIMIT.windowMs)) this.#states.delete(key);
    }
    if (this.#states.size >= WATCHED_MAX) this.#states.clear();
  }
}
