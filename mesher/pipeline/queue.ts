/**
 * A bounded queue whose workers may crash. Items that a worker takes stay in the queue as borrowed
 * until they are settled; a restarted worker takes back all items that its predecessor had
 * borrowed.
 *
 *     push ─▶ waiting ──take──▶ on loan ──settle──▶ gone
 *                ▲                 │
 *                └────release──────┘
 *
 * @module
 */

/** The items borrowed by a worker. */
export interface Loan<T> {
  readonly items: readonly T[];
}

/** A bounded queue with borrowed items. */
export class EventQueue<T> {
  /** Maximum number of waiting and borrowed items together. `push` rejects more. */
  readonly max: number;
  /** Called after items were added or put back. */
  wake: (() => void) | undefined = undefined;
  #waiting: T[] = [];
  /** Index of the first waiting item in `#waiting`. Items before it were taken. */
  #head = 0;
  readonly #loans = new Set<Loan<T>>();
  #loaned = 0;

  constructor(max: number) {
    this.max = max;
  }

  /** Number of waiting items. */
  get waiting(): number {
    return this.#waiting.length - this.#head;
  }

  /** Number of waiting and borrowed items. */
  get size(): number {
    return this.waiting + this.#loaned;
  }

  /** Number of items that can be added. */
  get room(): number {
    return this.max - this.size;
  }

  /** Adds all items. Returns false, and adds none, if they do not all fit. */
  push(items: readonly T[]): boolean {
    if (items.length > this.room) return false;
    for (const item of items) this.#waiting.push(item);
    this.wake?.();
    return true;
  }

  /** Lends at most `count` items, oldest first. Returns undefined if no items wait. */
  take(count: number): Loan<T> | undefined {
    if (this.waiting === 0) return undefined;
    const items = this.#waiting.slice(this.#head, this.#head + count);
    this.#head += items.length;
    if (this.#head > 4096 && this.#head * 2 > this.#waiting.length) {
      this.#waiting = this.#waiting.slice(this.#head);
      this.#head = 0;
    }
    const loan = { items };
    this.#loans.add(loan);
    this.#loaned += items.length;
    return loan;
  }

  /**
   * Removes borrowed items that were processed. Returns false if the queue has taken them back.
   */
  settle(loan: Loan<T>): boolean {
    if (!this.#loans.delete(loan)) return false;
    this.#loaned -= loan.items.length;
    return true;
  }

  /** Puts borrowed items back into the queue, in front of the waiting items. */
  release(loan: Loan<T>): void {
    if (!this.#loans.delete(loan)) return;
    this.#loaned -= loan.items.length;
    this.#waiting = [...loan.items, ...this.#waiting.slice(this.#head)];
    this.#head = 0;
    this.wake?.();
  }

  /** Takes back all borrowed items, because their worker has crashed. */
  releaseAll(): void {
    for (const loan of [...this.#loans].reverse()) this.release(loan);
  }
}
