/**
 * Sends a list to one peer in portions, while the list changes.
 *
 *     rows, by number:   1  2  3 │ 4  5 ┃ 6  7
 *                        sent    │      ┃ added later: sent one by one, at once
 *                                at     last
 *
 * If a row is removed before it was sent, the removal is not sent either.
 *
 * @module
 */

/** A row with a number. Rows have ascending numbers, in the order in which they were added. */
export interface Numbered {
  readonly number: number;
}

/** Tracks which rows were sent to one peer. */
export class SyncCursor<Row extends Numbered> {
  readonly #rows: Iterator<Row>;
  readonly #last: number;
  /** The number of the last row that was sent. */
  #at = 0;
  /** Whether the message that ends the list was sent. Set by the owner of the cursor. */
  isOver = false;

  /**
   * `rows` must iterate over a `Map` or a `Set`, because their iterators include later changes.
   * `last` is the number of the newest row.
   */
  constructor(rows: Iterator<Row>, last: number) {
    this.#rows = rows;
    this.#last = last;
  }

  /** Whether all rows were sent. */
  get isDone(): boolean {
    return this.#at >= this.#last;
  }

  /** Returns whether a row was sent to the peer, in a portion or because it was added later. */
  hasSent(number: number): boolean {
    return number <= this.#at || number > this.#last;
  }

  /** Returns the next rows, at most `count` of them. */
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
