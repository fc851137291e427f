/**
 * The queries of organisations and members, in the SQL that both engines share.
 *
 * @module
 */
import { isId, newId } from "../../domain/id.ts";
import type { Database, Query } from "../database.ts";
import type { Member, Membership, Organisation, Organisations, Role } from "../organisations.ts";
import { bare } from "./columns.ts";
import { ofOrg } from "./scope.ts";

interface OrganisationRow {
  readonly id: string;
  readonly name: string;
  readonly slug: string;
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

const ORGANISATION = "o.id, o.name, o.slug, o.created_at";
const MEMBER = "m.id, m.user_id, u.email, u.display_name, m.role, m.joined_at";

const organisationFrom = (row: OrganisationRow): Organisation => ({
  id: row.id,
  name: row.name,
  slug: row.slug,
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

/** Adds a member. Returns the id of the membership, or null if the user is a member already. */
export async function addMembership(
  query: Query,
  now: number,
  orgId: string,
  userId: string,
  role: Role,
): Promise<string | null> {
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
  return added > 0 ? id : null;
}

/** Returns the queries of organisations and members on a database. */
export function organisations(db: Database): Organisations {
  const member = (query: Query, orgId: string, membershipId: string) =>
    query.row<MemberRow>(
      `SELECT ${MEMBER} FROM memberships m JOIN users u ON u.id = m.user_id
       WHERE m.id = $1 AND m.org_id = $2`,
      membershipId,
      orgId,
    );

  /** Locks the organisation, so that two concurrent requests cannot remove its last two owners. */
  const lockOrganisation = (query: Query, orgId: string) =>
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
        await addMembership(query, now, row.id, ownerId, "owner");
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
        const id = await addMembership(query, db.now(), orgId, userId, role);
        if (id === null) return { ok: false, reason: "already_member" };
        return { ok: true, value: memberFrom((await member(query, orgId, id))!) };
      });
    },

    async setRole(orgId, membershipId, role) {
      if (!isId(orgId) || !isId(membershipId)) return { ok: false, reason: "no_member" };
      return await db.transaction(async (query) => {
        await lockOrganisation(query, orgId);
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
        await lockOrganisation(query, orgId);
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
  };
}
