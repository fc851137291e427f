/**
 * Formats times for output.
 *
 * @module
 */

/** Returns milliseconds as ISO 8601. */
export function iso(ms: number): string {
  return new Date(ms).toISOString();
}

/** Returns a time as ISO 8601, or null if it is missing. */
export function isoOrNull(ms: number | null): string | null {
  return ms === null ? null : iso(ms);
}
