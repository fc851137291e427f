/**
 * Organisations, and who is a member of them: what is stored, and the queries.
 *
 * @module
 */
import type { Result } from "./result.ts";

/** What a member of an organisation may do. */
export const ROLES = ["owner", "admin", "member"] as const;
/** What a member of an organisation may do. */
export type Role = typeof ROLES[number];

/** An organisation. */
export interface Organisation {
  readonly id: string;
  readonly name: string;
  readonly slug: string;
  readonly createdAt: number;
}

/** An organisation, and what the person who asked is in it. */
export interface Membership {
  readonly organisation: Organisation;
  readonly role: Role;
}

/** A person in an organisation. */
export interface Member {
  /** Of the membership. */
  readonly id: string;
  readonly userId: string;
  readonly email: string;
  readonly displayName: string;
  readonly role: Role;
  readonly joinedAt: number;
}

/** Organisations and their members. */
export interface Organisations {
  /** Makes an organisation that `ownerId` owns. `slug`: unique in all of Mesher. */
  createOrganisation(
    input: { readonly name: string; readonly slug: string; readonly ownerId: string },
  ): Promise<Result<Organisation, "slug_taken" | "no_user">>;
  /** By id or slug, if `userId` is a member. */
  organisationOf(userId: string, idOrSlug: string): Promise<Membership | null>;
  /** All that a user is a member of, by name. */
  organisationsOf(userId: string): Promise<readonly Membership[]>;

  members(orgId: string): Promise<readonly Member[]>;
  addMember(
    orgId: string,
    userId: string,
    role: Role,
  ): Promise<Result<Member, "no_org" | "no_user" | "already_member">>;
  /** An organisation keeps at least one owner. */
  setRole(
    orgId: string,
    membershipId: string,
    role: Role,
  ): Promise<Result<Member, "no_member" | "last_owner">>;
  /** Issues assigned to them in this organisation are assigned to nobody. */
  removeMember(
    orgId: string,
    membershipId: string,
  ): Promise<Result<null, "no_member" | "last_owner">>;
}
