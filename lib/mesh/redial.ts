/**
 * Computes the pauses between dials of an unreachable node.
 *
 * @module
 */

/**
 * The pause after the first failed dial, in milliseconds. It is doubled after each further failure,
 * and shortened at random by up to half.
 */
export const BACKOFF_MS_MIN = 100;
/** Maximum pause between dials of a node that is not a seed, in milliseconds. */
export const BACKOFF_MS_MAX = 60_000;
/** Maximum pause between dials of a seed, in milliseconds. */
export const SEED_BACKOFF_MS_MAX = 10_000;

/**
 * Returns the pause after `failures` consecutive failures, in milliseconds: it is doubled with each
 * failure, up to `most`.
 */
export function redialPause(failures: number, most: number = BACKOFF_MS_MAX): number {
  return Math.min(most, BACKOFF_MS_MIN * 2 ** Math.min(failures - 1, 16));
}
