/**
 * What happens again and again is logged now and then, with a count. Quiet: time is an argument.
 *
 * @module
 */

/** The same line is logged at most once within so many milliseconds. */
const PAUSE_MS = 10_000;

/** So many lines are told apart. Of more, the one that was logged longest ago is forgotten. */
const KEYS_MAX = 256;

interface Repeat {
  readonly loggedAt: number;
  /** How often it has happened since. */
  count: number;
}

/** Counts what is left out. */
export class Repeats {
  readonly #byKey = new Map<string, Repeat>();

  /** Returns how often it has happened since it was logged last, this time included; 0: not to be logged now. */
  count(key: string, now: number): number {
    const last = this.#byKey.get(key);
    if (last !== undefined && now - last.loggedAt < PAUSE_MS) {
      last.count++;
      return 0;
    }
    // The map's order is that of the last logging.
    this.#byKey.delete(key);
    for (const oldest of this.#byKey.keys()) {
      if (this.#byKey.size < KEYS_MAX) break;
      this.#byKey.delete(oldest);
    }
    this.#byKey.set(key, { loggedAt: now, count: 0 });
    return 1 + (last?.count ?? 0);
  }
}
