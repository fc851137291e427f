/**
 * Rate limits by key: a number of uses per period.
 *
 * The number of keys is limited. For a new one, idle keys are forgotten, or else the oldest one with uses left; one
 * that has used all is never forgotten early, so that no client
 * gets more by showing many other keys. When all have, a new one waits as they do.
 *
 * @module
 */
import {
  giveBackRate,
  isRateIdle,
  type RateLimit,
  type RateState,
  takeRate,
} from "../domain/rate.ts";

/** Maximum number of keys. */
const WATCHED_MAX = 10_000;

/** The rest of each key. */
export class Allowance {
  readonly #limit: RateLimit;
  readonly #states = new Map<string, RateState>();
  readonly #watchedMax: number;

  constructor(limit: RateLimit, watchedMax: number = WATCHED_MAX) {
    this.#limit = limit;
    this.#watchedMax = watchedMax;
  }

  /** How many keys are watched. */
  get watched(): number {
    return this.#states.size;
  }

  /** Takes one: milliseconds to wait, or 0 if it was there to be taken. */
  take(key: string, now: number): number {
    const known = this.#states.get(key) ?? null;
    if (known === null && !this.#hasRoom(now)) return this.#limit.windowMs;
    const verdict = takeRate(known, now, 1, this.#limit);
    this.#states.set(key, verdict.state);
    return verdict.granted === 1 ? 0 : verdict.retryAfterMs;
  }

  /** Returns an unused use. */
  giveBack(key: string): void {
    const state = this.#states.get(key);
    if (state === undefined) return;
    const { count, previous, since } = giveBackRate(state, 1);
    if (count + previous === 0) this.#states.delete(key);
    else this.#states.set(key, { count, previous, since });
  }

  /** Whatever was taken does not count. */
  forget(key: string): void {
    this.#states.delete(key);
  }

  /** Whether nothing is left. */
  isSpent(key: string, now: number): boolean {
    const state = this.#states.get(key);
    return state !== undefined && takeRate(state, now, 1, this.#limit).granted === 0;
  }

  /** Makes room for one more key. Returns whether there is room. */
  #hasRoom(now: number): boolean {
    if (this.#states.size < this.#watchedMax) return true;
    for (const [key, state] of this.#states) {
      if (isRateIdle(state, now, this.#limit.windowMs)) this.#states.delete(key);
    }
    if (this.#states.size < this.#watchedMax) return true;
    for (const key of this.#states.keys()) {
      if (this.isSpent(key, now)) continue;
      this.#states.delete(key);
      return true;
    }
    return false;
  }
}
