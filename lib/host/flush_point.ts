/**
 * The end of a turn, when everything that was written in it leaves.
 *
 *     write, write, write ──▶ dirty streams ─┐
 *     atFlush(task) ─────────▶ tasks ────────┴─ the flush point: tasks in order, then the streams
 *
 * How the end of a turn is awaited is the host's: a microtask on Deno; on Bun an immediate,
 * because there each socket callback drains the microtasks and frames would leave one by one.
 *
 * @module
 */

/** Something that sends what it queued when the turn ends. */
export interface Flushable {
  flush(): void;
}

/** One per host. */
export class FlushPoint {
  readonly #arm: (run: () => void) => void;
  #tasks: (() => void)[] = [];
  #streams: Flushable[] = [];
  #armed = false;

  constructor(arm: (run: () => void) => void) {
    this.#arm = arm;
  }

  /** Runs `task` before the streams are flushed. */
  task(task: () => void): void {
    this.#tasks.push(task);
    this.#await();
  }

  /** Flushes `stream` once. The stream sees to it that it is not in the list twice. */
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
    // Tasks may add tasks and dirty more streams: both still belong to this turn.
    for (let i = 0; i < this.#tasks.length; i++) this.#tasks[i]!();
    this.#tasks.length = 0;
    this.#armed = false;
    const streams = this.#streams;
    this.#streams = [];
    for (let i = 0; i < streams.length; i++) streams[i]!.flush();
  };
}
