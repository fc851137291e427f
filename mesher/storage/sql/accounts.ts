/**
 * Organisations, users, memberships and sessions, in the SQL that both engines speak.
 *
 * @module
 */
import { isId, newId } from "../../domain/id.ts";
import type { Database, Query } from "../database.ts";
import type {
  Accounts,
  Member,
  Membership,
  Organisation,
  Role,
  Session,
  User,
} from "../storage.ts";
import { ofOrg } from "./scope.ts";

interface OrganisationRow {
  readonly id: string;
  readonly name: string;
  readonly slug: string;
  readonly created_at: number;
}

interface UserRow {
  readonly id: string;
  readonly email: string;
  readonly display_name: string;
  readonly password_hash: string;
  readonly created_at: number;
}

interface MemberRow {
  readonly id: string;
  readonly user_id: string;
  readonly email: string;
  readonly display_name: string;
  readonly role: Role;
  readonly joined_at: number;
}

interface SessionRow {
  readonly id: string;
  readonly kind: Session["kind"];
  readonly user_id: string;
  readonly label: string;
  readonly created_at: number;
  readonly expires_at: number;
}

const ORGANISATION = "o.id, o.name, o.slug, o.created_at";
const USER = "u.id, u.email, u.display_name, u.password_hash, u.created_at";
const MEMBER = "m.id, m.user_id, u.email, u.display_name, m.role, m.joined_at";
const SESSION = "s.id, s.kind, s.user_id, s.label, s.created_at, s.expires_at";

const organisationFrom = (row: OrganisationRow): Organisation => ({
  id: row.id,
  name: row.name,
  slug: row.slug,
  createdAt: row.created_at,
});

const userFrom = (row: UserRow): User => ({
  id: row.id,
  email: row.email,
  displayName: row.display_name,
  createdAt: row.created_at,
});

const memberFrom = (row: MemberRow): Member => ({
  id: row.id,
  userId: row.user_id,
  email: row.email,
  displayName: row.display_name,
  role: row.role,
  joinedAt: row.joined_at,
});

const membershipFrom = (row: OrganisationRow & { readonly role: Role }): Membership => ({
  organisation: organisationFrom(row),
  role: row.role,
});

const sessionFrom = (row: SessionRow): Session => ({
  id: row.id,
  kind: row.kind,
  userId: row.user_id,
  label: row.label,
  createdAt: row.created_at,
  expiresAt: row.expires_at,
});

/** Two addresses that differ in case or in blanks around them are one. */
function folded(email: string): string {
  return email.trim().toLowerCase();
}

/** Accounts in `db`. */
export function accounts(db: Database): Accounts {
  const member = (query: Query, orgId: string, membershipId: string) =>
    query.row<MemberRow>(
      `SELECT ${MEMBER} FROM memberships m JOIN users u ON u.id = m.user_id
       WHERE m.id = $1 AND m.org_id = $2`,
      membershipId,
      orgId,
    );

  /** Holds the organisation, so that two owners cannot both stop being the last but one. */
  const holdOrganisation = (query: Query, orgId: string) =>
    query.row(`SELECT id FROM organisations WHERE id = $1${db.dialect.forUpdate}`, orgId);

  const isLastOwner = async (query: Query, orgId: string, row: MemberRow): Promise<boolean> => {
    if (row.role !== "owner") return false;
    const owners = await query.row<{ count: number }>(
      "SELECT count(*) AS count FROM memberships WHERE org_id = $1 AND role = 'owner'",
      orgId,
    );
    return owners!.count <= 1;
  };

  return {
    async createOrganisation({ name, slug, ownerId }) {
      if (!isId(ownerId)) return { ok: false, reason: "no_user" };
      return await db.transaction(async (query) => {
        const owner = await query.row("SELECT id FROM users WHERE id = $1", ownerId);
        if (owner === undefined) return { ok: false, reason: "no_user" };
        const now = db.now();
        const row = await query.row<OrganisationRow>(
          `INSERT INTO organisations AS o (id, name, slug, created_at) VALUES ($1, $2, $3, $4)
           ON CONFLICT (slug) DO NOTHING RETURNING ${bare(ORGANISATION)}`,
          newId(now),
          name,
          slug,
          now,
        );
        if (row === undefined) return { ok: false, reason: "slug_taken" };
        await query.change(
          `INSERT INTO memberships (id, user_id, org_id, role, joined_at)
           VALUES ($1, $2, $3, 'owner', $4)`,
          newId(now),
          ownerId,
          row.id,
          now,
        );
        return { ok: true, value: organisationFrom(row) };
      });
    },

    async organisationOf(userId, idOrSlug) {
      if (!isId(userId)) return null;
      const row = await db.row<OrganisationRow & { role: Role }>(
        `SELECT ${ORGANISATION}, m.role FROM organisations o
         JOIN memberships m ON m.org_id = o.id
         WHERE m.user_id = $1 AND o.${isId(idOrSlug) ? "id" : "slug"} = $2`,
        userId,
        idOrSlug,
      );
      return row === undefined ? null : membershipFrom(row);
    },

    async organisationsOf(userId) {
      if (!isId(userId)) return [];
      const rows = await db.rows<OrganisationRow & { role: Role }>(
        `SELECT ${ORGANISATION}, m.role FROM organisations o
         JOIN memberships m ON m.org_id = o.id
         WHERE m.user_id = $1 ORDER BY o.name, o.id`,
        userId,
      );
      return rows.map(membershipFrom);
    },

    async createUser({ email, displayName, passwordHash }) {
      const now = db.now();
      const row = await db.row<UserRow>(
        `INSERT INTO users AS u (id, email, email_folded, display_name, password_hash, created_at)
         VALUES ($1, $2, $3, $4, $5, $6)
         ON CONFLICT (email_folded) DO NOTHING RETURNING ${bare(USER)}`,
        newId(now),
        email.trim(),
        folded(email),
        displayName,
        passwordHash,
        now,
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

    async setPassword(userId, passwordHash) {
      if (!isId(userId)) return false;
      return await db.transaction(async (query) => {
        const changed = await query.change(
          "UPDATE users SET password_hash = $2 WHERE id = $1",
          userId,
          passwordHash,
        );
        await query.change(
          "DELETE FROM sessions WHERE user_id = $1 AND kind = 'session'",
          userId,
        );
        return changed > 0;
      });
    },

    async userCount() {
      return (await db.row<{ count: number }>("SELECT count(*) AS count FROM users"))!.count;
    },

    async members(orgId) {
      if (!isId(orgId)) return [];
      const rows = await db.rows<MemberRow>(
        `SELECT ${MEMBER} FROM memberships m JOIN users u ON u.id = m.user_id
         WHERE m.org_id = $1 ORDER BY m.joined_at, m.id`,
        orgId,
      );
      return rows.map(memberFrom);
    },

    async addMember(orgId, userId, role) {
      if (!isId(orgId)) return { ok: false, reason: "no_org" };
      if (!isId(userId)) return { ok: false, reason: "no_user" };
      return await db.transaction(async (query) => {
        const org = await query.row("SELECT id FROM organisations WHERE id = $1", orgId);
        if (org === undefined) return { ok: false, reason: "no_org" };
        const user = await query.row("SELECT id FROM users WHERE id = $1", userId);
        if (user === undefined) return { ok: false, reason: "no_user" };
        const now = db.now();
        const id = newId(now);
        const added = await query.change(
          `INSERT INTO memberships (id, user_id, org_id, role, joined_at)
           VALUES ($1, $2, $3, $4, $5) ON CONFLICT (user_id, org_id) DO NOTHING`,
          id,
          userId,
          orgId,
          role,
          now,
        );
        if (added === 0) return { ok: false, reason: "already_member" };
        return { ok: true, value: memberFrom((await member(query, orgId, id))!) };
      });
    },

    async setRole(orgId, membershipId, role) {
      if (!isId(orgId) || !isId(membershipId)) return { ok: false, reason: "no_member" };
      return await db.transaction(async (query) => {
        await holdOrganisation(query, orgId);
        const row = await member(query, orgId, membershipId);
        if (row === undefined) return { ok: false, reason: "no_member" };
        if (role !== "owner" && await isLastOwner(query, orgId, row)) {
          return { ok: false, reason: "last_owner" };
        }
        await query.change("UPDATE memberships SET role = $2 WHERE id = $1", membershipId, role);
        return { ok: true, value: memberFrom({ ...row, role }) };
      });
    },

    async removeMember(orgId, membershipId) {
      if (!isId(orgId) || !isId(membershipId)) return { ok: false, reason: "no_member" };
      return await db.transaction(async (query) => {
        await holdOrganisation(query, orgId);
        const row = await member(query, orgId, membershipId);
        if (row === undefined) return { ok: false, reason: "no_member" };
        if (await isLastOwner(query, orgId, row)) return { ok: false, reason: "last_owner" };
        await query.change("DELETE FROM memberships WHERE id = $1", membershipId);
        await query.change(
          `UPDATE issues SET assigned_to = NULL WHERE assigned_to = $1
           AND ${ofOrg("$2")}`,
          row.user_id,
          orgId,
        );
        return { ok: true, value: null };
      });
    },

    async createSession({ userId, kind, label, secretHash, expiresAt }) {
      if (!isId(userId)) return { ok: false, reason: "no_user" };
      return await db.transaction(async (query) => {
        const user = await query.row("SELECT id FROM users WHERE id = $1", userId);
        if (user === undefined) return { ok: false, reason: "no_user" };
        const now = db.now();
        const row = await query.row<SessionRow>(
          `INSERT INTO sessions AS s
             (id, kind, user_id, label, secret_hash, created_at, expires_at)
           VALUES ($1, $2, $3, $4, $5, $6, $7) RETURNING ${bare(SESSION)}`,
          newId(now),
          kind,
          userId,
          label,
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

/** Columns without their table's letter: SQLite's RETURNING knows no alias. */
function bare(columns: string): string {
  return columns.replace(/\b[a-z]\./g, "");
}
