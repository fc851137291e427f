/**
 * Passes on the ends of streams in slices, with timers and sockets in between.
 *
 *     end, end, end ──▶ queue ─ an immediate ─▶ a slice ─ a timer ─▶ a slice ─ … ─▶ empty
 *
 * When thousands of clients disconnect at once, Bun reports all ends in one turn, and each requires
 * closing a socket. An immediate between the slices is not sufficient, because Bun runs no timers
 * while sockets are ready.
 *
 * @module
 */
import type { Clock } from "../base/clock.ts";

/**
 * Maximum time in milliseconds for which ends are passed to handlers before other events are
 * handled.
 */
const SLICE_MS = 2;

/** The pause between two slices, in milliseconds. */
const PAUSE_MS = 1;

/** Number of ends that are passed on between two clock reads. */
const ENDS_PER_CLOCK_READ = 16;

/** A stream whose peer has ended its data, or whose connection is closed. */
export interface Ending {
  /** Passes the end on to the stream's handler. */
  passEnd(): void;
}

/** Queues the ends of streams that have not been passed to their handlers yet. */
export class EndQueue {
  readonly #arm: (run: () => void) => void;
  readonly #clock: Clock;
  #queue: Ending[] = [];
  /** The index in `#queue` of the next stream. */
  #at = 0;

  /** `arm` calls a function at the end of the turn. */
  constructor(arm: (run: () => void) => void, clock: Clock) {
    this.#arm = arm;
    this.#clock = clock;
  }

  /** Queues a stream, whose end is passed to its handler at the end of this turn or later. */
  add(stream: Ending): void {
    if (this.#queue.push(stream) === 1) this.#arm(this.#run);
  }

  readonly #run = (): void => {
    const until = this.#clock.now() + SLICE_MS;
    try {
      do {
        const end = Math.min(this.#at + ENDS_PER_CLOCK_READ, this.#queue.length);
        while (this.#at < end) this.#queue[this.#at++]!.passEnd();
      } while (this.#at < this.#queue.length && this.#clock.now() < until);
    } finally {
      // Continues even if a handler has thrown, because its error does not concern the other
      // streams.
      if (this.#at < this.#queue.length) this.#clock.after(PAUSE_MS, this.#run);
      else {
        this.#queue = [];
        this.#at = 0;
      }
    }
  };
}
