/**
 * Whether a session's queue is nearly full, with two marks, so that it is not reported at every frame:
 *
 *     ──▶ above half of the limit ──▶ high ──▶ below an eighth of it ──▶ drained
 *
 * `high` changes at once, so that a loop can check it; listeners are called at the end of the turn.
 *
 * @module
 */

/** The state of the send queue to a node: see `Node.pressure`. */
export interface PressureState {
  /** Bytes that wait to be sent. */
  readonly queued: number;
  /** Above this many bytes messages are dropped. */
  readonly limit: number;
  /** The number of messages that were dropped so far. */
  readonly dropped: number;
  /** Whether it exceeded half of the limit, and has not been below an eighth of it since. */
  readonly high: boolean;
}

/** The marks of one queue, and the callers that wait for the lower. */
export class Pressure {
  /** Above this many bytes it is high. */
  readonly highMark: number;
  /** At this many bytes or fewer it is not high any more. */
  readonly lowMark: number;
  isHigh = false;
  readonly #tell: (high: boolean) => void;
  #told = false;
  #waiters: (() => void)[] = [];

  /** Marks for a queue of `bytesMax`. `tell` is called only by `settle`. */
  constructor(bytesMax: number, tell: (high: boolean) => void) {
    this.highMark = Math.floor(bytesMax / 2);
    this.lowMark = Math.floor(bytesMax / 8);
    this.#tell = tell;
  }

  /** Whether listeners have not been called about the current state. */
  get isNews(): boolean {
    return this.isHigh !== this.#told;
  }

  /** Resolves when it is not high, or when the queue is closed. */
  drained(): Promise<void> {
    return this.isHigh ? new Promise((wake) => this.#waiters.push(wake)) : Promise.resolve();
  }

  /** Sets the number of bytes that wait. */
  at(bytes: number): void {
    if (bytes > this.highMark) this.isHigh = true;
    else if (this.isHigh && bytes <= this.lowMark) {
      this.isHigh = false;
      this.#wake();
    }
  }

  /** Calls the listener if the state has changed. */
  settle(): void {
    if (!this.isNews) return;
    this.#told = this.isHigh;
    this.#tell(this.#told);
  }

  /** The queue is closed: resolves all waits, and calls the listener no more. */
  close(): void {
    this.isHigh = false;
    this.#told = false;
    this.#wake();
  }

  #wake(): void {
    const waiters = this.#waiters;
    this.#waiters = [];
    for (const wake of waiters) wake();
  }
}
