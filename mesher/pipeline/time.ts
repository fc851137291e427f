/**
 * Formats times for output.
 *
 * @module
 */

/** Returns milliseconds as ISO 8601. */
export function iso(ms: number): string {
  return new Date(ms).toISOString();
}

/** Returns the same for a time that may be missing. */
export function isoOrNull(ms: number | null): string | null {
  return ms === null ? null : iso(ms);
}
