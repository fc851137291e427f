/**
 * Determines when an archived issue is reopened: when the last hour had more than ten times the hourly
 * mean of the seven days before it, and more than ten events.
 *
 * @module
 */

/** The event counts of an issue. */
export interface Counts {
  readonly lastHour: number;
  /** Number of events in the seven days before that hour. */
  readonly weekBefore: number;
}

/** Minimum number of events of a spike, exclusive. */
export const SPIKE_EVENTS_MIN = 10;
/** Minimum multiple of the mean, exclusive. */
export const SPIKE_FACTOR = 10;
const HOURS_PER_WEEK = 168;

/** Number of events in the last hour above which it is always a spike. */
export function spikeThreshold(weekBefore: number): number {
  return Math.max(SPIKE_EVENTS_MIN, SPIKE_FACTOR * weekBefore / HOURS_PER_WEEK);
}

/** Returns whether it is a spike. */
export function isSpike({ lastHour, weekBefore }: Counts): boolean {
  return lastHour > spikeThreshold(weekBefore);
}
