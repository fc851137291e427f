/**
 * Questions about events, in the SQL that both engines speak. Writing them is each engine's own.
 *
 * @module
 */
import { assert } from "../../domain/assert.ts";
import type { Level, MesherEvent } from "../../domain/event.ts";
import { isId } from "../../domain/id.ts";
import { queryWords } from "../../domain/words.ts";
import { Conditions, type Database, type Value } from "../database.ts";
import { jsonText, readJson } from "../json.ts";
import type {
  EventFilter,
  Events,
  EventSummary,
  Page,
  PageRequest,
  ValueCount,
} from "../storage.ts";
import { limitOf, narrowToPage, NO_ROWS, pageFrom } from "./page.ts";
import { ofOrg, ownsProject } from "./scope.ts";

interface SummaryRow {
  readonly id: string;
  readonly project_id: string;
  readonly issue_id: string;
  readonly level: Level;
  readonly title: string;
  readonly message: string;
  readonly environment: string | null;
  readonly release: string | null;
  readonly tags: unknown;
  readonly event_at: number;
  readonly received_at: number;
}

const SUMMARY = "e.id, e.project_id, e.issue_id, e.level, e.title, e.message, e.environment, " +
  "e.release, e.tags, e.event_at, e.received_at";

/** Charts have at most this many buckets; more is refused by an assertion. */
export const BUCKETS_MAX = 1000;

const DAY_MS = 86_400_000;

const summaryFrom = (row: SummaryRow): EventSummary => ({
  id: row.id,
  projectId: row.project_id,
  issueId: row.issue_id,
  level: row.level,
  title: row.title,
  message: row.message,
  environment: row.environment,
  release: row.release,
  tags: readJson(row.tags),
  timestamp: row.event_at,
  receivedAt: row.received_at,
});

/** Reading events in `db`. */
export function events(db: Database): Omit<Events, "writeEvents"> {
  const { dialect } = db;

  /** Adds a filter's conditions on `events e`. False: nothing can meet them. */
  const narrow = (where: Conditions, filter: EventFilter): boolean => {
    if (filter.issueId !== undefined) {
      if (!isId(filter.issueId)) return false;
      where.and(`e.issue_id = ${where.param(filter.issueId)}`);
    }
    if (filter.level !== undefined) where.and(`e.level = ${where.param(filter.level)}`);
    if (filter.environment !== undefined) {
      where.and(`e.environment = ${where.param(filter.environment)}`);
    }
    if (filter.release !== undefined) where.and(`e.release = ${where.param(filter.release)}`);
    if (filter.tags !== undefined && Object.keys(filter.tags).length > 0) {
      where.and(dialect.tagsHold(where.param(jsonText(filter.tags))));
    }
    if (filter.since !== undefined) where.and(`e.received_at >= ${where.param(filter.since)}`);
    if (filter.before !== undefined) where.and(`e.received_at < ${where.param(filter.before)}`);
    if (filter.query !== undefined) {
      const words = queryWords(filter.query);
      if (words.length === 0) return false;
      where.and(dialect.wordsMatch(where.param(dialect.wordsQuery(words))));
    }
    return true;
  };

  const list = async (where: Conditions, page: PageRequest): Promise<Page<EventSummary>> => {
    if (!narrowToPage(where, page, "e.received_at", "e.id")) return NO_ROWS;
    // Says nothing new, but by it PostgreSQL skips whole days.
    if (page.after) where.and(`e.received_at <= ${where.param(page.after.at)}`);
    const limit = limitOf(page);
    const rows = await db.rows<SummaryRow>(
      `SELECT ${SUMMARY} FROM events e WHERE ${where.text}
       ORDER BY e.received_at DESC, e.id DESC LIMIT ${where.param(limit + 1)}`,
      ...where.params,
    );
    return pageFrom(rows, limit, (row) => row.received_at, summaryFrom);
  };

  const counts = async (sql: string, ...params: Value[]): Promise<readonly ValueCount[]> => {
    const rows = await db.rows<ValueCount>(sql, ...params);
    return rows.map(({ value, count }) => ({ value, count }));
  };

  const owns = (orgId: string, projectId: string): Promise<boolean> =>
    ownsProject(db, orgId, projectId);

  /** Whether the issue is of the organisation. */
  const ownsIssue = async (orgId: string, issueId: string): Promise<boolean> =>
    isId(orgId) && isId(issueId) && await db.row(
        `SELECT i.id FROM issues i JOIN projects p ON p.id = i.project_id
         WHERE i.id = $1 AND p.org_id = $2`,
        issueId,
        orgId,
      ) !== undefined;

  return {
    async events(orgId, projectId, filter, page) {
      if (!await owns(orgId, projectId)) return NO_ROWS;
      const where = new Conditions();
      where.and(`e.project_id = ${where.param(projectId)}`);
      return narrow(where, filter) ? await list(where, page) : NO_ROWS;
    },

    async issueEvents(orgId, issueId, page) {
      if (!await ownsIssue(orgId, issueId)) return NO_ROWS;
      const where = new Conditions();
      where.and(`e.issue_id = ${where.param(issueId)}`);
      return await list(where, page);
    },

    async event(orgId, eventId) {
      if (!isId(orgId) || !isId(eventId)) return null;
      const row = await db.row<
        SummaryRow & { readonly fingerprint: string; readonly payload: unknown }
      >(
        `SELECT ${SUMMARY}, e.fingerprint, e.payload ${dialect.eventById("$1")}
         AND ${ofOrg("$2", "e")}
         ORDER BY e.received_at DESC LIMIT 1`,
        eventId,
        orgId,
      );
      if (row === undefined) return null;
      const beside = (order: "<" | ">", direction: "ASC" | "DESC") =>
        db.row<{ readonly id: string }>(
          `SELECT e.id FROM events e WHERE e.issue_id = $1 AND e.received_at ${order}= $2
           AND (e.received_at, e.id) ${order} ($2, $3)
           ORDER BY e.received_at ${direction}, e.id ${direction} LIMIT 1`,
          row.issue_id,
          row.received_at,
          row.id,
        );
      const [next, previous] = [await beside(">", "ASC"), await beside("<", "DESC")];
      return {
        projectId: row.project_id,
        issueId: row.issue_id,
        fingerprint: row.fingerprint,
        title: row.title,
        receivedAt: row.received_at,
        event: readJson<MesherEvent>(row.payload),
        nextId: next?.id ?? null,
        previousId: previous?.id ?? null,
      };
    },

    async volume(orgId, projectId, { since, until, bucketMs }) {
      const count = Math.ceil((until - since) / bucketMs);
      assert(bucketMs >= 1 && count <= BUCKETS_MAX, `${count} buckets`);
      if (count <= 0 || !await owns(orgId, projectId)) return [];
      const rows = await db.rows<{ readonly slot: number; readonly count: number }>(
        `SELECT (e.received_at - CAST($2 AS BIGINT)) / CAST($4 AS BIGINT) AS slot,
           count(*) AS count
         FROM events e
         WHERE e.project_id = $1 AND e.received_at >= $2 AND e.received_at < $3
         GROUP BY 1`,
        projectId,
        Math.trunc(since),
        Math.trunc(until),
        Math.trunc(bucketMs),
      );
      const found = new Map(rows.map((row) => [row.slot, row.count]));
      return Array.from({ length: count }, (_, slot) => ({
        at: Math.trunc(since) + slot * Math.trunc(bucketMs),
        count: found.get(slot) ?? 0,
      }));
    },

    async levelCounts(orgId, projectId, since) {
      if (!await owns(orgId, projectId)) return [];
      return await counts(
        `SELECT e.level AS value, count(*) AS count FROM events e
         WHERE e.project_id = $1 AND e.received_at >= $2
         GROUP BY e.level ORDER BY 2 DESC, 1`,
        projectId,
        since,
      );
    },

    async tagValues(orgId, projectId, key, since, limit) {
      if (!await owns(orgId, projectId)) return [];
      return await counts(
        `SELECT tag.value AS value, count(*) AS count FROM events e, ${dialect.tagPairs}
         WHERE e.project_id = $1 AND e.received_at >= $2 AND tag.key = $3
         GROUP BY tag.value ORDER BY 2 DESC, 1 LIMIT $4`,
        projectId,
        since,
        key,
        limitOf({ limit }),
      );
    },

    async tagKeys(orgId, projectId, since, limit) {
      if (!await owns(orgId, projectId)) return [];
      return await counts(
        `SELECT tag.key AS value, count(*) AS count FROM events e, ${dialect.tagPairs}
         WHERE e.project_id = $1 AND e.received_at >= $2
         GROUP BY tag.key ORDER BY 2 DESC, 1 LIMIT $3`,
        projectId,
        since,
        limitOf({ limit }),
      );
    },

    async issueTags(orgId, issueId, since, limit) {
      if (!await ownsIssue(orgId, issueId)) return [];
      const rows = await db.rows<ValueCount & { readonly key: string }>(
        `SELECT tag.key AS key, tag.value AS value, count(*) AS count
         FROM events e, ${dialect.tagPairs}
         WHERE e.issue_id = $1 AND e.received_at >= $2
         GROUP BY tag.key, tag.value ORDER BY 1, 3 DESC, 2`,
        issueId,
        since,
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
      if (!await owns(orgId, projectId)) return null;
      const row = await db.row<
        { readonly unresolved: number; readonly recent: number; readonly fresh: number }
      >(
        `SELECT
           (SELECT count(*) FROM issues WHERE project_id = $1 AND status = 'unresolved')
             AS unresolved,
           (SELECT count(*) FROM events WHERE project_id = $1 AND received_at >= $2) AS recent,
           (SELECT count(*) FROM issues WHERE project_id = $1 AND first_seen >= $2) AS fresh`,
        projectId,
        now - DAY_MS,
      );
      return {
        unresolvedIssues: row!.unresolved,
        events24h: row!.recent,
        newIssues24h: row!.fresh,
      };
    },

    async projectUsage(orgId, projectId) {
      if (!await owns(orgId, projectId)) return null;
      const row = await db.row<
        { readonly events: number; readonly bytes: number; readonly oldest_at: number | null }
      >(
        `SELECT count(*) AS events, CAST(coalesce(sum(${dialect.payloadBytes}), 0) AS BIGINT)
           AS bytes, min(e.received_at) AS oldest_at
         FROM events e WHERE e.project_id = $1`,
        projectId,
      );
      const issues = await db.row<{ readonly count: number }>(
        "SELECT count(*) AS count FROM issues WHERE project_id = $1",
        projectId,
      );
      return {
        events: row!.events,
        issues: issues!.count,
        bytes: row!.bytes,
        oldestAt: row!.oldest_at,
      };
    },

    async eventCount(projectId, since) {
      if (!isId(projectId)) return 0;
      const row = await db.row<{ readonly count: number }>(
        "SELECT count(*) AS count FROM events WHERE project_id = $1 AND received_at >= $2",
        projectId,
        since,
      );
      return row!.count;
    },
  };
}
