/**
 * The flush point: the end of a turn, when all data written in that turn is sent.
 *
 *     write, write, write ──▶ dirty streams ─┐
 *     atFlush(task) ─────────▶ tasks ────────┴─ the flush point: tasks in order, then the streams
 *
 * The host decides how to wait for the end of a turn: a microtask on Deno; an immediate on Bun,
 * where each socket callback drains the microtasks and frames would be sent one by one.
 *
 * If `flush` makes a system call for each stream, ten thousand streams would delay all other
 * events. With a clock, streams are therefore flushed in slices of {@linkcode SLICE_MS}, and
 * pending I/O and timers are handled in between. Streams of later turns are flushed first, so that
 * a reply does not wait for a broadcast.
 *
 * @module
 */

/** Maximum time in milliseconds for which streams are flushed before other events are handled. */
const SLICE_MS = 2;

/** Number of streams that are flushed between two clock reads. */
const STREAMS_PER_CLOCK_READ = 16;

/** An object that sends its queued data at the flush point. */
export interface Flushable {
  flush(): void;
}

/** The flush point of a host; one per host. */
export class FlushPoint {
  readonly #arm: (run: () => void) => void;
  #tasks: (() => void)[] = [];
  #streams: Flushable[] = [];
  /** Streams of earlier turns. Those from index `#lateAt` on have not been flushed. */
  #late: Flushable[] = [];
  #lateAt = 0;
  #armed = false;
  readonly #now: (() => number) | undefined;

  /**
   * `arm` calls a function at the end of the turn. With `now`, which returns milliseconds, streams
   * are flushed in slices.
   */
  constructor(arm: (run: () => void) => void, now?: () => number) {
    this.#arm = arm;
    this.#now = now;
  }

  /** Runs `task` before the streams are flushed. */
  task(task: () => void): void {
    this.#tasks.push(task);
    this.#await();
  }

  /**
   * Adds a stream, which is flushed at the next flush point, or in a later slice. A stream must not
   * be added twice.
   */
  dirty(stream: Flushable): void {
    this.#streams.push(stream);
    this.#await();
  }

  #await(): void {
    if (this.#armed) return;
    this.#armed = true;
    this.#arm(this.#run);
  }

  readonly #run = (): void => {
    // Tasks may add tasks and mark streams dirty. These belong to this turn too.
    for (let i = 0; i < this.#tasks.length; i++) this.#tasks[i]!();
    this.#tasks.length = 0;
    this.#armed = false;
    const streams = this.#streams;
    this.#streams = [];
    const flushed = this.#slice(streams, 0);
    if (this.#lateAt < this.#late.length) this.#lateAt = this.#slice(this.#late, this.#lateAt);
    if (this.#lateAt === this.#late.length) {
      this.#late = [];
      this.#lateAt = 0;
    }
    for (let i = flushed; i < streams.length; i++) this.#late.push(streams[i]!);
    if (this.#late.length > 0) this.#await();
  };

  /**
   * Flushes streams from index `from` on until the slice is over. Returns the index of the first
   * stream that was not flushed.
   */
  #slice(streams: readonly Flushable[], from: number): number {
    const isShort = streams.length - from < STREAMS_PER_CLOCK_READ;
    const end = this.#now === undefined || isShort ? Infinity : this.#now() + SLICE_MS;
    for (let i = from; i < streams.length; i++) {
      if ((i - from) % STREAMS_PER_CLOCK_READ === STREAMS_PER_CLOCK_READ - 1 && end < Infinity) {
        if (this.#now!() >= end) return i;
      }
      streams[i]!.flush();
    }
    return streams.length;
  }
}
