/**
 * Defines the keys of projects in the storage: their fields, queries and changes. Clients send
 * events with a key.
 *
 * @module
 */
import type { Project } from "./projects.ts";
import type { Result } from "./result.ts";

/** A project's key, with which clients send events. */
export interface ApiKey {
  readonly id: string;
  readonly projectId: string;
  readonly label: string;
  /** The key's first characters, which identify it in lists. */
  readonly prefix: string;
  /** The key itself. Null if an earlier version, which stored only its hash, has created it. */
  readonly secret: string | null;
  readonly createdAt: number;
  readonly revokedAt: number | null;
}

/** Queries and changes of the keys of projects. */
export interface ApiKeys {
  createApiKey(
    orgId: string,
    input: {
      readonly projectId: string;
      readonly label: string;
      readonly prefix: string;
      readonly secret: string;
      readonly secretHash: string;
    },
  ): Promise<Result<ApiKey, "no_project">>;
  apiKeys(orgId: string, projectId: string): Promise<readonly ApiKey[]>;
  /** Revokes a key. Returns false if there is no such key, or it was already revoked. */
  revokeApiKey(orgId: string, keyId: string): Promise<boolean>;
  /**
   * Internal: returns the id and the project of the key with this hash. Returns null if there is no
   * such key, or if it is revoked.
   */
  projectByKey(
    secretHash: string,
  ): Promise<{ readonly project: Project; readonly keyId: string } | null>;
}
