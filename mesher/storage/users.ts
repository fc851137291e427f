/**
 * People who log in: what is kept, and what may be asked.
 *
 * @module
 */
import type { Result } from "./result.ts";

/** A person who logs in. */
export interface User {
  readonly id: string;
  /** As given; two that differ in case only are the same. */
  readonly email: string;
  readonly displayName: string;
  readonly createdAt: number;
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
    },
  ): Promise<Result<User, "email_taken">>;
  /** For logging in. */
  credentials(email: string): Promise<Credentials | null>;
  user(userId: string): Promise<User | null>;
  /** A new password. Ends all of the user's sessions, not their tokens. */
  setPassword(userId: string, passwordHash: string): Promise<boolean>;
  /** How many users there are: none means that this is the first start. */
  userCount(): Promise<number>;
}
