/**
 * The counters of all nodes that ever ran: what the cluster's page adds up.
 *
 * @module
 */

/** Counts by name. */
export type TotalCounts = Readonly<Record<string, number>>;

/** Counters of nodes. */
export interface Totals {
  /** The system's own: stores the counters of one run of a node, in place of what it stored before. */
  saveTotals(run: string, counts: TotalCounts): Promise<void>;
  /** The system's own: the sums of all runs but these. */
  totals(except: readonly string[]): Promise<TotalCounts>;
}
