/**
 * A bounded queue whose workers may crash: items that are taken stay here, on loan, until they are
 * settled. A worker that is started again takes back all loans of its predecessor.
 *
 *     push ─▶ waiting ──take──▶ on loan ──settle──▶ gone
 *                ▲                 │
 *                └────release──────┘
 *
 * @module
 */

/** The items of a worker. */
export interface Loan<T> {
  readonly items: readonly T[];
}

/** The queue. */
export class EventQueue<T> {
  /** Waiting and on loan together are never more than this; `push` refuses what would be. */
  readonly max: number;
  /** Called when items wait, once. */
  wake: (() => void) | undefined = undefined;
  #waiting: T[] = [];
  /** Where the first that waits is in `#waiting`; those before it are gone. */
  #head = 0;
  readonly #loans = new Set<Loan<T>>();
  #loaned = 0;

  constructor(max: number) {
    this.max = max;
  }

  /** How many wait. */
  get waiting(): number {
    return this.#waiting.length - this.#head;
  }

  /** How many wait or are on loan. */
  get size(): number {
    return this.waiting + this.#loaned;
  }

  /** How many more it takes. */
  get room(): number {
    return this.max - this.size;
  }

  /** Adds all, or none when they do not all fit: false. */
  push(items: readonly T[]): boolean {
    if (items.length > this.room) return false;
    for (const item of items) this.#waiting.push(item);
    this.wake?.();
    return true;
  }

  /** Lends at most `count`, oldest first; undefined when none wait. */
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

  /** Settles the loan. Returns false if it was taken back meanwhile. */
  settle(loan: Loan<T>): boolean {
    if (!this.#loans.delete(loan)) return false;
    this.#loaned -= loan.items.length;
    return true;
  }

  /** They wait again, first in line. */
  release(loan: Loan<T>): void {
    if (!this.#loans.delete(loan)) return;
    this.#loaned -= loan.items.length;
    this.#waiting = [...loan.items, ...this.#waiting.slice(this.#head)];
    this.#head = 0;
    this.wake?.();
  }

  /** Takes all loans back, since their worker has crashed. */
  releaseAll(): void {
    for (const loan of [...this.#loans].reverse()) this.release(loan);
  }
}
