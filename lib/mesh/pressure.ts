/**
 * How full a session's queue is, with two marks, so that it is not told at every frame:
 *
 *     ──▶ above half of the limit ──▶ high ──▶ below an eighth of it ──▶ drained
 *
 * `high` is true at once, so that a loop can ask; who listens is told at the end of the turn.
 *
 * @module
 */

/** What can be asked about a session's queue. */
export interface PressureState {
  /** Bytes that wait to be sent. */
  readonly queued: number;
  /** Past this many, messages are dropped. */
  readonly limit: number;
  /** How many were dropped so far. */
  readonly dropped: number;
  /** It was above half of the limit, and has not been below an eighth of it since. */
  readonly high: boolean;
}

/** The two marks of one queue, and who waits for the lower. */
export class Pressure {
  /** Above this many bytes it is high. */
  readonly highMark: number;
  /** Not above this many bytes it is over. */
  readonly lowMark: number;
  isHigh = false;
  readonly #tell: (high: boolean) => void;
  #told = false;
  #waiters: (() => void)[] = [];

  /** Marks for a queue of `bytesMax`. `tell` is called by `settle` only. */
  constructor(bytesMax: number, tell: (high: boolean) => void) {
    this.highMark = Math.floor(bytesMax / 2);
    this.lowMark = Math.floor(bytesMax / 8);
    this.#tell = tell;
  }

  /** True if somebody has not been told what is so now. */
  get isNews(): boolean {
    return this.isHigh !== this.#told;
  }

  /** Resolves when it is not high, or when there is no queue any more. */
  drained(): Promise<void> {
    return this.isHigh ? new Promise((wake) => this.#waiters.push(wake)) : Promise.resolve();
  }

  /** So much waits now. */
  at(bytes: number): void {
    if (bytes > this.highMark) this.isHigh = true;
    else if (this.isHigh && bytes <= this.lowMark) {
      this.isHigh = false;
      this.#wake();
    }
  }

  /** Tells whoever listens, if it has changed. */
  settle(): void {
    if (!this.isNews) return;
    this.#told = this.isHigh;
    this.#tell(this.#told);
  }

  /** The queue is gone: nobody is told any more, and nobody waits. */
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
