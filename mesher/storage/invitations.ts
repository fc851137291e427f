/**
 * Defines one-time links in the storage: invitations to an organisation, and password resets. Only
 * hashes of their secrets are stored.
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

/** Queries and changes of invitations and password resets. */
export interface Invitations {
  /** Creates an invitation. Replaces an earlier invitation of the address to the organisation. */
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
  /** Internal: makes a user a member and deletes the invitation, in one transaction. */
  acceptInvitation(
    secretHash: string,
    userId: string,
  ): Promise<Result<Invitation, "no_invitation" | "no_user" | "already_member">>;
  /** Internal: creates a password reset. Replaces an earlier password reset of the user. */
  createReset(
    input: { readonly userId: string; readonly secretHash: string; readonly expiresAt: number },
  ): Promise<void>;
  /**
   * Internal: returns the user of a reset and deletes the reset, which can be used once. Returns
   * null if it has expired.
   */
  takeReset(secretHash: string): Promise<string | null>;
}
