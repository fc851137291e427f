/**
 * Summarizes repeated measurements: their median, their quartiles, and whether the difference
 * between two columns of measurements is more than noise.
 *
 * @module
 */

/** The median of the measurements, and their lower and upper quartile. */
export interface Spread {
  readonly median: number;
  readonly low: number;
  readonly high: number;
}

/** The rule of {@linkcode isNoise}, for a report. */
export const NOISE_RULE: string =
  "≈: within noise. Of the ratios of two columns in the same turn or round, the middle half\n" +
  "includes 1, or the median is less than a tenth from 1.";

/** Maximum distance from 1 of a median ratio that counts as noise. */
const NOISE_MAX = 0.1;

/** Returns the median, which for an even number of values is the mean of the two middle ones. */
export function median(values: readonly number[]): number {
  return quantile(values, 0.5);
}

/** Returns the median and the quartiles. */
export function spread(values: readonly number[]): Spread {
  return { median: median(values), low: quantile(values, 0.25), high: quantile(values, 0.75) };
}

/** Returns the ratios of measurements that were made in the same turn. */
export function ratios(values: readonly number[], others: readonly number[]): number[] {
  const count = Math.min(values.length, others.length);
  return Array.from({ length: count }, (_, i) => values[i]! / others[i]!);
}

/**
 * Returns whether two columns differ by no more than noise: the middle half of the ratios includes
 * 1, or their median is less than a tenth from 1.
 */
export function isNoise(values: readonly number[], others: readonly number[]): boolean {
  const { median, low, high } = spread(ratios(values, others));
  return low <= 1 && high >= 1 || Math.abs(median - 1) < NOISE_MAX;
}

/**
 * Returns the median ratio of one column to another as text, such as "≈ 1.1×". "≈" marks a
 * difference within noise. `digits` returns the number of decimals.
 */
export function timesOf(
  values: readonly number[],
  others: readonly number[],
  digits: (times: number) => number,
): string {
  const times = median(ratios(values, others));
  return `${isNoise(values, others) ? "≈ " : ""}${times.toFixed(digits(times))}×`;
}

/** Returns a quantile, interpolated linearly between the two nearest values. */
function quantile(values: readonly number[], q: number): number {
  const sorted = values.toSorted((a, b) => a - b);
  const at = (sorted.length - 1) * q;
  const [below, above] = [sorted[Math.floor(at)] ?? NaN, sorted[Math.ceil(at)] ?? NaN];
  return below + (above - below) * (at % 1);
}
