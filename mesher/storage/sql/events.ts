/**
 * The queries of events, in the SQL that both engines share. Each engine writes events in its own
 * way.
 *
 * @module
 */
import type { MesherEvent } from "../../domain/event.ts";
import { isId } from "../../domain/id.ts";
import { Conditions, type Database } from "../database.ts";
import type { Events, EventSummary } from "../events.ts";
import { readJson } from "../json.ts";
import type { Page, PageRequest } from "../page.ts";
import { limitOf, narrowToPage, NO_ROWS, pageFrom } from "./page.ts";
import { ofOrg, ownsIssue, ownsProject } from "./scope.ts";
import { search, SUMMARY, summaryFrom, type SummaryRow } from "./search.ts";

/** Returns the queries of events on a database. */
export function events(db: Database): Omit<Events, "writeEvents"> {
  const { dialect } = db;

  /**
   * Returns a page of the events that match the conditions on `events e`, in the order of an index.
   */
  const list = async (where: Conditions, page: PageRequest): Promise<Page<EventSummary>> => {
    if (!narrowToPage(where, page, "e.received_at", "e.id")) return NO_ROWS;
    // This condition is redundant, but it allows PostgreSQL to skip the partitions of later days.
    if (page.after) where.and(`e.received_at <= ${where.param(page.after.at)}`);
    const limit = limitOf(page);
    const rows = await db.scan<SummaryRow>(
      `SELECT ${SUMMARY} FROM events e WHERE ${where.text}
       ORDER BY e.received_at DESC, e.id DESC LIMIT ${where.param(limit + 1)}`,
      where.params,
    );
    return pageFrom(rows, limit, (row) => row.received_at, summaryFrom);
  };

  return {
    async events(orgId, projectId, filter, page) {
      if (!await ownsProject(db, orgId, projectId)) return NO_ROWS;
      return await search(db, projectId, filter, page);
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
      const [row] = await db.scan<{ readonly count: number }>(
        "SELECT count(*) AS count FROM events WHERE project_id = $1 AND received_at >= $2",
        [projectId, since],
      );
      return row!.count;
    },
  };
}
