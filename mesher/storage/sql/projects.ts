/**
 * The queries of projects, in the SQL that both engines share.
 *
 * @module
 */
import { isId, newId } from "../../domain/id.ts";
import { SCRUB_DEFAULT, type ScrubRules } from "../../domain/scrub.ts";
import type { Database } from "../database.ts";
import { jsonText, readJson } from "../json.ts";
import { addPurge } from "./purges.ts";
import type { Project, Projects } from "../projects.ts";

/** A row of the table of projects. */
export interface ProjectRow {
  readonly id: string;
  readonly org_id: string;
  readonly name: string;
  readonly slug: string;
  readonly platform: string | null;
  readonly retention_days: number;
  readonly sample_rate: number;
  readonly created_at: number;
  readonly scrub: unknown;
}

/** The SQL list of the columns of a `ProjectRow`. */
export const PROJECT =
  "id, org_id, name, slug, platform, retention_days, sample_rate, created_at, scrub";

/** Returns the project of a row. */
export const projectFrom = (row: ProjectRow): Project => ({
  id: row.id,
  orgId: row.org_id,
  name: row.name,
  slug: row.slug,
  platform: row.platform,
  retentionDays: row.retention_days,
  sampleRate: row.sample_rate,
  scrub: row.scrub === null ? SCRUB_DEFAULT : readJson<ScrubRules>(row.scrub),
  createdAt: row.created_at,
});

/** Returns the queries of projects on a database. */
export function projects(db: Database): Projects {
  return {
    async createProject({ orgId, name, slug, platform }) {
      if (!isId(orgId)) return { ok: false, reason: "no_org" };
      return await db.transaction(async (query) => {
        const org = await query.row("SELECT id FROM organisations WHERE id = $1", orgId);
        if (org === undefined) return { ok: false, reason: "no_org" };
        const now = db.now();
        const row = await query.row<ProjectRow>(
          `INSERT INTO projects (id, org_id, name, slug, platform, created_at)
           VALUES ($1, $2, $3, $4, $5, $6)
           ON CONFLICT (org_id, slug) DO NOTHING RETURNING ${PROJECT}`,
          newId(now),
          orgId,
          name,
          slug,
          platform,
          now,
        );
        return row === undefined
          ? { ok: false, reason: "slug_taken" }
          : { ok: true, value: projectFrom(row) };
      });
    },

    async project(orgId, idOrSlug) {
      if (!isId(orgId)) return null;
      const row = await db.row<ProjectRow>(
        `SELECT ${PROJECT} FROM projects
         WHERE org_id = $1 AND ${isId(idOrSlug) ? "id" : "slug"} = $2`,
        orgId,
        idOrSlug,
      );
      return row === undefined ? null : projectFrom(row);
    },

    async projects(orgId) {
      if (!isId(orgId)) return [];
      const rows = await db.rows<ProjectRow>(
        `SELECT ${PROJECT} FROM projects WHERE org_id = $1 ORDER BY created_at, id`,
        orgId,
      );
      return rows.map(projectFrom);
    },

    async updateProject(orgId, projectId, change) {
      if (!isId(orgId) || !isId(projectId)) return null;
      return await db.transaction(async (query) => {
        const old = await query.row<ProjectRow>(
          `SELECT ${PROJECT} FROM projects WHERE id = $1 AND org_id = $2${db.dialect.forUpdate}`,
          projectId,
          orgId,
        );
        if (old === undefined) return null;
        const row = await query.row<ProjectRow>(
          `UPDATE projects SET name = $2, platform = $3, retention_days = $4, sample_rate = $5, scrub = $6
           WHERE id = $1 RETURNING ${PROJECT}`,
          projectId,
          change.name ?? old.name,
          change.platform === undefined ? old.platform : change.platform,
          change.retentionDays ?? old.retention_days,
          change.sampleRate ?? old.sample_rate,
          change.scrub === undefined
            ? old.scrub === null ? null : jsonText(readJson(old.scrub))
            : jsonText(change.scrub),
        );
        return projectFrom(row!);
      });
    },

    async deleteProject(orgId, projectId) {
      if (!isId(orgId) || !isId(projectId)) return false;
      return await db.transaction(async (query) => {
        // The project is deleted first. This waits for a batch in progress that has locked the
        // project. A later batch finds that the project does not exist.
        const deleted = await query.change(
          "DELETE FROM projects WHERE id = $1 AND org_id = $2",
          projectId,
          orgId,
        );
        if (deleted === 0) return false;
        await query.change("DELETE FROM alerts WHERE project_id = $1", projectId);
        await query.change("DELETE FROM releases WHERE project_id = $1", projectId);
        await query.change("DELETE FROM artifacts WHERE project_id = $1", projectId);
        await query.change("DELETE FROM alert_rules WHERE project_id = $1", projectId);
        await query.change("DELETE FROM api_keys WHERE project_id = $1", projectId);
        await addPurge(query, db.now(), "project", projectId);
        return true;
      });
    },

    async projectById(projectId) {
      if (!isId(projectId)) return null;
      const row = await db.row<ProjectRow>(
        `SELECT ${PROJECT} FROM projects WHERE id = $1`,
        projectId,
      );
      return row === undefined ? null : projectFrom(row);
    },

    async allProjects() {
      const rows = await db.rows<ProjectRow>(`SELECT ${PROJECT} FROM projects ORDER BY id`);
      return rows.map(projectFrom);
    },
  };
}
