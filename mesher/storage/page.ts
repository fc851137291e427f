/**
 * Lists by pages: what is asked for, and what comes.
 *
 * @module
 */

/** A part of a list, newest first. `next` goes into the following call; null: that was the end. */
export interface Page<T> {
  readonly rows: readonly T[];
  readonly next: Cursor | null;
}

/**
 * A place in a list: the time and id of the last row seen. Rows that come later do not move it.
 * `domain/cursor.ts` makes text of it.
 */
export interface Cursor {
  readonly at: number;
  readonly id: string;
}

/** At most this many rows come in one page, whatever was asked. */
export const PAGE_ROWS_MAX = 100;

/** Which part of a list. */
export interface PageRequest {
  /** 1 to `PAGE_ROWS_MAX`; more is cut to it. */
  readonly limit: number;
  readonly after?: Cursor | null | undefined;
}
