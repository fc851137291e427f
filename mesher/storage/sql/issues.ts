/**
 * The queries of issues, in the SQL that both engines share.
 *
 * @module
 */
import { assert } from "../../domain/assert.ts";
import type { JsonObject } from "../../domain/event.ts";
import { isId } from "../../domain/id.ts";
import type { Negated } from "../../domain/search.ts";
import { folded } from "../../domain/words.ts";
import { Conditions, type Database, likeAnywhere, type Query } from "../database.ts";
import type { Issues, IssueStatus, SpikeCandidate } from "../issues.ts";
import { record } from "./activity.ts";
import { ISSUE, issueFrom, type IssueRow } from "./issue_rows.ts";
import { PAGE_ROWS_MAX } from "../page.ts";
import { BUCKETS_MAX } from "./dashboard.ts";
import { limitOf, narrowToPage, NO_ROWS, pageFrom } from "./page.ts";
import { addPurge } from "./purges.ts";
import { ofOrg, ownsProject } from "./scope.ts";
import { issueIds } from "./search.ts";

/** The condition that an issue of `issues i` belongs to an organisation. */
const OF_ORG = ofOrg("$2", "i");

/** The sort orders, each with its column. */
const SORTS = {
  last_seen: "last_seen",
  first_seen: "first_seen",
  events: "event_count",
  users: "user_count",
} as const;

const HOUR_MS = 3_600_000;

/** Returns the newest release of a project. */
async function latestRelease(query: Query, projectId: string): Promise<string | null> {
  const row = await query.row<{ readonly version: string }>(
    `SELECT version FROM releases WHERE project_id = $1 ORDER BY created_at DESC, id DESC LIMIT 1`,
    projectId,
  );
  return row?.version ?? null;
}

/** Adds conditions that exclude the issues that match `not`. */
async function exclude(
  db: Database,
  projectId: string,
  where: Conditions,
  not: Negated,
): Promise<void> {
  for (const status of not.statuses) where.and(`i.status <> ${where.param(status)}`);
  for (const level of not.levels) where.and(`i.level <> ${where.param(level)}`);
  for (const userId of not.assignedTo) {
    if (userId === null) where.and("i.assigned_to IS NOT NULL");
    else if (isId(userId)) {
      where.and(`(i.assigned_to IS NULL OR i.assigned_to <> ${where.param(userId)})`);
    }
  }
  for (const phrase of not.words) {
    where.and(`i.title_folded NOT LIKE ${where.param(likeAnywhere(folded(phrase)))} ESCAPE '!'`);
  }
  for (const events of not.events) {
    const ids = await issueIds(db, projectId, events);
    if (ids.length === 0) continue;
    where.and(`i.id NOT IN (${ids.map((id) => where.param(id)).join(", ")})`);
  }
}

/** Returns the queries of issues on a database. */
export function issues(db: Database): Issues {
  const setStatus = async (
    orgId: string,
    issueId: string,
    status: IssueStatus,
    by: string | null,
    inNextRelease: boolean,
  ): ReturnType<Issues["resolveInNextRelease"]> => {
    if (!isId(orgId) || !isId(issueId)) return { ok: false, reason: "no_issue" };
    return await db.transaction(async (query) => {
      const old = await query.row<IssueRow>(
        `SELECT ${ISSUE} FROM issues i WHERE i.id = $1 AND ${OF_ORG}${db.dialect.forUpdate}`,
        issueId,
        orgId,
      );
      if (old === undefined) return { ok: false, reason: "no_issue" };
      const after = inNextRelease ? await latestRelease(query, old.project_id) : null;
      if (inNextRelease && after === null) return { ok: false, reason: "no_release" };
      await query.change(
        "UPDATE issues SET status = $2, resolved_after = $3 WHERE id = $1",
        issueId,
        status,
        after,
      );
      const changed = old.status !== status || old.resolved_after !== after;
      if (changed) {
        const data: JsonObject = after === null ? {} : { after };
        await record(query, db.now(), { issueId, kind: status, userId: by, data });
      }
      const issue = issueFrom({ ...old, status, resolved_after: after });
      return { ok: true, value: { issue, changed } };
    });
  };

  return {
    async issues(orgId, projectId, filter, page) {
      if (!isId(orgId) || !isId(projectId)) return NO_ROWS;
      if (typeof filter.assignedTo === "string" && !isId(filter.assignedTo)) return NO_ROWS;
      const where = new Conditions();
      where.and(`i.project_id = ${where.param(projectId)}`);
      where.and(ofOrg(where.param(orgId), "i"));
      if (filter.status !== undefined) where.and(`i.status = ${where.param(filter.status)}`);
      if (filter.level !== undefined) where.and(`i.level = ${where.param(filter.level)}`);
      if (filter.assignedTo === null) where.and("i.assigned_to IS NULL");
      else if (filter.assignedTo !== undefined) {
        where.and(`i.assigned_to = ${where.param(filter.assignedTo)}`);
      }
      for (const word of folded(filter.query ?? "").split(/\s+/).filter(Boolean)) {
        where.and(`i.title_folded LIKE ${where.param(likeAnywhere(word))} ESCAPE '!'`);
      }
      if (filter.events !== undefined) {
        const ids = await issueIds(db, projectId, filter.events);
        if (ids.length === 0) return NO_ROWS;
        where.and(`i.id IN (${ids.map((id) => where.param(id)).join(", ")})`);
      }
      if (filter.not !== undefined) await exclude(db, projectId, where, filter.not);
      const column = SORTS[filter.sort ?? "last_seen"];
      if (!narrowToPage(where, page, `i.${column}`, "i.id")) return NO_ROWS;
      const limit = limitOf(page);
      const last = where.param(limit + 1);
      const rows = await db.scan<IssueRow>(
        `SELECT ${ISSUE} FROM issues i WHERE ${where.text}
         ORDER BY i.${column} DESC, i.id DESC LIMIT ${last}`,
        where.params,
      );
      return pageFrom(rows, limit, (row) => row[column], issueFrom);
    },

    async issue(orgId, issueId) {
      if (!isId(orgId) || !isId(issueId)) return null;
      const row = await db.row<IssueRow>(
        `SELECT ${ISSUE} FROM issues i WHERE i.id = $1 AND ${OF_ORG}`,
        issueId,
        orgId,
      );
      return row === undefined ? null : issueFrom(row);
    },

    async setIssueStatus(orgId, issueId, status, by = null) {
      const done = await setStatus(orgId, issueId, status, by, false);
      return done.ok ? done.value : null;
    },

    resolveInNextRelease: (orgId, issueId, by = null) =>
      setStatus(orgId, issueId, "resolved", by, true),

    async assignIssue(orgId, issueId, userId, by = null) {
      if (!isId(orgId) || !isId(issueId)) return { ok: false, reason: "no_issue" };
      return await db.transaction(async (query) => {
        const old = await query.row<IssueRow>(
          `SELECT ${ISSUE} FROM issues i WHERE i.id = $1 AND ${OF_ORG}${db.dialect.forUpdate}`,
          issueId,
          orgId,
        );
        if (old === undefined) return { ok: false, reason: "no_issue" };
        if (userId !== null) {
          const member = isId(userId) && await query.row(
            "SELECT id FROM memberships WHERE user_id = $1 AND org_id = $2",
            userId,
            orgId,
          );
          if (!member) return { ok: false, reason: "no_member" };
        }
        await query.change("UPDATE issues SET assigned_to = $2 WHERE id = $1", issueId, userId);
        if (old.assigned_to !== userId) {
          const data = { to: userId };
          await record(query, db.now(), { issueId, kind: "assigned", userId: by, data });
        }
        return { ok: true, value: issueFrom({ ...old, assigned_to: userId }) };
      });
    },

    async deleteIssue(orgId, issueId) {
      if (!isId(orgId) || !isId(issueId)) return false;
      return await db.transaction(async (query) => {
        // The issue is deleted first. This waits for a batch in progress that has locked the issue.
        // A later batch creates a new issue.
        const deleted = await query.change(
          `DELETE FROM issues WHERE id = $1 AND ${ofOrg("$2")}`,
          issueId,
          orgId,
        );
        if (deleted === 0) return false;
        await query.change("UPDATE alerts SET issue_id = NULL WHERE issue_id = $1", issueId);
        await query.change("DELETE FROM issue_aliases WHERE issue_id = $1", issueId);
        await query.change("DELETE FROM issue_users WHERE issue_id = $1", issueId);
        await query.change("DELETE FROM issue_activity WHERE issue_id = $1", issueId);
        await addPurge(query, db.now(), "issue", issueId);
        return true;
      });
    },

    async topIssues(orgId, projectId, since, limit) {
      if (!isId(orgId) || !isId(projectId)) return [];
      // Starts from issues that had an event in the time window, and counts their events with an
      // index by time.
      const rows = await db.scan<IssueRow & { readonly recent: number }>(
        `SELECT ${ISSUE}, (SELECT count(*) FROM events e
             WHERE e.issue_id = i.id AND e.received_at >= $3) AS recent
         FROM issues i
         WHERE i.project_id = $1 AND ${OF_ORG} AND i.status = 'unresolved' AND i.last_seen >= $3
         ORDER BY recent DESC, i.last_seen DESC, i.id DESC LIMIT $4`,
        [projectId, orgId, since, limitOf({ limit })],
      );
      return rows.map((row) => ({ ...issueFrom(row), recent: row.recent }));
    },

    async issueVolumes(orgId, projectId, issueIds, { since, until, bucketMs }) {
      const count = Math.ceil((until - since) / bucketMs);
      assert(bucketMs >= 1 && count <= BUCKETS_MAX, `${count} buckets`);
      const ids = issueIds.filter(isId).slice(0, PAGE_ROWS_MAX);
      const volumes = new Map<string, number[]>();
      if (ids.length === 0 || !await ownsProject(db, orgId, projectId)) return volumes;
      const list = ids.map((_, i) => `$${i + 5}`).join(", ");
      const rows = await db.scan<
        { readonly id: string; readonly slot: number; readonly count: number }
      >(
        `SELECT e.issue_id AS id, (e.received_at - CAST($1 AS BIGINT)) / CAST($2 AS BIGINT) AS slot,
           count(*) AS count
         FROM events e
         WHERE e.issue_id IN (${list}) AND e.received_at >= $1 AND e.received_at < $3
           AND e.issue_id IN (SELECT i.id FROM issues i WHERE i.project_id = $4)
         GROUP BY 1, 2`,
        [Math.trunc(since), Math.trunc(bucketMs), Math.trunc(until), projectId, ...ids],
      );
      for (const row of rows) {
        const volume = volumes.get(row.id) ?? new Array<number>(count).fill(0);
        volumes.set(row.id, volume);
        volume[row.slot] = row.count;
      }
      return volumes;
    },

    async unresolvedCount(projectId) {
      if (!isId(projectId)) return 0;
      const row = await db.row<{ readonly count: number }>(
        `SELECT count(*) AS count FROM issues
         WHERE project_id = $1 AND status = 'unresolved'`,
        projectId,
      );
      return row!.count;
    },

    async spikeCandidates(now) {
      const rows = await db.scan<{
        readonly id: string;
        readonly project_id: string;
        readonly title: string;
        readonly last_hour: number;
        readonly week_before: number;
      }>(
        `SELECT i.id, i.project_id, i.title,
           (SELECT count(*) FROM events e WHERE e.issue_id = i.id
             AND e.received_at >= $1 AND e.received_at <= $3) AS last_hour,
           (SELECT count(*) FROM events e WHERE e.issue_id = i.id
             AND e.received_at >= $2 AND e.received_at < $1) AS week_before
         FROM issues i WHERE i.status = 'archived' AND i.last_seen >= $1`,
        [now - HOUR_MS, now - HOUR_MS - 7 * 24 * HOUR_MS, now],
      );
      return rows.filter((row) => row.last_hour > 0).map((row): SpikeCandidate => ({
        issueId: row.id,
        projectId: row.project_id,
        title: row.title,
        lastHour: row.last_hour,
        weekBefore: row.week_before,
      }));
    },

    async unarchive(issueId) {
      if (!isId(issueId)) return false;
      const changed = await db.change(
        "UPDATE issues SET status = 'unresolved' WHERE id = $1 AND status = 'archived'",
        issueId,
      );
      return changed > 0;
    },
  };
}
