/**
 * One-time links: invitations to an organisation, and password resets. Stored hashed.
 *
 * @module
 */
import type { Role } from "./organisations.ts";
import type { Result } from "./result.ts";

/** An invitation that was not accepted yet. */
export interface Invitation {
  readonly id: string;
  readonly orgId: string;
  readonly orgName: string;
  readonly email: string;
  readonly role: Role;
  readonly createdAt: number;
  readonly expiresAt: number;
}

/** Invitations and password resets. */
export interface Invitations {
  /** Replaces an earlier invitation of the same address to the organisation. */
  createInvitation(
    input: {
      readonly orgId: string;
      readonly email: string;
      readonly role: Role;
      readonly secretHash: string;
      readonly expiresAt: number;
    },
  ): Promise<Result<Invitation, "no_org">>;
  /** Returns the invitations of an organisation that have not expired, oldest first. */
  invitations(orgId: string): Promise<readonly Invitation[]>;
  deleteInvitation(orgId: string, invitationId: string): Promise<boolean>;
  /** Internal: returns the invitation unless it has expired. */
  invitationBySecret(secretHash: string): Promise<Invitation | null>;
  /** Internal: makes a user a member and deletes the invitation, atomically. */
  acceptInvitation(
    secretHash: string,
    userId: string,
  ): Promise<Result<Invitation, "no_invitation" | "no_user" | "already_member">>;
  /** Internal. Replaces an earlier reset of the user. */
  createReset(
    input: { readonly userId: string; readonly secretHash: string; readonly expiresAt: number },
  ): Promise<void>;
  /**
   * Internal: returns the user of a reset, unless it has expired. It works once: the call deletes the
   * reset.
   */
  takeReset(secretHash: string): Promise<string | null>;
}
