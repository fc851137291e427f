/**
 * The queries of keys, in the SQL that both engines share.
 *
 * @module
 */
import { isId, newId } from "../../domain/id.ts";
import type { ApiKey, ApiKeys } from "../api_keys.ts";
import type { Database } from "../database.ts";
import { PROJECT, projectFrom, type ProjectRow } from "./projects.ts";
import { inProject, ofOrg } from "./scope.ts";

interface ApiKeyRow {
  readonly id: string;
  readonly project_id: string;
  readonly label: string;
  readonly prefix: string;
  readonly secret: string | null;
  readonly created_at: number;
  readonly revoked_at: number | null;
}

const API_KEY = "id, project_id, label, prefix, secret, created_at, revoked_at";

const apiKeyFrom = (row: ApiKeyRow): ApiKey => ({
  id: row.id,
  projectId: row.project_id,
  label: row.label,
  prefix: row.prefix,
  secret: row.secret,
  createdAt: row.created_at,
  revokedAt: row.revoked_at,
});

/** Returns the queries of keys on a database. */
export function apiKeys(db: Database): ApiKeys {
  return {
    createApiKey(orgId, { projectId, label, prefix, secret, secretHash }) {
      return inProject(db, orgId, projectId, async (query, now) => {
        const row = await query.row<ApiKeyRow>(
          `INSERT INTO api_keys (id, project_id, label, prefix, secret, secret_hash, created_at)
           VALUES ($1, $2, $3, $4, $5, $6, $7) RETURNING ${API_KEY}`,
          newId(now),
          projectId,
          label,
          prefix,
          secret,
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
  };
}
