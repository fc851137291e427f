/**
 * People who log in: what is stored, and the queries.
 *
 * @module
 */
import type { Result } from "./result.ts";

/** A person who logs in. */
export interface User {
  readonly id: string;
  /** As given; compared without case. */
  readonly email: string;
  readonly displayName: string;
  readonly createdAt: number;
  /** An operator: may see the metrics and the cluster. */
  readonly isOperator: boolean;
}

/** A person and the secret's hash, for logging in only. */
export interface Credentials {
  readonly user: User;
  readonly passwordHash: string;
}

/** Users. */
export interface Users {
  /** The hash is `domain/password.ts`'s. */
  createUser(
    input: {
      readonly email: string;
      readonly displayName: string;
      readonly passwordHash: string;
      /** Default: false. */
      readonly isOperator?: boolean;
    },
  ): Promise<Result<User, "email_taken">>;
  /** For logging in. */
  credentials(email: string): Promise<Credentials | null>;
  user(userId: string): Promise<User | null>;
  /** Sets a new password. Ends all sessions of the user, and all tokens too with `endTokens`. */
  setPassword(
    userId: string,
    passwordHash: string,
    options?: { readonly endTokens: boolean },
  ): Promise<boolean>;
  /** Makes a user an operator, or no longer one. The last operator stays. */
  setOperator(
    email: string,
    isOperator: boolean,
  ): Promise<Result<User, "no_user" | "last_operator">>;
  /** How many users there are: none means that this is the first start. */
  userCount(): Promise<number>;
}
