/**
 * Defines the sessions and tokens in the storage: their fields, queries and changes.
 *
 * @module
 */
import type { TokenScope } from "../domain/token_scope.ts";
import type { Result } from "./result.ts";
import type { User } from "./users.ts";

/**
 * A login (`session`, created with a password) or a personal token (`token`, for programs). Only a
 * hash of the secret is stored.
 */
export interface Session {
  /** The id, by which lists and deletions refer to the session. It is not the secret. */
  readonly id: string;
  readonly kind: "session" | "token";
  readonly userId: string;
  readonly label: string;
  /**
   * The scopes of a token (`domain/token_scope.ts`). If they are null, the token has all
   * permissions of its user.
   */
  readonly scopes: readonly TokenScope[] | null;
  readonly createdAt: number;
  readonly expiresAt: number;
}

/** Queries and changes of sessions and tokens. */
export interface Sessions {
  /** Creates a session or a token. `secretHash` is the hash from `domain/secret.ts`. */
  createSession(
    input: {
      readonly userId: string;
      readonly kind: Session["kind"];
      readonly label: string;
      /** The scopes of a token. Default: null, which stands for all permissions of the user. */
      readonly scopes?: readonly TokenScope[] | null | undefined;
      readonly secretHash: string;
      readonly expiresAt: number;
    },
  ): Promise<Result<Session, "no_user">>;
  /** Returns the session or token with this secret and its user, unless it has expired. */
  sessionBySecret(
    secretHash: string,
  ): Promise<{ readonly session: Session; readonly user: User } | null>;
  sessions(userId: string): Promise<readonly Session[]>;
  endSession(userId: string, sessionId: string): Promise<boolean>;
}
