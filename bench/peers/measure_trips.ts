/**
 * Measurements of round trips between two processes, one after another.
 *
 * @module
 */
import { report } from "./measure.ts";

/** Number of measured round trips, and of the warm-up trips before them. */
export const TRIPS = 5000;
export const WARM_TRIPS = 1500;

/** Reports the median and the 99th percentile, in microseconds, of times in milliseconds. */
export function reportTimes(metric: string, times: readonly number[]): void {
  report(`${metric}.p50`, percentile(times, 0.5) * 1000);
  report(`${metric}.p99`, percentile(times, 0.99) * 1000);
}

/** Measures `trip` `count` times, one after another, after `warm` times, and reports the times. */
export async function eachTimed(
  metric: string,
  warm: number,
  count: number,
  trip: (i: number) => Promise<void>,
): Promise<void> {
  for (let i = 0; i < warm; i++) await trip(i);
  const times = new Array<number>(count);
  for (let i = 0; i < count; i++) {
    const start = performance.now();
    await trip(i);
    times[i] = performance.now() - start;
  }
  reportTimes(metric, times);
}

/** Returns a percentile; `share` is from 0 to 1. */
export function percentile(values: readonly number[], share: number): number {
  return values.toSorted((a, b) => a - b)[Math.floor(share * (values.length - 1))]!;
}
