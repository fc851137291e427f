/**
 * The queries of artifacts and chunks, in the SQL that both engines share.
 *
 * @module
 */
import { concat } from "../../domain/bytes.ts";
import { newId } from "../../domain/id.ts";
import {
  type Artifact,
  ARTIFACT_BYTES_MAX,
  type ArtifactKind,
  type Artifacts,
  ARTIFACTS_MAX,
  CHUNK_BYTES_TOTAL_MAX,
} from "../artifacts.ts";
import type { Database } from "../database.ts";
import { cleanText } from "../json.ts";

/** Number of bytes of a file that are read at once. Reading more would delay other requests. */
const CONTENT_BYTES = 524_288;

interface ArtifactRow {
  readonly id: string;
  readonly kind: ArtifactKind;
  readonly debug_id: string | null;
  readonly release: string | null;
  readonly dist: string | null;
  readonly url: string;
  readonly map_url: string | null;
}

const ARTIFACT = "a.id, a.kind, a.debug_id, a.release, a.dist, a.url, a.map_url";

const artifactFrom = (row: ArtifactRow): Artifact => ({
  id: row.id,
  kind: row.kind,
  debugId: row.debug_id,
  release: row.release,
  dist: row.dist,
  url: row.url,
  mapUrl: row.map_url,
});

/** Returns the queries of artifacts on a database. */
export function artifacts(db: Database): Artifacts {
  return {
    async addArtifacts(projectId, checksum, files) {
      return await db.transaction(async (query) => {
        // Locks the project: two concurrent uploads could otherwise exceed the quota together.
        await query.row(
          `SELECT id FROM projects WHERE id = $1${db.dialect.forUpdate}`,
          projectId,
        );
        const used = await query.row<{ readonly count: number; readonly bytes: number | null }>(
          `SELECT count(*) AS count, CAST(sum(bytes) AS BIGINT) AS bytes FROM artifacts
           WHERE project_id = $1 AND checksum <> $2`,
          projectId,
          checksum,
        );
        const bytes = files.reduce((sum, { content }) => sum + content.length, 0);
        const isTooMuch = used!.count + files.length > ARTIFACTS_MAX ||
          (used!.bytes ?? 0) + bytes > ARTIFACT_BYTES_MAX;
        if (isTooMuch) return { ok: false, reason: "too_much" };
        await query.change(
          "DELETE FROM artifacts WHERE project_id = $1 AND checksum = $2",
          projectId,
          checksum,
        );
        const now = db.now();
        for (const file of files) {
          await query.change(
            `INSERT INTO artifacts (id, project_id, checksum, kind, debug_id, release, dist, url,
               map_url, content, bytes, created_at)
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)`,
            newId(now),
            projectId,
            checksum,
            file.kind,
            file.debugId,
            file.release,
            file.dist,
            file.url,
            file.mapUrl,
            file.content,
            file.content.length,
            now,
          );
        }
        return { ok: true, value: files.length };
      });
    },

    async hasUpload(projectId, checksum) {
      const row = await db.row(
        "SELECT id FROM artifacts WHERE project_id = $1 AND checksum = $2 LIMIT 1",
        projectId,
        checksum,
      );
      return row !== undefined;
    },

    async artifactsByDebugId(projectId, debugId) {
      const rows = await db.rows<ArtifactRow>(
        `SELECT ${ARTIFACT} FROM artifacts a WHERE a.project_id = $1 AND a.debug_id = $2
         ORDER BY a.created_at DESC, a.id DESC LIMIT 4`,
        projectId,
        debugId,
      );
      return rows.map(artifactFrom);
    },

    async artifactsByUrl(projectId, release, dist, urls) {
      if (urls.length === 0) return [];
      const rows = await db.rows<ArtifactRow>(
        `SELECT ${ARTIFACT} FROM artifacts a
         WHERE a.project_id = $1 AND a.release = $2 AND coalesce(a.dist, '') = $3
           AND a.url IN (${urls.map((_, i) => `$${i + 4}`).join(", ")})
         ORDER BY a.created_at DESC, a.id DESC LIMIT 8`,
        projectId,
        cleanText(release),
        cleanText(dist ?? ""),
        ...urls,
      );
      return rows.map(artifactFrom);
    },

    async artifactContent(id) {
      const parts: Uint8Array[] = [];
      for (let at = 1;; at += CONTENT_BYTES) {
        const row = await db.row<{ readonly part: Uint8Array }>(
          "SELECT substr(content, $2, $3) AS part FROM artifacts WHERE id = $1",
          id,
          at,
          CONTENT_BYTES,
        );
        if (row === undefined) return null;
        parts.push(row.part);
        if (row.part.length < CONTENT_BYTES) return concat(parts);
      }
    },

    async addChunk(orgId, sha1, content) {
      const held = await db.row<{ readonly bytes: number | null }>(
        "SELECT CAST(sum(bytes) AS BIGINT) AS bytes FROM upload_chunks WHERE org_id = $1",
        orgId,
      );
      if ((held!.bytes ?? 0) + content.length > CHUNK_BYTES_TOTAL_MAX) return false;
      await db.change(
        `INSERT INTO upload_chunks (org_id, sha1, content, bytes, created_at)
         VALUES ($1, $2, $3, $4, $5) ON CONFLICT DO NOTHING`,
        orgId,
        sha1,
        content,
        content.length,
        db.now(),
      );
      return true;
    },

    async chunk(orgId, sha1) {
      const row = await db.row<{ readonly content: Uint8Array }>(
        "SELECT content FROM upload_chunks WHERE org_id = $1 AND sha1 = $2",
        orgId,
        sha1,
      );
      return row?.content ?? null;
    },

    async chunksAmong(orgId, sha1s) {
      if (sha1s.length === 0) return [];
      const rows = await db.rows<{ readonly sha1: string }>(
        `SELECT sha1 FROM upload_chunks WHERE org_id = $1
           AND sha1 IN (${sha1s.map((_, i) => `$${i + 2}`).join(", ")})`,
        orgId,
        ...sha1s,
      );
      return rows.map(({ sha1 }) => sha1);
    },

    async deleteChunks(orgId, sha1s) {
      for (const sha1 of sha1s) {
        await db.change(
          "DELETE FROM upload_chunks WHERE org_id = $1 AND sha1 = $2",
          orgId,
          sha1,
        );
      }
    },
  };
}
