/**
 * A bounded queue whose workers may crash: items that a worker takes stay in the queue as borrowed
 * until they are settled. A restarted worker takes back all borrowed items of its predecessor.
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

/** The queue. */
export class EventQueue<T> {
  /** Maximum number of waiting and borrowed items together; `push` rejects more. */
  readonly max: number;
  /** Called once when items wait. */
  wake: (() => void) | undefined = undefined;
  #waiting: T[] = [];
  /** Index of the first waiting item in `#waiting`; the items before it are removed. */
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

  /** Number of items for which there is room. */
  get room(): number {
    return this.max - this.size;
  }

  /** Adds all items, or none if they do not all fit, and then returns false. */
  push(items: readonly T[]): boolean {
    if (items.length > this.room) return false;
    for (const item of items) this.#waiting.push(item);
    this.wake?.();
    return true;
  }

  /** Lends at most `count` items, oldest first; returns undefined if none wait. */
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

  /** Settles borrowed items. Returns false if they were taken back meanwhile. */
  settle(loan: Loan<T>): boolean {
    if (!this.#loans.delete(loan)) return false;
    this.#loaned -= loan.items.length;
    return true;
  }

  /** The items wait again, first in line. */
  release(loan: Loan<T>): void {
    if (!this.#loans.delete(loan)) return;
    this.#loaned -= loan.items.length;
    this.#waiting = [...loan.items, ...this.#waiting.slice(this.#head)];
    this.#head = 0;
    this.wake?.();
  }

  /** Takes all borrowed items back, because their worker has crashed. */
  releaseAll(): void {
    for (const loan of [...this.#loans].reverse()) this.release(loan);
  }
}
