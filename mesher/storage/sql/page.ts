/**
 * Queries lists in pages, newest first.
 *
 * @module
 */
import { isId } from "../../domain/id.ts";
import type { Conditions } from "../database.ts";
import { type Page, PAGE_ROWS_MAX, type PageRequest } from "../page.ts";

/** An empty page. */
export const NO_ROWS: Page<never> = { rows: [], next: null };

/** Returns the number of rows for a request. */
export function limitOf(page: Pick<PageRequest, "limit">): number {
  return Math.min(PAGE_ROWS_MAX, Math.max(1, Math.trunc(page.limit) || 1));
}

/**
 * Adds the condition that rows come after the last row of the previous page. Returns false if the
 * id of that row is invalid.
 */
export function narrowToPage(
  where: Conditions,
  { after }: PageRequest,
  atColumn: string,
  idColumn: string,
): boolean {
  if (!after) return true;
  if (!isId(after.id)) return false;
  where.and(`(${atColumn}, ${idColumn}) < (${where.param(after.at)}, ${where.param(after.id)})`);
  return true;
}

/**
 * Returns a page of rows that were queried with one more than the limit, to detect whether there
 * are more.
 */
export function pageFrom<Row extends { readonly id: string }, T>(
  rows: readonly Row[],
  limit: number,
  at: (row: Row) => number,
  from: (row: Row) => T,
): Page<T> {
  const shown = rows.slice(0, limit);
  const last = shown.at(-1);
  return {
    rows: shown.map(from),
    next: rows.length > limit && last !== undefined ? { at: at(last), id: last.id } : null,
  };
}
