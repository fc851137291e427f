/**
 * Implements a shared lock (readers-writer lock), held by many readers or by one writer. It is fair:
 * a reader that arrives after a waiting writer waits for that writer.
 *
 * @module
 */

/** The lock of one resource. */
export class SharedLock {
  /** Settles when the function that last ran exclusively has ended. */
  #exclusive: Promise<unknown> = Promise.resolve();
  /** The functions that run concurrently and have not ended. */
  readonly #shared = new Set<Promise<unknown>>();

  /** Runs a function as a reader: concurrently with other readers. */
  shared<T>(run: () => T | Promise<T>): Promise<T> {
    const turn = this.#exclusive.then(run);
    const ended: Promise<unknown> = turn.catch(() => {});
    this.#shared.add(ended);
    ended.then(() => this.#shared.delete(ended));
    return turn;
  }

  /**
   * Runs a function as a writer: alone, after all earlier functions have ended and before all later
   * ones begin.
   */
  exclusive<T>(run: () => T | Promise<T>): Promise<T> {
    const turn = Promise.all([this.#exclusive, ...this.#shared]).then(run);
    this.#exclusive = turn.catch(() => {});
    return turn;
  }
}
