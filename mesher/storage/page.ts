/**
 * Defines the requests and results of paged lists.
 *
 * @module
 */

/**
 * A part of a list, newest first. `next` is passed to the call for the next page; it is null for
 * the last page.
 */
export interface Page<T> {
  readonly rows: readonly T[];
  readonly next: Cursor | null;
}

/**
 * A position in a list: the time and id of the last row seen. New rows do not change the position.
 * `domain/cursor.ts` encodes it as text.
 */
export interface Cursor {
  readonly at: number;
  readonly id: string;
}

/** Maximum number of rows in one page, regardless of the request. */
export const PAGE_ROWS_MAX = 100;

/** The requested part of a list. */
export interface PageRequest {
  /** Number of rows, from 1 to `PAGE_ROWS_MAX`. Larger values are reduced to this maximum. */
  readonly limit: number;
  readonly after?: Cursor | null | undefined;
}
