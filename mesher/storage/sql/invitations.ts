/**
 * The queries of invitations and password resets, in the SQL that both engines share.
 *
 * @module
 */
import { isId, newId } from "../../domain/id.ts";
import type { Database } from "../database.ts";
import type { Invitation, Invitations } from "../invitations.ts";
import type { Role } from "../organisations.ts";
import { addMembership } from "./organisations.ts";
import { folded } from "./users.ts";

interface InvitationRow {
  readonly id: string;
  readonly org_id: string;
  readonly org_name: string;
  readonly email: string;
  readonly role: Role;
  readonly created_at: number;
  readonly expires_at: number;
}

const INVITATION = `SELECT i.id, i.org_id, o.name AS org_name, i.email, i.role, i.created_at,
  i.expires_at FROM invitations i JOIN organisations o ON o.id = i.org_id`;

const invitationFrom = (row: InvitationRow): Invitation => ({
  id: row.id,
  orgId: row.org_id,
  orgName: row.org_name,
  email: row.email,
  role: row.role,
  createdAt: row.created_at,
  expiresAt: row.expires_at,
});

/** Returns the queries of invitations and password resets on a database. */
export function invitations(db: Database): Invitations {
  return {
    async createInvitation({ orgId, email, role, secretHash, expiresAt }) {
      if (!isId(orgId)) return { ok: false, reason: "no_org" };
      return await db.transaction(async (query) => {
        const org = await query.row("SELECT id FROM organisations WHERE id = $1", orgId);
        if (org === undefined) return { ok: false, reason: "no_org" };
        const now = db.now();
        const id = newId(now);
        await query.change(
          `INSERT INTO invitations
             (id, org_id, email, email_folded, role, secret_hash, created_at, expires_at)
           VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
           ON CONFLICT (org_id, email_folded) DO UPDATE SET id = excluded.id, email = excluded.email,
             role = excluded.role, secret_hash = excluded.secret_hash,
             created_at = excluded.created_at, expires_at = excluded.expires_at`,
          id,
          orgId,
          email.trim(),
          folded(email),
          role,
          secretHash,
          now,
          expiresAt,
        );
        const row = await query.row<InvitationRow>(`${INVITATION} WHERE i.id = $1`, id);
        return { ok: true, value: invitationFrom(row!) };
      });
    },

    async invitations(orgId) {
      if (!isId(orgId)) return [];
      const rows = await db.rows<InvitationRow>(
        `${INVITATION} WHERE i.org_id = $1 AND i.expires_at > $2 ORDER BY i.created_at, i.id`,
        orgId,
        db.now(),
      );
      return rows.map(invitationFrom);
    },

    async deleteInvitation(orgId, invitationId) {
      if (!isId(orgId) || !isId(invitationId)) return false;
      const deleted = await db.change(
        "DELETE FROM invitations WHERE id = $1 AND org_id = $2",
        invitationId,
        orgId,
      );
      return deleted > 0;
    },

    async invitationBySecret(secretHash) {
      const row = await db.row<InvitationRow>(
        `${INVITATION} WHERE i.secret_hash = $1 AND i.expires_at > $2`,
        secretHash,
        db.now(),
      );
      return row === undefined ? null : invitationFrom(row);
    },

    async acceptInvitation(secretHash, userId) {
      if (!isId(userId)) return { ok: false, reason: "no_user" };
      return await db.transaction(async (query) => {
        const user = await query.row("SELECT id FROM users WHERE id = $1", userId);
        if (user === undefined) return { ok: false, reason: "no_user" };
        const row = await query.row<InvitationRow>(
          `${INVITATION} WHERE i.secret_hash = $1 AND i.expires_at > $2`,
          secretHash,
          db.now(),
        );
        // If two requests accept an invitation at the same time, only one of them deletes it.
        const taken = row !== undefined &&
          await query.change("DELETE FROM invitations WHERE id = $1", row.id) > 0;
        if (!taken) return { ok: false, reason: "no_invitation" };
        const added = await addMembership(query, db.now(), row.org_id, userId, row.role);
        return added === null
          ? { ok: false, reason: "already_member" }
          : { ok: true, value: invitationFrom(row) };
      });
    },

    async createReset({ userId, secretHash, expiresAt }) {
      await db.change(
        `INSERT INTO password_resets (user_id, secret_hash, expires_at) VALUES ($1, $2, $3)
         ON CONFLICT (user_id) DO UPDATE SET secret_hash = excluded.secret_hash,
           expires_at = excluded.expires_at`,
        userId,
        secretHash,
        expiresAt,
      );
    },

    async takeReset(secretHash) {
      const [row] = await db.rows<{ readonly user_id: string; readonly expires_at: number }>(
        "DELETE FROM password_resets WHERE secret_hash = $1 RETURNING user_id, expires_at",
        secretHash,
      );
      return row !== undefined && row.expires_at > db.now() ? row.user_id : null;
    },
  };
}
