/**
 * The actors of a system by their numbers. Numbers are given in order and never again, so the table is
 * made of pages of neighbours: an actor costs one word of it, and a page goes with the last of its own.
 *
 * @module
 */

/** Numbers on a page. */
const PAGE_SIZE = 64;

interface Page<T> {
  /** By the number within the page. */
  readonly items: (T | undefined)[];
  /** Which of all pages. */
  readonly index: number;
  /** How many are there. */
  count: number;
}

/** Items by number. */
export class Table<T extends object> {
  /** How many there are. */
  size = 0;
  readonly #pages = new Map<number, Page<T>>();
  /** Where the last one was added; kept even when it is empty. */
  #newest: Page<T> | undefined = undefined;

  /** Adds one, whose number is higher than those of all before it. */
  add(id: number, item: T): void {
    const index = Math.floor(id / PAGE_SIZE);
    let page = this.#newest;
    if (page === undefined || page.index !== index) page = this.#turn(index);
    page.items[id % PAGE_SIZE] = item;
    page.count++;
    this.size++;
  }

  /** The one with this number. */
  get(id: number): T | undefined {
    return this.#pageOf(id)?.items[id % PAGE_SIZE];
  }

  /** Takes the one with this number out. */
  delete(id: number): void {
    const page = this.#pageOf(id);
    if (page === undefined || page.items[id % PAGE_SIZE] === undefined) return;
    page.items[id % PAGE_SIZE] = undefined;
    this.size--;
    if (--page.count === 0 && page !== this.#newest) this.#pages.delete(page.index);
  }

  /** All of them, in the order of their numbers. */
  all(): T[] {
    const all: T[] = [];
    for (const { items } of this.#pages.values()) {
      for (const item of items) if (item !== undefined) all.push(item);
    }
    return all;
  }

  #pageOf(id: number): Page<T> | undefined {
    const index = Math.floor(id / PAGE_SIZE);
    return this.#newest?.index === index ? this.#newest : this.#pages.get(index);
  }

  /** A new page. */
  #turn(index: number): Page<T> {
    const old = this.#newest;
    if (old?.count === 0) this.#pages.delete(old.index);
    const items = new Array<T | undefined>(PAGE_SIZE).fill(undefined);
    const page = { items, index, count: 0 };
    this.#pages.set(index, page);
    this.#newest = page;
    return page;
  }
}
