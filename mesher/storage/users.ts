/**
 * Defines the users in the storage: their fields, queries and changes.
 *
 * @module
 */
import type { Result } from "./result.ts";

/** A user. */
export interface User {
  readonly id: string;
  /** The mail address as entered. Addresses are compared without regard to case. */
  readonly email: string;
  readonly displayName: string;
  readonly createdAt: number;
  /** Whether the user is an operator, who may see the metrics and the cluster. */
  readonly isOperator: boolean;
}

/** A user with the password hash. Used only for logging in. */
export interface Credentials {
  readonly user: User;
  readonly passwordHash: string;
}

/** Queries and changes of users. */
export interface Users {
  /** Creates a user. `passwordHash` is the hash from `domain/password.ts`. */
  createUser(
    input: {
      readonly email: string;
      readonly displayName: string;
      readonly passwordHash: string;
      /** Whether the user becomes an operator. Default: false. */
      readonly isOperator?: boolean;
    },
  ): Promise<Result<User, "email_taken">>;
  /** Returns a user with the password hash, for logging in only. */
  credentials(email: string): Promise<Credentials | null>;
  user(userId: string): Promise<User | null>;
  /** Sets a new password. Ends all sessions of the user, and with `endTokens` all tokens too. */
  setPassword(
    userId: string,
    passwordHash: string,
    options?: { readonly endTokens: boolean },
  ): Promise<boolean>;
  /**
   * Makes a user an operator, or removes the role. The role cannot be removed from the last
   * operator.
   */
  setOperator(
    email: string,
    isOperator: boolean,
  ): Promise<Result<User, "no_user" | "last_operator">>;
  /** Returns the number of users. 0 means that Mesher starts for the first time. */
  userCount(): Promise<number>;
}
