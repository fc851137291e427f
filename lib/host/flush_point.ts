/**
 * The flush point: the end of a turn, when all data written in that turn is sent.
 *
 *     write, write, write ──▶ dirty streams ─┐
 *     atFlush(task) ─────────▶ tasks ────────┴─ the flush point: tasks in order, then the streams
 *
 * The host decides how to wait for the end of a turn: a microtask on Deno; an immediate on Bun,
 * where each socket callback drains the microtasks and frames would be sent one by one.
 *
 * @module
 */

/** An object that sends its queued data when the turn ends. */
export interface Flushable {
  flush(): void;
}

/** The flush point of a host; one per host. */
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

  /** Flushes `stream` once. The stream must not add itself twice. */
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
    // Tasks may add tasks and mark streams dirty: both still belong to this turn.
    for (let i = 0; i < this.#tasks.length; i++) this.#tasks[i]!();
    this.#tasks.length = 0;
    this.#armed = false;
    const streams = this.#streams;
    this.#streams = [];
    for (let i = 0; i < streams.length; i++) streams[i]!.flush();
  };
}
