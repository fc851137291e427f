/**
 * The queries for charts and counts, in the SQL that both engines share.
 *
 * @module
 */
import { assert } from "../../domain/assert.ts";
import type { Dashboard, ValueCount } from "../dashboard.ts";
import type { Database, Value } from "../database.ts";
import { limitOf } from "./page.ts";
import { ownsIssue, ownsProject } from "./scope.ts";

/** Maximum number of buckets in a chart, enforced by an assertion. */
export const BUCKETS_MAX = 1000;

const DAY_MS = 86_400_000;

/**
 * Number of the latest events of a project or an issue whose tags are counted. Counting more events
 * would change the result little, and take seconds.
 */
export const TAG_EVENTS_MAX = 10_000;

function latest(column: "project_id" | "issue_id"): string {
  return `(SELECT tags FROM events WHERE ${column} = $1 AND received_at >= $2
    ORDER BY received_at DESC LIMIT ${TAG_EVENTS_MAX})`;
}

/** Returns the queries for charts and counts on a database. */
export function dashboard(db: Database): Dashboard {
  const { dialect } = db;

  const counts = async (sql: string, ...params: Value[]): Promise<readonly ValueCount[]> => {
    const rows = await db.scan<ValueCount>(sql, params);
    return rows.map(({ value, count }) => ({ value, count }));
  };

  return {
    async volume(orgId, projectId, { since, until, bucketMs }) {
      const count = Math.ceil((until - since) / bucketMs);
      assert(bucketMs >= 1 && count <= BUCKETS_MAX, `${count} buckets`);
      if (count <= 0 || !await ownsProject(db, orgId, projectId)) return [];
      const rows = await db.scan<{ readonly slot: number; readonly count: number }>(
        `SELECT (e.received_at - CAST($2 AS BIGINT)) / CAST($4 AS BIGINT) AS slot,
           count(*) AS count
         FROM events e
         WHERE e.project_id = $1 AND e.received_at >= $2 AND e.received_at < $3
         GROUP BY 1`,
        [projectId, Math.trunc(since), Math.trunc(until), Math.trunc(bucketMs)],
      );
      const found = new Map(rows.map((row) => [row.slot, row.count]));
      return Array.from({ length: count }, (_, slot) => ({
        at: Math.trunc(since) + slot * Math.trunc(bucketMs),
        count: found.get(slot) ?? 0,
      }));
    },

    async levelCounts(orgId, projectId, since) {
      if (!await ownsProject(db, orgId, projectId)) return [];
      return await counts(
        `SELECT e.level AS value, count(*) AS count FROM events e
         WHERE e.project_id = $1 AND e.received_at >= $2
         GROUP BY e.level ORDER BY 2 DESC, 1`,
        projectId,
        since,
      );
    },

    async tagValues(orgId, projectId, key, since, limit) {
      if (!await ownsProject(db, orgId, projectId)) return [];
      return await counts(
        `SELECT tag.value AS value, count(*) AS count
         FROM ${latest("project_id")} e, ${dialect.tagPairs}
         WHERE tag.key = $3
         GROUP BY tag.value ORDER BY 2 DESC, 1 LIMIT $4`,
        projectId,
        since,
        key,
        limitOf({ limit }),
      );
    },

    async tagKeys(orgId, projectId, since, limit) {
      if (!await ownsProject(db, orgId, projectId)) return [];
      return await counts(
        `SELECT tag.key AS value, count(*) AS count
         FROM ${latest("project_id")} e, ${dialect.tagPairs}
         GROUP BY tag.key ORDER BY 2 DESC, 1 LIMIT $3`,
        projectId,
        since,
        limitOf({ limit }),
      );
    },

    async issueTags(orgId, issueId, since, limit) {
      if (!await ownsIssue(db, orgId, issueId)) return [];
      const rows = await db.scan<ValueCount & { readonly key: string }>(
        `SELECT tag.key AS key, tag.value AS value, count(*) AS count
         FROM ${latest("issue_id")} e, ${dialect.tagPairs}
         GROUP BY tag.key, tag.value ORDER BY 1, 3 DESC, 2`,
        [issueId, since],
      );
      const keys = new Map<string, ValueCount[]>();
      for (const { key, value, count } of rows) {
        const values = keys.get(key) ?? [];
        if (values.length === 0) keys.set(key, values);
        if (values.length < limitOf({ limit })) values.push({ value, count });
      }
      return [...keys].map(([key, values]) => ({ key, values }));
    },

    async projectHealth(orgId, projectId, now) {
      if (!await ownsProject(db, orgId, projectId)) return null;
      const [row] = await db.scan<
        { readonly unresolved: number; readonly recent: number; readonly fresh: number }
      >(
        `SELECT
           (SELECT count(*) FROM issues WHERE project_id = $1 AND status = 'unresolved')
             AS unresolved,
           (SELECT count(*) FROM events WHERE project_id = $1 AND received_at >= $2) AS recent,
           (SELECT count(*) FROM issues WHERE project_id = $1 AND first_seen >= $2) AS fresh`,
        [projectId, now - DAY_MS],
      );
      return {
        unresolvedIssues: row!.unresolved,
        events24h: row!.recent,
        newIssues24h: row!.fresh,
      };
    },

    async projectUsage(orgId, projectId) {
      if (!await ownsProject(db, orgId, projectId)) return null;
      const row = await db.row<
        {
          readonly events: number | null;
          readonly bytes: number | null;
          readonly oldest_at: number | null;
          readonly issues: number;
        }
      >(
        `SELECT
           (SELECT events FROM project_usage WHERE project_id = $1) AS events,
           (SELECT bytes FROM project_usage WHERE project_id = $1) AS bytes,
           (SELECT e.received_at FROM events e WHERE e.project_id = $1
             ORDER BY e.received_at LIMIT 1) AS oldest_at,
           (SELECT count(*) FROM issues WHERE project_id = $1) AS issues`,
        projectId,
      );
      return {
        events: row!.events ?? 0,
        issues: row!.issues,
        bytes: row!.bytes ?? 0,
        oldestAt: row!.oldest_at,
      };
    },
  };
}
