/**
 * Sessions and tokens: stored fields and queries.
 *
 * @module
 */
import type { TokenScope } from "../domain/token_scope.ts";
import type { Result } from "./result.ts";
import type { User } from "./users.ts";

/** A login (`session`, from a password) or a personal token (`token`, for programs). Stored hashed. */
export interface Session {
  /** The id for lists and deletion, not the secret. */
  readonly id: string;
  readonly kind: "session" | "token";
  readonly userId: string;
  readonly label: string;
  /** The scopes of a token (`domain/token_scope.ts`); null: everything that its user may do. */
  readonly scopes: readonly TokenScope[] | null;
  readonly createdAt: number;
  readonly expiresAt: number;
}

/** Sessions. */
export interface Sessions {
  /** `secretHash`: the hash from `domain/secret.ts`. */
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
