/**
 * Columns as the parts of a statement want them.
 *
 * @module
 */

/** Columns without their table's letter: SQLite's RETURNING knows no alias. */
export function bare(columns: string): string {
  return columns.replace(/\b[a-z]\./g, "");
}
