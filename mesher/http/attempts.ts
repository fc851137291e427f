/**
 * How often somebody may try a password: ten times in ten minutes per address, on each node.
 *
 * So many addresses are watched and no more. For a new one those are forgotten that are idle, or else
 * the oldest that has attempts left; one that has used them all up is never forgotten early, so that
 * nobody gets more attempts by asking about many others. When all have, a new one waits as they do.
 *
 * @module
 */
import { isRateIdle, type RateLimit, type RateState, takeRate } from "../domain/rate.ts";

/** How many attempts. */
export const ATTEMPTS: RateLimit = { limit: 10, windowMs: 600_000 };
/** At most so many addresses are watched. */
const WATCHED_MAX = 10_000;

/** The attempts of a node. */
export class Attempts {
  readonly #states = new Map<string, RateState>();
  readonly #watchedMax: number;

  constructor(watchedMax: number = WATCHED_MAX) {
    this.#watchedMax = watchedMax;
  }

  /** How many addresses are watched. */
  get watched(): number {
    return this.#states.size;
  }

  /** One more attempt at `email`: milliseconds to wait, or 0 if it may be made. */
  try(email: string, now: number): number {
    const key = folded(email);
    const known = this.#states.get(key) ?? null;
    if (known === null && !this.#hasRoom(now)) return ATTEMPTS.windowMs;
    const verdict = takeRate(known, now, 1, ATTEMPTS);
    this.#states.set(key, verdict.state);
    return verdict.granted === 1 ? 0 : verdict.retryAfterMs;
  }

  /** The password was right: earlier attempts do not count. */
  forgive(email: string): void {
    this.#states.delete(folded(email));
  }

  /** Whether one more may be watched; makes room for it if there is none. */
  #hasRoom(now: number): boolean {
    if (this.#states.size < this.#watchedMax) return true;
    for (const [key, state] of this.#states) {
      if (isRateIdle(state, now, ATTEMPTS.windowMs)) this.#states.delete(key);
    }
    if (this.#states.size < this.#watchedMax) return true;
    for (const [key, state] of this.#states) {
      if (takeRate(state, now, 1, ATTEMPTS).granted === 0) continue;
      this.#states.delete(key);
      return true;
    }
    return false;
  }
}

/** As storage has it: two addresses that differ in case or in blanks around them are one. */
function folded(email: string): string {
  return email.trim().toLowerCase();
}
