/**
 * Stores the counters of a node, so that they still count after the node has ended. If the node is
 * killed, the counts of its last seconds are lost.
 *
 * @module
 */
import { type Service, service } from "@firn/firn";
import type { Parts } from "../parts.ts";
import { sumOf, type TotalCounts } from "../storage/totals.ts";
import type { NodeCard } from "./registry.ts";

/** The service's name on each node. */
export const TOTALS_KEEPER = "totals_keeper";
/**
 * Interval in milliseconds at which the counters are checked for changes, and stored if they have
 * changed.
 */
const SAVE_MS = 5_000;
/**
 * Interval at which unchanged counters are stored again, in milliseconds. Nodes whose counters are
 * old count as ended.
 */
const SAVE_MS_MAX = 3_600_000;

/** The counters that were last stored, and the time at which they were stored. */
interface Saved {
  readonly text: string;
  readonly at: number;
}

/** The protocol of the service. */
export interface TotalsKeeper {
  state: readonly [parts: Parts, saved: Saved];
  start: [parts: Parts];
  info: "save";
}

/** The service that stores the counters of a node. */
export const totalsKeeper: Service<TotalsKeeper> = service({
  init(parts) {
    this.self.sendInterval(this.self.pid, "save", SAVE_MS);
    return [parts, { text: "", at: 0 }];
  },
  async info([parts, saved]) {
    const text = JSON.stringify(countsOf(parts));
    const at = parts.now();
    if (text === saved.text && at - saved.at < SAVE_MS_MAX) return [parts, saved];
    return await saveTotals(parts) ? [parts, { text, at }] : [parts, saved];
  },
});

/** Stores the counters now. Resolves with false if the database is unavailable. */
export async function saveTotals(parts: Parts): Promise<boolean> {
  try {
    await parts.storage.saveTotals(runOf(parts.node.name, parts.startedAt), countsOf(parts));
    return true;
  } catch {
    return false;
  }
}

/** Returns the sum of each counter over all nodes that answer, and all nodes that have ended. */
export async function totalsOf(
  { storage }: Pick<Parts, "storage">,
  cards: readonly NodeCard[],
): Promise<TotalCounts> {
  const living = cards.map(({ node, startedAt }) => runOf(node, startedAt));
  const ended: TotalCounts = await storage.totals(living).catch(() => ({}));
  return sumOf([ended, ...cards.map(flat)]);
}

function countsOf({ counters }: Parts): TotalCounts {
  return flat({
    counts: counters.all(),
    ignored: counters.labelled("ignored_items"),
    rejected: counters.labelled("rejected"),
  });
}

/**
 * Returns counts by name, `ignored_items/type` or `rejected/reason`, without those that are zero.
 */
function flat(
  { counts, ignored = {}, rejected = {} }: Pick<NodeCard, "counts" | "ignored" | "rejected">,
): TotalCounts {
  const labelled = (kind: string, counts: TotalCounts) =>
    Object.entries(counts).map(([label, count]) => [`${kind}/${label}`, count] as const);
  const all = [
    ...Object.entries(counts),
    ...labelled("ignored_items", ignored),
    ...labelled("rejected", rejected),
  ];
  return Object.fromEntries(all.filter(([, count]) => count > 0));
}

function runOf(node: string, startedAt: number): string {
  return `${node} ${startedAt}`;
}
