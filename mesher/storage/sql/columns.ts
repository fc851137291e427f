/**
 * Column lists for statements.
 *
 * @module
 */

/**
 * Returns columns without their table alias, because SQLite's RETURNING does not support aliases.
 */
export function bare(columns: string): string {
  return columns.replace(/\b[a-z]\./g, "");
}
