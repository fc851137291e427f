/**
 * Counts the requests that ingest has rejected, by reason, and logs them at a limited rate.
 *
 * @module
 */
import type { LogLine } from "../log.ts";
import type { Counters } from "./counters.ts";

/** Minimum time between two log lines for the same reason, in milliseconds. */
export const REJECTION_LOG_MS = 10_000;

/** The reasons for which ingest rejects a request or an event. */
export type RejectionReason =
  | "unauthorized"
  | "wrong_project"
  | "rate_limited"
  | "buffer_full"
  | "stopping"
  | "too_large"
  | "too_many_items"
  | "truncated"
  | "invalid_header"
  | "invalid_json"
  | "invalid_event"
  | "invalid_body"
  | "unknown_encoding"
  | "storage";

/** Counts and logs the rejections of one node. */
export class Rejections {
  readonly #counters: Counters;
  readonly #log: LogLine;
  readonly #now: () => number;
  /** The time of the last log line, and the number of rejections since then, by reason. */
  readonly #logged = new Map<RejectionReason, { at: number; since: number }>();

  constructor(counters: Counters, log: LogLine, now: () => number) {
    this.#counters = counters;
    this.#log = log;
    this.#now = now;
  }

  /** Counts a rejection. `detail` is a sentence without any data from clients. */
  add(reason: RejectionReason, project: string | null, detail: string, by: number = 1): void {
    if (by <= 0) return;
    this.#counters.addLabelled("rejected", reason, by);
    const now = this.#now();
    const known = this.#logged.get(reason);
    if (known !== undefined && now - known.at < REJECTION_LOG_MS) {
      known.since += by;
      return;
    }
    const more = known !== undefined && known.since > 0
      ? `; ${known.since} more like it before`
      : "";
    this.#logged.set(reason, { at: now, since: 0 });
    const where = project === null ? "" : ` of project ${project}`;
    this.#log("warn", `ingest rejected (${reason})${where}: ${detail}${more}`);
  }
}
