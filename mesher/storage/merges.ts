/**
 * Issues that a person has merged into one, and has split again.
 *
 * A merged issue is gone; its fingerprint is an alias of the issue that took it, so new events with it go there. Its
 * events follow in the background (`sql/moves.ts`).
 *
 * @module
 */
import type { Issue } from "./issues.ts";
import type { Result } from "./result.ts";

/** At most this many issues are merged, or fingerprints split off, in one call; more is refused. */
export const MERGE_MAX = 100;

/** A fingerprint whose events are an issue's. */
export interface IssueFingerprint {
  readonly fingerprint: string;
  /** The title of the issue that had it alone. */
  readonly title: string;
  readonly culprit: string;
  /** When it was merged into the issue; null: it is the issue's own. */
  readonly mergedAt: number | null;
}

/** Merging and splitting. */
export interface Merges {
  /**
   * Merges issues into `targetId`, which keeps its title and state. `busy`: events of one of them are still being
   * moved by an earlier call.
   */
  mergeIssues(
    orgId: string,
    targetId: string,
    issueIds: readonly string[],
    userId: string | null,
  ): Promise<Result<Issue, "no_issue" | "other_project" | "busy">>;
  /** Splits fingerprints off an issue, together, as a new issue. One of its fingerprints must remain. */
  splitIssue(
    orgId: string,
    issueId: string,
    fingerprints: readonly string[],
    userId: string | null,
  ): Promise<Result<Issue, "no_issue" | "no_fingerprint" | "all_fingerprints" | "busy">>;
  /** Its own first, then those that were merged into it; null: there is no such issue. */
  issueFingerprints(
    orgId: string,
    issueId: string,
  ): Promise<readonly IssueFingerprint[] | null>;
}
