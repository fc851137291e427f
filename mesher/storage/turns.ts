/**
 * Implements a readers-writer lock, held by many readers or by one writer. It is fair: a reader
 * that arrives after a waiting writer waits for that writer.
 *
 * @module
 */

/** The lock of one resource. */
export class Turns {
  /** Settles when the function that last ran exclusively has ended. */
  #alone: Promise<unknown> = Promise.resolve();
  /** The functions that run concurrently and have not ended. */
  readonly #together = new Set<Promise<unknown>>();

  /** Runs a function as a reader: concurrently with other readers. */
  together<T>(run: () => T | Promise<T>): Promise<T> {
    const turn = this.#alone.then(run);
    const ended: Promise<unknown> = turn.catch(() => {});
    this.#together.add(ended);
    ended.then(() => this.#together.delete(ended));
    return turn;
  }

  /**
   * Runs a function as a writer: alone, after all earlier functions have ended and before all later
   * ones begin.
   */
  alone<T>(run: () => T | Promise<T>): Promise<T> {
    const turn = Promise.all([this.#alone, ...this.#together]).then(run);
    this.#alone = turn.catch(() => {});
    return turn;
  }
}
