/**
 * Stores this node's counters, so that those of ended nodes are still counted. The counts of a node's last seconds
 * are lost if it is killed.
 *
 * @module
 */
import { type Service, service } from "@firn/firn";
import type { Parts } from "../parts.ts";
import { sumOf, type TotalCounts } from "../storage/totals.ts";
import type { NodeCard } from "./registry.ts";

/** The service's name on each node. */
export const TOTALS_KEEPER = "totals_keeper";
/** Interval at which it checks whether a counter has changed. Milliseconds. */
const SAVE_MS = 5_000;
/**
 * Interval at which an unchanged counter is stored again, because nodes with old counters count as
 * ended. Milliseconds.
 */
const SAVE_MS_MAX = 3_600_000;

/** The stored counters, and the time. */
interface Saved {
  readonly text: string;
  readonly at: number;
}

/** Its protocol. */
export interface TotalsKeeper {
  state: readonly [parts: Parts, saved: Saved];
  start: [parts: Parts];
  info: "save";
}

/** The service. */
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

/** Returns the sums over all nodes: those that answer, and those that have ended. */
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

/** Counts by name, `ignored_items/type` or `rejected/reason`, without zeros. */
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
