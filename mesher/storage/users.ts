/**
 * Users: stored fields and queries.
 *
 * @module
 */
import type { Result } from "./result.ts";

/** A user. */
export interface User {
  readonly id: string;
  /** As entered; compared without regard to case. */
  readonly email: string;
  readonly displayName: string;
  readonly createdAt: number;
  /** Whether the user is an operator, who may see the metrics and the cluster. */
  readonly isOperator: boolean;
}

/** A user and the password hash, only for logging in. */
export interface Credentials {
  readonly user: User;
  readonly passwordHash: string;
}

/** Users. */
export interface Users {
  /** The hash from `domain/password.ts`. */
  createUser(
    input: {
      readonly email: string;
      readonly displayName: string;
      readonly passwordHash: string;
      /** Default: false. */
      readonly isOperator?: boolean;
    },
  ): Promise<Result<User, "email_taken">>;
  /** Only for logging in. */
  credentials(email: string): Promise<Credentials | null>;
  user(userId: string): Promise<User | null>;
  /** Sets a new password. Ends all sessions of the user, and with `endTokens` all tokens too. */
  setPassword(
    userId: string,
    passwordHash: string,
    options?: { readonly endTokens: boolean },
  ): Promise<boolean>;
  /** Makes a user an operator, or removes that role. The last operator cannot be removed. */
  setOperator(
    email: string,
    isOperator: boolean,
  ): Promise<Result<User, "no_user" | "last_operator">>;
  /** Returns the number of users: 0 means that this is the first start. */
  userCount(): Promise<number>;
}
