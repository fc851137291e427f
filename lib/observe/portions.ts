/**
 * Processes items in portions, so that observation uses a bounded share of a node's time: after
 * each portion of one millisecond, it pauses for at least nine milliseconds. Actors wait for at
 * most one portion.
 *
 * @module
 */
import type { Clock } from "../base/clock.ts";

/** Time for which one portion of work runs, in milliseconds. */
const PORTION_MS = 1;

/** Duration of the pause after a portion, as a multiple of the portion's duration. */
export const PAUSE_FACTOR = 9;

/** Default number of items that are processed between two clock reads. */
const ITEMS = 256;

/**
 * Returns the duration of the pause after a portion, as a multiple of the portion's duration. The
 * multiple may change during the work.
 */
export type PauseFactor = () => number;

/** The pause factor of requests that the node's own program makes. */
export const OWN_PAUSE: PauseFactor = () => PAUSE_FACTOR;

/** Calls `each` with every item, in portions. The clock is read after every `perReading` items. */
export async function inPortions<T>(
  clock: Clock,
  items: Iterable<T>,
  each: (item: T) => void,
  factor: PauseFactor,
  perReading: number = ITEMS,
): Promise<void> {
  let began = clock.now();
  let count = 0;
  for (const item of items) {
    each(item);
    if (++count % perReading !== 0) continue;
    const took = clock.now() - began;
    if (took < PORTION_MS) continue;
    await pause(clock, took * factor());
    began = clock.now();
  }
}

/** Resolves after `ms` milliseconds. */
export function pause(clock: Clock, ms: number): Promise<void> {
  return new Promise((resolve) => void clock.after(ms, resolve));
}
