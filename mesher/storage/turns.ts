/**
 * A readers-writer lock: many shared holders, or one exclusive. In order of arrival: a request after one
 * for exclusive access waits for that one.
 *
 * @module
 */

/** The turns for one resource. */
export class Turns {
  /** Settles when the last exclusive turn has ended. */
  #alone: Promise<unknown> = Promise.resolve();
  /** The shared turns since then that have not ended. */
  readonly #together = new Set<Promise<unknown>>();

  /** Runs concurrently with other shared turns. */
  together<T>(run: () => T | Promise<T>): Promise<T> {
    const turn = this.#alone.then(run);
    const ended: Promise<unknown> = turn.catch(() => {});
    this.#together.add(ended);
    ended.then(() => this.#together.delete(ended));
    return turn;
  }

  /** Runs after all earlier turns have ended, and before all later ones. */
  alone<T>(run: () => T | Promise<T>): Promise<T> {
    const turn = Promise.all([this.#alone, ...this.#together]).then(run);
    this.#alone = turn.catch(() => {});
    return turn;
  }
}
