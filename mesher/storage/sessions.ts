/**
 * Logins and tokens: what is stored, and the queries.
 *
 * @module
 */
import type { TokenScope } from "../domain/token_scope.ts";
import type { Result } from "./result.ts";
import type { User } from "./users.ts";

/** A login (`session`, from a password) or a personal token (`token`, for programs). Stored hashed. */
export interface Session {
  /** For listing and ending it; not the secret. */
  readonly id: string;
  readonly kind: "session" | "token";
  readonly userId: string;
  readonly label: string;
  /** What a token may do (`domain/token_scope.ts`); null: all that its user may. */
  readonly scopes: readonly TokenScope[] | null;
  readonly createdAt: number;
  readonly expiresAt: number;
}

/** Sessions. */
export interface Sessions {
  /** `secretHash`: `domain/secret.ts`'s. */
  createSession(
    input: {
      readonly userId: string;
      readonly kind: Session["kind"];
      readonly label: string;
      /** Default: null. */
      readonly scopes?: readonly TokenScope[] | null | undefined;
      readonly secretHash: string;
      readonly expiresAt: number;
    },
  ): Promise<Result<Session, "no_user">>;
  /** Returns the user of a secret, unless it has expired. */
  sessionBySecret(
    secretHash: string,
  ): Promise<{ readonly session: Session; readonly user: User } | null>;
  sessions(userId: string): Promise<readonly Session[]>;
  endSession(userId: string, sessionId: string): Promise<boolean>;
}
