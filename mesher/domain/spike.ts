/**
 * When an archived issue is worth a look again: when the last hour brought more than ten times the hourly
 * mean of the seven days before it, and more than ten events.
 *
 * @module
 */

/** How often an issue came. */
export interface Counts {
  readonly lastHour: number;
  /** In the seven days before that hour. */
  readonly weekBefore: number;
}

/** A spike has more events than this. */
export const SPIKE_EVENTS_MIN = 10;
/** And more than this many times the mean. */
export const SPIKE_FACTOR = 10;
const HOURS_PER_WEEK = 168;

/** More than this many events in the last hour are a spike. */
export function spikeThreshold(weekBefore: number): number {
  return Math.max(SPIKE_EVENTS_MIN, SPIKE_FACTOR * weekBefore / HOURS_PER_WEEK);
}

/** Whether it is one. */
export function isSpike({ lastHour, weekBefore }: Counts): boolean {
  return lastHour > spikeThreshold(weekBefore);
}
