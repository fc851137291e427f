/**
 * Spike detection: an archived issue is reopened when it had more than ten events in the last hour,
 * and more than ten times the hourly mean of the seven days before.
 *
 * @module
 */

/** The event counts of an issue. */
export interface Counts {
  readonly lastHour: number;
  /** Number of events in the seven days before the last hour. */
  readonly weekBefore: number;
}

/** An hour with this number of events or fewer is no spike. */
export const SPIKE_EVENTS_MIN = 10;
/** Factor by which a spike exceeds the hourly mean of the seven days before it. */
export const SPIKE_FACTOR = 10;
const HOURS_PER_WEEK = 168;

/** Returns the number of events above which an hour is a spike. */
export function spikeThreshold(weekBefore: number): number {
  return Math.max(SPIKE_EVENTS_MIN, SPIKE_FACTOR * weekBefore / HOURS_PER_WEEK);
}

/** Returns whether the last hour is a spike. */
export function isSpike({ lastHour, weekBefore }: Counts): boolean {
  return lastHour > spikeThreshold(weekBefore);
}
