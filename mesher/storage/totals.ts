/**
 * Defines the stored counters of all nodes, including nodes that have ended. The page of the
 * cluster shows their sums.
 *
 * @module
 */

/** Counts by name. */
export type TotalCounts = Readonly<Record<string, number>>;

/** Adds up counts of the same names. */
export function sumOf(all: readonly TotalCounts[]): TotalCounts {
  const sums: Record<string, number> = {};
  for (const [name, count] of all.flatMap((counts) => Object.entries(counts))) {
    sums[name] = (sums[name] ?? 0) + count;
  }
  return sums;
}

/** Queries and changes of the counters of nodes. */
export interface Totals {
  /** Internal: stores the counters of one run of a node. Replaces earlier counters of the run. */
  saveTotals(run: string, counts: TotalCounts): Promise<void>;
  /** Internal: returns the sum of each counter over all runs except those in `except`. */
  totals(except: readonly string[]): Promise<TotalCounts>;
}
