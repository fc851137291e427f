/**
 * Issues as database rows.
 *
 * @module
 */
import type { Level } from "../../domain/event.ts";
import type { Issue, IssueStatus } from "../issues.ts";

/** A row of the table of issues. */
export interface IssueRow {
  readonly id: string;
  readonly project_id: string;
  readonly fingerprint: string;
  readonly title: string;
  readonly culprit: string;
  readonly level: Level;
  readonly status: IssueStatus;
  readonly event_count: number;
  readonly first_seen: number;
  readonly last_seen: number;
  readonly assigned_to: string | null;
  readonly user_count: number;
  readonly first_release: string | null;
  readonly last_release: string | null;
  readonly resolved_after: string | null;
}

/** The SQL list of the columns of an `IssueRow`. The statement names the table `issues i`. */
export const ISSUE: string =
  "i.id, i.project_id, i.fingerprint, i.title, i.culprit, i.level, i.status, " +
  "i.event_count, i.first_seen, i.last_seen, i.assigned_to, i.user_count, " +
  "i.first_release, i.last_release, i.resolved_after";

/** Returns the issue of a row. */
export const issueFrom = (row: IssueRow): Issue => ({
  id: row.id,
  projectId: row.project_id,
  fingerprint: row.fingerprint,
  title: row.title,
  culprit: row.culprit,
  level: row.level,
  status: row.status,
  eventCount: row.event_count,
  firstSeen: row.first_seen,
  lastSeen: row.last_seen,
  assignedTo: row.assigned_to,
  userCount: row.user_count,
  firstRelease: row.first_release,
  lastRelease: row.last_release,
  resolvedAfter: row.resolved_after,
});
