/**
 * The queries of releases, in the SQL that both engines share.
 *
 * @module
 */
import { newId } from "../../domain/id.ts";
import { Conditions, type Database } from "../database.ts";
import { cleanText } from "../json.ts";
import type { Release, Releases } from "../releases.ts";
import { limitOf, narrowToPage, NO_ROWS, pageFrom } from "./page.ts";
import { inProject, ownsProject } from "./scope.ts";

interface ReleaseRow {
  readonly id: string;
  readonly project_id: string;
  readonly version: string;
  readonly created_at: number;
  readonly new_issues: number;
  readonly last_seen: number | null;
}

const RELEASE = `r.id, r.project_id, r.version, r.created_at,
  (SELECT count(*) FROM issues i WHERE i.project_id = r.project_id
    AND i.first_release = r.version) AS new_issues,
  (SELECT max(i.last_seen) FROM issues i WHERE i.project_id = r.project_id
    AND i.last_release = r.version) AS last_seen`;

const releaseFrom = (row: ReleaseRow): Release => ({
  id: row.id,
  projectId: row.project_id,
  version: row.version,
  createdAt: row.created_at,
  newIssues: row.new_issues,
  lastSeen: row.last_seen,
});

/** Returns the queries of releases on a database. */
export function releases(db: Database): Releases {
  return {
    async releases(orgId, projectId, page) {
      if (!await ownsProject(db, orgId, projectId)) return NO_ROWS;
      const where = new Conditions();
      where.and(`r.project_id = ${where.param(projectId)}`);
      if (!narrowToPage(where, page, "r.created_at", "r.id")) return NO_ROWS;
      const limit = limitOf(page);
      const rows = await db.scan<ReleaseRow>(
        `SELECT ${RELEASE} FROM releases r WHERE ${where.text}
         ORDER BY r.created_at DESC, r.id DESC LIMIT ${where.param(limit + 1)}`,
        where.params,
      );
      return pageFrom(rows, limit, (row) => row.created_at, releaseFrom);
    },

    async release(orgId, projectId, version) {
      if (!await ownsProject(db, orgId, projectId)) return null;
      const row = await db.row<ReleaseRow>(
        `SELECT ${RELEASE} FROM releases r WHERE r.project_id = $1 AND r.version = $2`,
        projectId,
        cleanText(version),
      );
      return row === undefined ? null : releaseFrom(row);
    },

    async addRelease(orgId, projectId, version) {
      return await inProject(db, orgId, projectId, async (query, now) => {
        await query.change(
          `INSERT INTO releases (id, project_id, version, created_at) VALUES ($1, $2, $3, $4)
           ON CONFLICT DO NOTHING`,
          newId(now),
          projectId,
          version,
          now,
        );
        const row = await query.row<ReleaseRow>(
          `SELECT ${RELEASE} FROM releases r WHERE r.project_id = $1 AND r.version = $2`,
          projectId,
          cleanText(version),
        );
        return releaseFrom(row!);
      });
    },
  };
}
