/**
 * A token bucket: limits a rate of events. Tokens are added evenly, and each event takes one.
 *
 * @module
 */

/**
 * A token bucket that allows `events` events in `per` milliseconds, and at most `events` at once.
 */
export class TokenBucket {
  readonly #events: number;
  readonly #per: number;
  #tokens: number;
  #at: number;

  /** `per` and `now`, the current time, are in milliseconds. */
  constructor({ events, per = 1_000 }: { events: number; per?: number | undefined }, now: number) {
    this.#events = events;
    this.#per = per;
    this.#tokens = events;
    this.#at = now;
  }

  /** Takes a token. Returns false if the bucket is empty. */
  take(now: number): boolean {
    const filled = this.#tokens + (now - this.#at) / this.#per * this.#events;
    this.#tokens = Math.min(this.#events, filled);
    this.#at = now;
    if (this.#tokens < 1) return false;
    this.#tokens--;
    return true;
  }
}
