/**
 * Limits how often a repeated event is logged, and counts the omitted ones. Deterministic: time is
 * an argument.
 *
 * @module
 */

/** Time in which the same line is logged at most once, in milliseconds. */
const PAUSE_MS = 10_000;

/**
 * Maximum number of different lines that are recorded. When it is exceeded, the line that was
 * logged longest ago is removed.
 */
const KEYS_MAX = 256;

interface Repeat {
  readonly loggedAt: number;
  /** Number of occurrences since the line was last logged. */
  count: number;
}

/** Decides whether a line is logged again, and counts the omitted occurrences. */
export class Repeats {
  readonly #byKey = new Map<string, Repeat>();

  /**
   * Returns the number of occurrences since the line was last logged, including this one. Returns 0
   * if it must not be logged now.
   */
  count(key: string, now: number): number {
    const last = this.#byKey.get(key);
    if (last !== undefined && now - last.loggedAt < PAUSE_MS) {
      last.count++;
      return 0;
    }
    // Deletes the key first, so that the map stays ordered by the time of the last log entry.
    this.#byKey.delete(key);
    for (const oldest of this.#byKey.keys()) {
      if (this.#byKey.size < KEYS_MAX) break;
      this.#byKey.delete(oldest);
    }
    this.#byKey.set(key, { loggedAt: now, count: 0 });
    return 1 + (last?.count ?? 0);
  }
}
