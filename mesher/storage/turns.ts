/**
 * A readers-writer lock: many shared, or one exclusive. First come, first served: a request after one that
 * wants it alone waits for that one.
 *
 * @module
 */

/** The turns at one thing. */
export class Turns {
  /** Ends when the last that wanted it alone has had it. */
  #alone: Promise<unknown> = Promise.resolve();
  /** Those that came since, and have not ended. */
  readonly #together = new Set<Promise<unknown>>();

  /** Runs beside others that run together. */
  together<T>(run: () => T | Promise<T>): Promise<T> {
    const turn = this.#alone.then(run);
    const ended: Promise<unknown> = turn.catch(() => {});
    this.#together.add(ended);
    ended.then(() => this.#together.delete(ended));
    return turn;
  }

  /** Runs when all before have ended, and before any that comes after. */
  alone<T>(run: () => T | Promise<T>): Promise<T> {
    const turn = Promise.all([this.#alone, ...this.#together]).then(run);
    this.#alone = turn.catch(() => {});
    return turn;
  }
}
