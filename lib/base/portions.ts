/**
 * Handles many items in portions, between which pending I/O and timers are handled.
 *
 *     items ─▶ a portion at once ─▶ yield to I/O ─▶ a portion ─▶ … ─▶ over
 *
 * @module
 */

import { Ring } from "./ring.ts";

/** Number of items that are handled before other work runs. */
export const PORTION_COUNT = 256;

/** Runs tasks later, such as a host or an actor system. */
export interface YieldsToIo {
  /** Runs a task after pending I/O and timers have been handled. */
  yieldToIo(task: () => void): void;
}

/** Runs tasks in order: at once, or in portions if there are many tasks in one turn. */
export class PortionQueue {
  readonly #host: YieldsToIo;
  readonly #tasks = new Ring<() => void>(16);
  /** Number of tasks that may still run in this turn. */
  #left = PORTION_COUNT;
  #isArmed = false;

  constructor(host: YieldsToIo) {
    this.#host = host;
  }

  /** Runs a task, now or in a later turn. */
  run(task: () => void): void {
    this.#arm();
    if (this.#left === 0) return this.#tasks.push(task);
    this.#left--;
    task();
  }

  #arm(): void {
    if (this.#isArmed) return;
    this.#isArmed = true;
    this.#host.yieldToIo(this.#portion);
  }

  readonly #portion = (): void => {
    this.#isArmed = false;
    this.#left = PORTION_COUNT;
    if (this.#tasks.length > 0) this.#arm();
    for (; this.#tasks.length > 0 && this.#left > 0; this.#left--) this.#tasks.shift()!();
  };
}

/**
 * Calls `each` with every item, and then `over`. The first portion is handled immediately. Items
 * that are added to a set or a map in the meantime are handled too, and removed ones are not. If
 * `each` throws, the items after the failed one are still handled.
 */
export function inPortions<T>(
  items: Iterable<T>,
  host: YieldsToIo,
  each: (item: T) => void,
  over: () => void = () => {},
  count: number = PORTION_COUNT,
): void {
  const iterator = items[Symbol.iterator]();
  const portion = (): void => {
    let isOver = false;
    try {
      for (let i = 0; i < count; i++) {
        const { done, value } = iterator.next();
        if (done) {
          isOver = true;
          break;
        }
        each(value);
      }
    } finally {
      if (!isOver) host.yieldToIo(portion);
    }
    if (isOver) over();
  };
  portion();
}
