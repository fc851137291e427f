/**
 * The queries of users, in the SQL that both engines share.
 *
 * @module
 */
import { isId, newId } from "../../domain/id.ts";
import type { Database } from "../database.ts";
import type { User, Users } from "../users.ts";
import { bare } from "./columns.ts";

/** A row of the table of users. */
export interface UserRow {
  readonly id: string;
  readonly email: string;
  readonly display_name: string;
  readonly password_hash: string;
  readonly created_at: number;
  readonly operator: boolean | number;
}

/** The SQL list of the columns of a `UserRow`. The statement names the table `users u`. */
export const USER: string = "u.id, u.email, u.display_name, u.password_hash, u.created_at, " +
  "u.operator";

/** Returns the user of a row. */
export const userFrom = (row: UserRow): User => ({
  id: row.id,
  email: row.email,
  displayName: row.display_name,
  createdAt: row.created_at,
  isOperator: Boolean(row.operator),
});

/**
 * Returns the form by which addresses are compared: without regard to case and surrounding spaces.
 */
export function folded(email: string): string {
  return email.trim().toLowerCase();
}

/** Returns the queries of users on a database. */
export function users(db: Database): Users {
  return {
    async createUser({ email, displayName, passwordHash, isOperator = false }) {
      const now = db.now();
      const row = await db.row<UserRow>(
        `INSERT INTO users AS u (id, email, email_folded, display_name, password_hash, created_at, operator)
         VALUES ($1, $2, $3, $4, $5, $6, $7)
         ON CONFLICT (email_folded) DO NOTHING RETURNING ${bare(USER)}`,
        newId(now),
        email.trim(),
        folded(email),
        displayName,
        passwordHash,
        now,
        isOperator,
      );
      return row === undefined
        ? { ok: false, reason: "email_taken" }
        : { ok: true, value: userFrom(row) };
    },

    async credentials(email) {
      const row = await db.row<UserRow>(
        `SELECT ${USER} FROM users u WHERE u.email_folded = $1`,
        folded(email),
      );
      return row === undefined ? null : { user: userFrom(row), passwordHash: row.password_hash };
    },

    async user(userId) {
      if (!isId(userId)) return null;
      const row = await db.row<UserRow>(`SELECT ${USER} FROM users u WHERE u.id = $1`, userId);
      return row === undefined ? null : userFrom(row);
    },

    async setPassword(userId, passwordHash, { endTokens } = { endTokens: false }) {
      if (!isId(userId)) return false;
      return await db.transaction(async (query) => {
        const changed = await query.change(
          "UPDATE users SET password_hash = $2 WHERE id = $1",
          userId,
          passwordHash,
        );
        await query.change(
          `DELETE FROM sessions WHERE user_id = $1${endTokens ? "" : " AND kind = 'session'"}`,
          userId,
        );
        await query.change("DELETE FROM password_resets WHERE user_id = $1", userId);
        return changed > 0;
      });
    },

    async setOperator(email, isOperator) {
      return await db.transaction(async (query) => {
        // Locks all operators in a fixed order, so that two concurrent requests cannot remove each
        // other.
        const operators = await query.rows<{ id: string }>(
          `SELECT id FROM users WHERE operator ORDER BY id ${db.dialect.forUpdate}`,
        );
        const row = await query.row<UserRow>(
          `SELECT ${USER} FROM users u WHERE u.email_folded = $1`,
          folded(email),
        );
        if (row === undefined) return { ok: false, reason: "no_user" };
        if (!isOperator && operators.length === 1 && operators[0]!.id === row.id) {
          return { ok: false, reason: "last_operator" };
        }
        await query.change("UPDATE users SET operator = $2 WHERE id = $1", row.id, isOperator);
        return { ok: true, value: { ...userFrom(row), isOperator } };
      });
    },

    async userCount() {
      return (await db.row<{ count: number }>("SELECT count(*) AS count FROM users"))!.count;
    },
  };
}
