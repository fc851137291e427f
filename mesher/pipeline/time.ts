/**
 * Times as the outside sees them.
 *
 * @module
 */

/** Milliseconds as ISO 8601. */
export function iso(ms: number): string {
  return new Date(ms).toISOString();
}

/** The same of a time that may not be. */
export function isoOrNull(ms: number | null): string | null {
  return ms === null ? null : iso(ms);
}
