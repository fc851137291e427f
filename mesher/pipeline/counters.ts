/**
 * What a node has counted since it started. `/metrics` shows it, and the load monitor compares it.
 *
 * @module
 */

/** What is counted. */
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
/** One of them. */
export type Count = typeof COUNTS[number];

/** The counters. */
export class Counters {
  readonly #counts = new Map<Count, number>();

  /** Adds. */
  add(name: Count, by: number = 1): void {
    this.#counts.set(name, this.get(name) + by);
  }

  /** How many. */
  get(name: Count): number {
    return this.#counts.get(name) ?? 0;
  }

  /** All, by name. */
  all(): Readonly<Record<Count, number>> {
    return Object.fromEntries(COUNTS.map((name) => [name, this.get(name)])) as Record<
      Count,
      number
    >;
  }
}
