/**
 * A list that one peer is told of in portions, while it changes.
 *
 *     rows, by number:   1  2  3 │ 4  5 ┃ 6  7
 *                        told    │      ┃ came later: told one by one, as they come
 *                                at     last
 *
 * A row that goes before its turn has never been told of, and needs not be taken back.
 *
 * @module
 */

/** Rows have numbers that rise in the order in which they came. */
export interface Numbered {
  readonly number: number;
}

/** How far one peer has been told. */
export class SyncCursor<Row extends Numbered> {
  readonly #rows: Iterator<Row>;
  readonly #last: number;
  /** The number of the last row that was told. */
  #at = 0;
  /** The peer knows that these were all. */
  isOver = false;

  /** `rows` must be those of a `Map` or a `Set`, whose iterators see what changes; `last` is the newest. */
  constructor(rows: Iterator<Row>, last: number) {
    this.#rows = rows;
    this.#last = last;
  }

  /** Whether all have been told. */
  get isDone(): boolean {
    return this.#at >= this.#last;
  }

  /** Whether the peer knows of a row: it had its turn, or came later. */
  knows(number: number): boolean {
    return number <= this.#at || number > this.#last;
  }

  /** The next rows, at most so many. */
  next(count: number): Row[] {
    const rows: Row[] = [];
    while (rows.length < count && !this.isDone) {
      const { done, value } = this.#rows.next();
      if (done || value.number > this.#last) this.#at = this.#last;
      else {
        this.#at = value.number;
        rows.push(value);
      }
    }
    return rows;
  }
}
