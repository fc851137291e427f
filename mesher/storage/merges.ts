/**
 * Merging and splitting of issues.
 *
 * A merged issue is deleted; its fingerprint becomes an alias of the target issue, so that new
 * events with it are added there. Its events are moved in the background (`sql/moves.ts`).
 *
 * @module
 */
import type { Issue } from "./issues.ts";
import type { Result } from "./result.ts";

/**
 * Maximum number of issues that are merged, or fingerprints that are split off, in one call; more
 * are rejected.
 */
export const MERGE_MAX = 100;

/** A fingerprint whose events belong to an issue. */
export interface IssueFingerprint {
  readonly fingerprint: string;
  /** The title of the issue to which the fingerprint originally belonged. */
  readonly title: string;
  readonly culprit: string;
  /** Time of the merge into the issue; null for the original fingerprint of the issue. */
  readonly mergedAt: number | null;
}

/** Merging and splitting of issues. */
export interface Merges {
  /**
   * Merges issues into `targetId`, which keeps its title and state. The reason `busy` means that
   * events of one of these issues are still being moved by an earlier call.
   */
  mergeIssues(
    orgId: string,
    targetId: string,
    issueIds: readonly string[],
    userId: string | null,
  ): Promise<Result<Issue, "no_issue" | "other_project" | "busy">>;
  /** Splits fingerprints off an issue into one new issue. One of its fingerprints must remain. */
  splitIssue(
    orgId: string,
    issueId: string,
    fingerprints: readonly string[],
    userId: string | null,
  ): Promise<Result<Issue, "no_issue" | "no_fingerprint" | "all_fingerprints" | "busy">>;
  /**
   * Returns the fingerprints of an issue, the original one first. Returns null if there is no such
   * issue.
   */
  issueFingerprints(
    orgId: string,
    issueId: string,
  ): Promise<readonly IssueFingerprint[] | null>;
}
