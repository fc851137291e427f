/**
 * Defines the organisations and their members in the storage: their fields, queries and changes.
 *
 * @module
 */
import type { Result } from "./result.ts";

/** The roles of members. */
export const ROLES = ["owner", "admin", "member"] as const;
/** The role of a member. */
export type Role = typeof ROLES[number];

/** An organisation. */
export interface Organisation {
  readonly id: string;
  readonly name: string;
  readonly slug: string;
  readonly createdAt: number;
}

/** An organisation, and the user's role in it. */
export interface Membership {
  readonly organisation: Organisation;
  readonly role: Role;
}

/** A member of an organisation. */
export interface Member {
  /** The id of the membership. */
  readonly id: string;
  readonly userId: string;
  readonly email: string;
  readonly displayName: string;
  readonly role: Role;
  readonly joinedAt: number;
}

/** Queries and changes of organisations and their members. */
export interface Organisations {
  /** Creates an organisation owned by `ownerId`. `slug` must be unique in all of Mesher. */
  createOrganisation(
    input: { readonly name: string; readonly slug: string; readonly ownerId: string },
  ): Promise<Result<Organisation, "slug_taken" | "no_user">>;
  /** Returns an organisation by id or slug if `userId` is a member. */
  organisationOf(userId: string, idOrSlug: string): Promise<Membership | null>;
  /** Returns all organisations of a user, by name. */
  organisationsOf(userId: string): Promise<readonly Membership[]>;

  members(orgId: string): Promise<readonly Member[]>;
  addMember(
    orgId: string,
    userId: string,
    role: Role,
  ): Promise<Result<Member, "no_org" | "no_user" | "already_member">>;
  /** Changes the role of a member. The role of an organisation's last owner cannot be changed. */
  setRole(
    orgId: string,
    membershipId: string,
    role: Role,
  ): Promise<Result<Member, "no_member" | "last_owner">>;
  /**
   * Removes a member. Unassigns the issues of this organisation that are assigned to the member.
   */
  removeMember(
    orgId: string,
    membershipId: string,
  ): Promise<Result<null, "no_member" | "last_owner">>;
}
