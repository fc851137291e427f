/**
 * Tracks whether a session's queue is nearly full. Two marks with a large distance prevent frequent
 * changes:
 *
 *     ──▶ above half of the limit ──▶ high ──▶ below an eighth of it ──▶ drained
 *
 * `high` changes at once, so that a loop can check it; listeners are called at the end of the turn.
 *
 * @module
 */

/** The state of the send queue to a node. See `Node.pressure`. */
export interface PressureState {
  /** Number of bytes that wait to be sent. */
  readonly queued: number;
  /** Number of queued bytes above which messages are dropped. */
  readonly limit: number;
  /** Number of messages dropped so far. */
  readonly dropped: number;
  /** Whether the queue has exceeded half of its limit, and has not been below an eighth since. */
  readonly high: boolean;
}

/**
 * Compares the length of one queue with two marks. Resolves pending `drained` calls at the lower
 * mark.
 */
export class Pressure {
  /** Number of bytes above which the queue is high. */
  readonly highMark: number;
  /** Number of bytes at or below which the queue is no longer high. */
  readonly lowMark: number;
  isHigh = false;
  readonly #notify: (high: boolean) => void;
  #notified = false;
  #waiters: (() => void)[] = [];

  /** Creates the marks for a queue of at most `bytesMax` bytes. Only `settle` calls `notify`. */
  constructor(bytesMax: number, notify: (high: boolean) => void) {
    this.highMark = Math.floor(bytesMax / 2);
    this.lowMark = Math.floor(bytesMax / 8);
    this.#notify = notify;
  }

  /** Whether the state has changed since `notify` was last called. */
  get isChanged(): boolean {
    return this.isHigh !== this.#notified;
  }

  /** Resolves when the queue is not high, or when it is closed. */
  drained(): Promise<void> {
    return this.isHigh ? new Promise((wake) => this.#waiters.push(wake)) : Promise.resolve();
  }

  /** Sets the number of queued bytes. */
  at(bytes: number): void {
    if (bytes > this.highMark) this.isHigh = true;
    else if (this.isHigh && bytes <= this.lowMark) {
      this.isHigh = false;
      this.#wake();
    }
  }

  /** Calls `notify` if the state has changed. */
  settle(): void {
    if (!this.isChanged) return;
    this.#notified = this.isHigh;
    this.#notify(this.#notified);
  }

  /** Called when the queue is closed. Resolves all pending calls of `drained`. */
  close(): void {
    this.isHigh = false;
    this.#notified = false;
    this.#wake();
  }

  #wake(): void {
    const waiters = this.#waiters;
    this.#waiters = [];
    for (const wake of waiters) wake();
  }
}
