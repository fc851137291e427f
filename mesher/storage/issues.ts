/**
 * Defines the issues in the storage: their fields, queries and changes.
 *
 * @module
 */
import type { Level } from "../domain/event.ts";
import type { Negated } from "../domain/search.ts";
import type { EventFilter } from "./events.ts";
import type { Page, PageRequest } from "./page.ts";
import type { Result } from "./result.ts";

/**
 * The states of an issue. An archived issue is ignored until its events spike. Events of a
 * discarded issue are not stored.
 */
export const ISSUE_STATUSES = ["unresolved", "resolved", "archived", "discarded"] as const;
/** The state of an issue. */
export type IssueStatus = typeof ISSUE_STATUSES[number];

/** A group of events with the same cause. */
export interface Issue {
  readonly id: string;
  readonly projectId: string;
  readonly fingerprint: string;
  readonly title: string;
  /** The place where the error was thrown, or empty. */
  readonly culprit: string;
  /** The level of the latest event. */
  readonly level: Level;
  readonly status: IssueStatus;
  /** Number of events ever stored, including those deleted by retention. */
  readonly eventCount: number;
  readonly firstSeen: number;
  readonly lastSeen: number;
  /** The id of the assigned user; null if there is none. */
  readonly assignedTo: string | null;
  /** Number of different users of the issue's events. */
  readonly userCount: number;
  /** The release of the first event that had a release; null if no event had one. */
  readonly firstRelease: string | null;
  /** The release of the latest event that had a release; null if no event had one. */
  readonly lastRelease: string | null;
  /**
   * If the issue is resolved in the next release: the release that was the latest when the user
   * resolved the issue. Events of this or an earlier release do not reopen the issue.
   */
  readonly resolvedAfter: string | null;
}

/** A filter of issues. Absent conditions are not applied. */
export interface IssueFilter {
  readonly status?: IssueStatus | undefined;
  readonly level?: Level | undefined;
  /** The id of the assigned user. Null selects unassigned issues. */
  readonly assignedTo?: string | null | undefined;
  /** Words that the title must all contain, ignoring case and accents. */
  readonly query?: string | undefined;
  /** Selects issues that have a matching event. Only the latest 5,000 matching events are used. */
  readonly events?:
    | Pick<EventFilter, "release" | "environment" | "user" | "tags">
    | undefined;
  /**
   * Excludes issues that match one of these conditions. Of each condition on events, only the
   * latest 5,000 matching events are used.
   */
  readonly not?: Negated | undefined;
  /** The sort order. Default: `last_seen`. */
  readonly sort?: IssueSort | undefined;
}

/** The sort orders of issues. Each one lists the highest values first. */
export const ISSUE_SORTS = ["last_seen", "first_seen", "events", "users"] as const;
/** The sort order of issues. */
export type IssueSort = typeof ISSUE_SORTS[number];

/** An archived issue, and the numbers of its events that determine whether it spikes. */
export interface SpikeCandidate {
  readonly issueId: string;
  readonly projectId: string;
  readonly title: string;
  /** Number of events in the last hour. */
  readonly lastHour: number;
  /** Number of events in the seven days before the last hour. */
  readonly weekBefore: number;
}

/** Queries and changes of issues. */
export interface Issues {
  /** Returns a page of issues, newest first by their latest event, then by id. */
  issues(
    orgId: string,
    projectId: string,
    filter: IssueFilter,
    page: PageRequest,
  ): Promise<Page<Issue>>;
  issue(orgId: string, issueId: string): Promise<Issue | null>;
  /**
   * Sets the state: resolve, archive (ignore), unresolve, discard. Returns the updated issue, or
   * null. Setting the current state is not an error. `changed` is whether the state was different
   * before. `by` is the user, for the issue's activity.
   */
  setIssueStatus(
    orgId: string,
    issueId: string,
    status: IssueStatus,
    by?: string | null,
  ): Promise<{ readonly issue: Issue; readonly changed: boolean } | null>;
  /**
   * Resolves an issue in the next release: only events of releases after the project's latest one
   * reopen it. The reason `no_release` means that the project has no releases.
   */
  resolveInNextRelease(
    orgId: string,
    issueId: string,
    by?: string | null,
  ): Promise<
    Result<{ readonly issue: Issue; readonly changed: boolean }, "no_issue" | "no_release">
  >;
  /**
   * Returns event counts per bucket for these issues of a project, by issue id. The buckets are
   * those of `Dashboard.volume`.
   */
  issueVolumes(
    orgId: string,
    projectId: string,
    issueIds: readonly string[],
    range: { readonly since: number; readonly until: number; readonly bucketMs: number },
  ): Promise<ReadonlyMap<string, readonly number[]>>;
  /** Assigns an issue to a member of the organisation, or to no user if `userId` is null. */
  assignIssue(
    orgId: string,
    issueId: string,
    userId: string | null,
    by?: string | null,
  ): Promise<Result<Issue, "no_issue" | "no_member">>;
  /** Deletes an issue with its events. */
  deleteIssue(orgId: string, issueId: string): Promise<boolean>;
  /** Returns the unresolved issues with the most events in a time window, most events first. */
  topIssues(
    orgId: string,
    projectId: string,
    since: number,
    limit: number,
  ): Promise<readonly (Issue & { readonly recent: number })[]>;
  /** Internal: returns the number of unresolved issues of a project. */
  unresolvedCount(projectId: string): Promise<number>;
  /** Internal: returns the archived issues that had events in the hour before `now`. */
  spikeCandidates(now: number): Promise<readonly SpikeCandidate[]>;
  /** Internal: changes an archived issue to unresolved. Returns false if it is not archived. */
  unarchive(issueId: string): Promise<boolean>;
}
