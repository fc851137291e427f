/**
 * The counters of all nodes that ever ran, which the cluster's page sums.
 *
 * @module
 */

/** Counts by name. */
export type TotalCounts = Readonly<Record<string, number>>;

/** Counters of nodes. */
export interface Totals {
  /** Internal: stores the counters of one run of a node, replacing its earlier ones. */
  saveTotals(run: string, counts: TotalCounts): Promise<void>;
  /** Internal: returns the sums over all runs except these. */
  totals(except: readonly string[]): Promise<TotalCounts>;
}
