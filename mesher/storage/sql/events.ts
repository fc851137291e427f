/**
 * Events, in the SQL that both engines speak. Writing them is each engine's own.
 *
 * @module
 */
import type { Level, MesherEvent } from "../../domain/event.ts";
import { isId } from "../../domain/id.ts";
import { queryWords } from "../../domain/words.ts";
import { Conditions, type Database } from "../database.ts";
import type { EventFilter, Events, EventSummary } from "../events.ts";
import { jsonText, readJson } from "../json.ts";
import type { Page, PageRequest } from "../page.ts";
import { limitOf, narrowToPage, NO_ROWS, pageFrom } from "./page.ts";
import { ofOrg, ownsIssue, ownsProject } from "./scope.ts";

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

  return {
    async events(orgId, projectId, filter, page) {
      if (!await ownsProject(db, orgId, projectId)) return NO_ROWS;
      const where = new Conditions();
      where.and(`e.project_id = ${where.param(projectId)}`);
      return narrow(where, filter) ? await list(where, page) : NO_ROWS;
    },

    async issueEvents(orgId, issueId, page) {
      if (!await ownsIssue(db, orgId, issueId)) return NO_ROWS;
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
