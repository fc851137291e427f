/**
 * Rate limits by key: a number of uses per period.
 *
 * The number of tracked keys is limited. To make room for a new key, idle keys are removed, or else
 * the oldest key with uses left. A key without uses left is never removed early, so that no client
 * gains uses by presenting many other keys. If no tracked key has uses left, a new key must wait
 * too.
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

/** Maximum number of tracked keys. */
const WATCHED_MAX = 10_000;

/** Limits how often each key is used. */
export class Allowance {
  readonly #limit: RateLimit;
  readonly #states = new Map<string, RateState>();
  readonly #watchedMax: number;

  constructor(limit: RateLimit, watchedMax: number = WATCHED_MAX) {
    this.#limit = limit;
    this.#watchedMax = watchedMax;
  }

  /** Number of tracked keys. */
  get watched(): number {
    return this.#states.size;
  }

  /** Uses a key once. Returns 0, or the milliseconds to wait if no uses are left. */
  take(key: string, now: number): number {
    const known = this.#states.get(key) ?? null;
    if (known === null && !this.#hasRoom(now)) return this.#limit.windowMs;
    const verdict = takeRate(known, now, 1, this.#limit);
    this.#states.set(key, verdict.state);
    return verdict.granted === 1 ? 0 : verdict.retryAfterMs;
  }

  /** Undoes one use of a key, so that it does not count. */
  giveBack(key: string): void {
    const state = this.#states.get(key);
    if (state === undefined) return;
    const { count, previous, since } = giveBackRate(state, 1);
    if (count + previous === 0) this.#states.delete(key);
    else this.#states.set(key, { count, previous, since });
  }

  /** Resets a key, so that all its uses are left. */
  forget(key: string): void {
    this.#states.delete(key);
  }

  /** Returns whether no uses of a key are left. */
  isSpent(key: string, now: number): boolean {
    const state = this.#states.get(key);
    return state !== undefined && takeRate(state, now, 1, this.#limit).granted === 0;
  }

  /** Makes room for another key. Returns whether there is room. */
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
