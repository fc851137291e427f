/**
 * The queries of issues' activity, in the SQL that both engines share.
 *
 * @module
 */
import type { JsonObject } from "../../domain/event.ts";
import { isId, newId } from "../../domain/id.ts";
import type { Activities, Activity, ActivityKind } from "../activity.ts";
import { Conditions, type Database, type Query } from "../database.ts";
import { jsonText, readJson } from "../json.ts";
import { limitOf, narrowToPage, NO_ROWS, pageFrom } from "./page.ts";
import { ownsIssue } from "./scope.ts";

interface ActivityRow {
  readonly id: string;
  readonly issue_id: string;
  readonly kind: ActivityKind;
  readonly user_id: string | null;
  readonly data: unknown;
  readonly created_at: number;
}

const ACTIVITY = "a.id, a.issue_id, a.kind, a.user_id, a.data, a.created_at";

const activityFrom = (row: ActivityRow): Activity => ({
  id: row.id,
  issueId: row.issue_id,
  kind: row.kind,
  userId: row.user_id,
  data: readJson(row.data),
  createdAt: row.created_at,
});

/** Adds an entry to the activity of an issue, in the transaction that changes the issue. */
export async function record(
  query: Query,
  now: number,
  entry: Pick<Activity, "issueId" | "kind" | "userId" | "data">,
): Promise<Activity> {
  const id = newId(now);
  await query.change(
    `INSERT INTO issue_activity (id, issue_id, kind, user_id, data, created_at)
     VALUES ($1, $2, $3, $4, $5, $6)`,
    id,
    entry.issueId,
    entry.kind,
    entry.userId,
    jsonText(entry.data),
    now,
  );
  return { id, createdAt: now, ...entry };
}

/** Returns the queries of activity on a database. */
export function activity(db: Database): Activities {
  return {
    async activity(orgId, issueId, page) {
      if (!await ownsIssue(db, orgId, issueId)) return NO_ROWS;
      const where = new Conditions();
      where.and(`a.issue_id = ${where.param(issueId)}`);
      if (!narrowToPage(where, page, "a.created_at", "a.id")) return NO_ROWS;
      const limit = limitOf(page);
      const rows = await db.scan<ActivityRow>(
        `SELECT ${ACTIVITY} FROM issue_activity a WHERE ${where.text}
         ORDER BY a.created_at DESC, a.id DESC LIMIT ${where.param(limit + 1)}`,
        where.params,
      );
      return pageFrom(rows, limit, (row) => row.created_at, activityFrom);
    },

    async addComment(orgId, issueId, userId, text) {
      return await db.transaction(async (query) => {
        if (!await ownsIssue(query, orgId, issueId)) return null;
        return await record(query, db.now(), { issueId, kind: "comment", userId, data: { text } });
      });
    },

    async deleteComment(orgId, commentId, userId) {
      if (!isId(orgId) || !isId(commentId) || !isId(userId)) return false;
      const deleted = await db.change(
        `DELETE FROM issue_activity WHERE id = $1 AND user_id = $2 AND kind = 'comment'
           AND issue_id IN (SELECT i.id FROM issues i JOIN projects p ON p.id = i.project_id
             WHERE p.org_id = $3)`,
        commentId,
        userId,
        orgId,
      );
      return deleted > 0;
    },

    async addActivity(issueId: string, kind: ActivityKind, data: JsonObject) {
      if (!isId(issueId)) return;
      await record(db, db.now(), { issueId, kind, userId: null, data });
    },
  };
}
