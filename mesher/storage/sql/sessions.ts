/**
 * The queries of sessions and tokens, in the SQL that both engines share.
 *
 * @module
 */
import { isId, newId } from "../../domain/id.ts";
import { scopesFrom } from "../../domain/token_scope.ts";
import type { Database } from "../database.ts";
import type { Session, Sessions } from "../sessions.ts";
import { bare } from "./columns.ts";
import { USER, userFrom, type UserRow } from "./users.ts";

interface SessionRow {
  readonly id: string;
  readonly kind: Session["kind"];
  readonly user_id: string;
  readonly label: string;
  readonly scopes: string | null;
  readonly created_at: number;
  readonly expires_at: number;
}

const SESSION = "s.id, s.kind, s.user_id, s.label, s.scopes, s.created_at, s.expires_at";

const sessionFrom = (row: SessionRow): Session => ({
  id: row.id,
  kind: row.kind,
  userId: row.user_id,
  label: row.label,
  scopes: row.scopes === null ? null : scopesFrom(row.scopes),
  createdAt: row.created_at,
  expiresAt: row.expires_at,
});

/** Returns the queries of sessions and tokens on a database. */
export function sessions(db: Database): Sessions {
  return {
    async createSession({ userId, kind, label, scopes = null, secretHash, expiresAt }) {
      if (!isId(userId)) return { ok: false, reason: "no_user" };
      return await db.transaction(async (query) => {
        const user = await query.row("SELECT id FROM users WHERE id = $1", userId);
        if (user === undefined) return { ok: false, reason: "no_user" };
        const now = db.now();
        const row = await query.row<SessionRow>(
          `INSERT INTO sessions AS s
             (id, kind, user_id, label, scopes, secret_hash, created_at, expires_at)
           VALUES ($1, $2, $3, $4, $5, $6, $7, $8) RETURNING ${bare(SESSION)}`,
          newId(now),
          kind,
          userId,
          label,
          scopes === null ? null : scopes.join(" "),
          secretHash,
          now,
          expiresAt,
        );
        return { ok: true, value: sessionFrom(row!) };
      });
    },

    async sessionBySecret(secretHash) {
      const session = await db.row<SessionRow>(
        `SELECT ${SESSION} FROM sessions s WHERE s.secret_hash = $1 AND s.expires_at > $2`,
        secretHash,
        db.now(),
      );
      if (session === undefined) return null;
      const user = await db.row<UserRow>(
        `SELECT ${USER} FROM users u WHERE u.id = $1`,
        session.user_id,
      );
      return user === undefined ? null : { session: sessionFrom(session), user: userFrom(user) };
    },

    async sessions(userId) {
      if (!isId(userId)) return [];
      const rows = await db.rows<SessionRow>(
        `SELECT ${SESSION} FROM sessions s WHERE s.user_id = $1 AND s.expires_at > $2
         ORDER BY s.created_at DESC, s.id DESC`,
        userId,
        db.now(),
      );
      return rows.map(sessionFrom);
    },

    async endSession(userId, sessionId) {
      if (!isId(userId) || !isId(sessionId)) return false;
      const ended = await db.change(
        "DELETE FROM sessions WHERE id = $1 AND user_id = $2",
        sessionId,
        userId,
      );
      return ended > 0;
    },
  };
}
