/**
 * The pauses between dials of a node that is not reached.
 *
 * @module
 */

/** The first pause between dials, doubled after each failure. Milliseconds; shortened at random by up to half. */
export const BACKOFF_MS_MIN = 100;
/** The longest pause between dials of a node that is no seed. */
export const BACKOFF_MS_MAX = 60_000;
/** The longest pause between dials of a seed. */
export const SEED_BACKOFF_MS_MAX = 10_000;

/** Returns the pause after `failures` failures in a row: doubled with each, up to `most`. Milliseconds. */
export function redialPause(failures: number, most: number = BACKOFF_MS_MAX): number {
  return Math.min(most, BACKOFF_MS_MIN * 2 ** Math.min(failures - 1, 16));
}
