/**
 * Projects and their keys, in the SQL that both engines speak.
 *
 * @module
 */
import { isId, newId } from "../../domain/id.ts";
import type { Database } from "../database.ts";
import type { ApiKey, Project, Projects } from "../storage.ts";
import { inProject, ofOrg } from "./scope.ts";

interface ProjectRow {
  readonly id: string;
  readonly org_id: string;
  readonly name: string;
  readonly slug: string;
  readonly platform: string | null;
  readonly retention_days: number;
  readonly sample_rate: number;
  readonly created_at: number;
}

interface ApiKeyRow {
  readonly id: string;
  readonly project_id: string;
  readonly label: string;
  readonly prefix: string;
  readonly created_at: number;
  readonly revoked_at: number | null;
}

const PROJECT = "id, org_id, name, slug, platform, retention_days, sample_rate, created_at";
const API_KEY = "id, project_id, label, prefix, created_at, revoked_at";

const projectFrom = (row: ProjectRow): Project => ({
  id: row.id,
  orgId: row.org_id,
  name: row.name,
  slug: row.slug,
  platform: row.platform,
  retentionDays: row.retention_days,
  sampleRate: row.sample_rate,
  createdAt: row.created_at,
});

const apiKeyFrom = (row: ApiKeyRow): ApiKey => ({
  id: row.id,
  projectId: row.project_id,
  label: row.label,
  prefix: row.prefix,
  createdAt: row.created_at,
  revokedAt: row.revoked_at,
});

/** Projects in `db`. */
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
          `UPDATE projects SET name = $2, platform = $3, retention_days = $4, sample_rate = $5
           WHERE id = $1 RETURNING ${PROJECT}`,
          projectId,
          change.name ?? old.name,
          change.platform === undefined ? old.platform : change.platform,
          change.retentionDays ?? old.retention_days,
          change.sampleRate ?? old.sample_rate,
        );
        return projectFrom(row!);
      });
    },

    async deleteProject(orgId, projectId) {
      if (!isId(orgId) || !isId(projectId)) return false;
      return await db.transaction(async (query) => {
        // The project first: a batch that is being written holds it, and the next finds it gone.
        const deleted = await query.change(
          "DELETE FROM projects WHERE id = $1 AND org_id = $2",
          projectId,
          orgId,
        );
        if (deleted === 0) return false;
        await query.change("DELETE FROM alerts WHERE project_id = $1", projectId);
        await query.change("DELETE FROM alert_rules WHERE project_id = $1", projectId);
        await query.change("DELETE FROM api_keys WHERE project_id = $1", projectId);
        await db.dialect.deleteEvents(query, "project_id = $1", projectId);
        await query.change("DELETE FROM issues WHERE project_id = $1", projectId);
        return true;
      });
    },

    createApiKey(orgId, { projectId, label, prefix, secretHash }) {
      return inProject(db, orgId, projectId, async (query, now) => {
        const row = await query.row<ApiKeyRow>(
          `INSERT INTO api_keys (id, project_id, label, prefix, secret_hash, created_at)
           VALUES ($1, $2, $3, $4, $5, $6) RETURNING ${API_KEY}`,
          newId(now),
          projectId,
          label,
          prefix,
          secretHash,
          now,
        );
        return apiKeyFrom(row!);
      });
    },

    async apiKeys(orgId, projectId) {
      if (!isId(orgId) || !isId(projectId)) return [];
      const rows = await db.rows<ApiKeyRow>(
        `SELECT ${API_KEY} FROM api_keys WHERE project_id = $1 AND ${ofOrg("$2")}
         ORDER BY created_at, id`,
        projectId,
        orgId,
      );
      return rows.map(apiKeyFrom);
    },

    async revokeApiKey(orgId, keyId) {
      if (!isId(orgId) || !isId(keyId)) return false;
      const revoked = await db.change(
        `UPDATE api_keys SET revoked_at = $3 WHERE id = $1 AND revoked_at IS NULL
         AND ${ofOrg("$2")}`,
        keyId,
        orgId,
        db.now(),
      );
      return revoked > 0;
    },

    async projectByKey(secretHash) {
      const row = await db.row<ProjectRow & { readonly key_id: string }>(
        `SELECT ${PROJECT.split(", ").map((column) => `p.${column}`).join(", ")}, k.id AS key_id
         FROM api_keys k JOIN projects p ON p.id = k.project_id
         WHERE k.secret_hash = $1 AND k.revoked_at IS NULL`,
        secretHash,
      );
      return row === undefined ? null : { project: projectFrom(row), keyId: row.key_id };
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
