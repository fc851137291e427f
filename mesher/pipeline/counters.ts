/**
 * The counters of a node since its start. `/metrics` shows them, and the load monitor compares
 * them.
 *
 * @module
 */

/** The counters. */
export const COUNTS = [
  "accepted",
  "sampled_out",
  "rate_limited",
  "refused_invalid",
  "refused_full",
  "unauthorized",
  "stored",
  "duplicate",
  "discarded",
  "orphan",
  "unwritable",
  "batches",
  "write_retries",
  "sent_to_helpers",
  "processed_for_others",
  "broadcasts",
  "alerts",
  "webhooks_delivered",
  "webhooks_failed",
  "requests",
] as const;
/** One of the counters. */
export type Count = typeof COUNTS[number];

/** Names of one kind that are counted separately; all others are counted as "other". */
const LABELS_MAX = 64;

/** Counters by name: items that are not stored, and reasons of rejections. */
export type Labelled = "ignored_items" | "rejected";

/** The counters. */
export class Counters {
  readonly #counts = new Map<Count, number>();
  readonly #labelled: Readonly<Record<Labelled, Map<string, number>>> = {
    ignored_items: new Map(),
    rejected: new Map(),
  };

  /** Adds to the count of a label. */
  addLabelled(kind: Labelled, label: string, by: number = 1): void {
    const counts = this.#labelled[kind];
    const name = counts.has(label) || counts.size < LABELS_MAX ? label : "other";
    counts.set(name, (counts.get(name) ?? 0) + by);
  }

  /** Counts by label. */
  labelled(kind: Labelled): Readonly<Record<string, number>> {
    return Object.fromEntries(this.#labelled[kind]);
  }

  /** Adds. */
  add(name: Count, by: number = 1): void {
    this.#counts.set(name, this.get(name) + by);
  }

  /** Returns the value of a counter. */
  get(name: Count): number {
    return this.#counts.get(name) ?? 0;
  }

  /** Returns all counters by name. */
  all(): Readonly<Record<Count, number>> {
    return Object.fromEntries(COUNTS.map((name) => [name, this.get(name)])) as Record<
      Count,
      number
    >;
  }
}
