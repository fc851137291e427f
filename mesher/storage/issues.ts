/**
 * Issues: what is stored, and the queries.
 *
 * @module
 */
import type { Level } from "../domain/event.ts";
import type { EventFilter } from "./events.ts";
import type { Page, PageRequest } from "./page.ts";
import type { Result } from "./result.ts";

/** The states of an issue. `archived` is ignored until it spikes; `discarded` drops its events. */
export const ISSUE_STATUSES = ["unresolved", "resolved", "archived", "discarded"] as const;
/** The state of an issue. */
export type IssueStatus = typeof ISSUE_STATUSES[number];

/** A group of events that are the same fault. */
export interface Issue {
  readonly id: string;
  readonly projectId: string;
  readonly fingerprint: string;
  readonly title: string;
  /** Where it was thrown, or empty. */
  readonly culprit: string;
  /** Of its latest event. */
  readonly level: Level;
  readonly status: IssueStatus;
  /** Events ever stored, those deleted by retention included. */
  readonly eventCount: number;
  readonly firstSeen: number;
  readonly lastSeen: number;
  /** A user's id. */
  readonly assignedTo: string | null;
}

/** Which issues. Absent conditions are not applied. */
export interface IssueFilter {
  readonly status?: IssueStatus | undefined;
  readonly level?: Level | undefined;
  /** A user's id; null: not assigned. */
  readonly assignedTo?: string | null | undefined;
  /** Words that the title has, all of them, in any case and with or without accents. */
  readonly query?: string | undefined;
  /** Those that have such events, among the latest 5,000 of these. */
  readonly events?:
    | Pick<EventFilter, "release" | "environment" | "user" | "tags">
    | undefined;
  /** Default: `last_seen`. */
  readonly sort?: IssueSort | undefined;
}

/** What issues are sorted by, the highest first. */
export const ISSUE_SORTS = ["last_seen", "first_seen", "events"] as const;
/** What issues are sorted by. */
export type IssueSort = typeof ISSUE_SORTS[number];

/** An archived issue and how often it came, for the spike rule. */
export interface SpikeCandidate {
  readonly issueId: string;
  readonly projectId: string;
  readonly title: string;
  /** Events of the last hour. */
  readonly lastHour: number;
  /** Events of the seven days before that hour. */
  readonly weekBefore: number;
}

/** Issues. */
export interface Issues {
  /** By latest event, newest first; at equal times by id. */
  issues(
    orgId: string,
    projectId: string,
    filter: IssueFilter,
    page: PageRequest,
  ): Promise<Page<Issue>>;
  issue(orgId: string, issueId: string): Promise<Issue | null>;
  /**
   * Sets the state: resolve, archive (ignore), unresolve, discard. The issue as it is then, or null.
   * Setting what is set is no error. `changed`: whether it was another state before. `by`: the user, for the
   * issue's activity.
   */
  setIssueStatus(
    orgId: string,
    issueId: string,
    status: IssueStatus,
    by?: string | null,
  ): Promise<{ readonly issue: Issue; readonly changed: boolean } | null>;
  /** `null` assigns it to nobody. The user must be a member of the organisation. */
  assignIssue(
    orgId: string,
    issueId: string,
    userId: string | null,
    by?: string | null,
  ): Promise<Result<Issue, "no_issue" | "no_member">>;
  /** With its events. */
  deleteIssue(orgId: string, issueId: string): Promise<boolean>;
  /** Unresolved issues with the most events in the window, most first. */
  topIssues(
    orgId: string,
    projectId: string,
    since: number,
    limit: number,
  ): Promise<readonly (Issue & { readonly recent: number })[]>;
  /** The system's own: how many of a project's issues are unresolved. */
  unresolvedCount(projectId: string): Promise<number>;
  /** The system's own: archived issues that had events in the hour before `now`. */
  spikeCandidates(now: number): Promise<readonly SpikeCandidate[]>;
  /** The system's own: archived becomes unresolved. False: it was not archived (any more). */
  unarchive(issueId: string): Promise<boolean>;
}
