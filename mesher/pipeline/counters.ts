/**
 * The counters of a node since its start. `/metrics` shows them.
 *
 * @module
 */

/** The names of the counters. */
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
/** The name of a counter. */
export type Count = typeof COUNTS[number];

/**
 * Maximum number of labels of one kind that are counted separately. Further labels are counted as
 * "other".
 */
const LABELS_MAX = 64;

/** The kinds of counters with labels: the types of ignored items, and the reasons of rejections. */
export type Labelled = "ignored_items" | "rejected";

/** The counters of one node. */
export class Counters {
  readonly #counts = new Map<Count, number>();
  readonly #labelled: Readonly<Record<Labelled, Map<string, number>>> = {
    ignored_items: new Map(),
    rejected: new Map(),
  };

  /** Adds `by` to the counter of a label. */
  addLabelled(kind: Labelled, label: string, by: number = 1): void {
    const counts = this.#labelled[kind];
    const name = counts.has(label) || counts.size < LABELS_MAX ? label : "other";
    counts.set(name, (counts.get(name) ?? 0) + by);
  }

  /** Returns the counters of one kind by label. */
  labelled(kind: Labelled): Readonly<Record<string, number>> {
    return Object.fromEntries(this.#labelled[kind]);
  }

  /** Adds `by` to a counter. */
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
