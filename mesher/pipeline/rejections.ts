/**
 * What ingest rejects: each is counted with its reason, and logged at a limited rate.
 *
 * @module
 */
import type { LogLine } from "../log.ts";
import type { Counters } from "./counters.ts";

/** A reason is logged at most once in this time. Milliseconds. */
export const REJECTION_LOG_MS = 10_000;

/** Why something was not accepted. */
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

/** The rejections of one node. */
export class Rejections {
  readonly #counters: Counters;
  readonly #log: LogLine;
  readonly #now: () => number;
  /** By reason: when it was logged, and how many there were since. */
  readonly #logged = new Map<RejectionReason, { at: number; since: number }>();

  constructor(counters: Counters, log: LogLine, now: () => number) {
    this.#counters = counters;
    this.#log = log;
    this.#now = now;
  }

  /** Counts it. `detail`: a sentence without anything that a client may have sent. */
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
