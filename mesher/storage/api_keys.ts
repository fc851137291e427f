/**
 * Keys for ingest: what is stored, and the queries.
 *
 * @module
 */
import type { Project } from "./projects.ts";
import type { Result } from "./result.ts";

/** A key for ingest. */
export interface ApiKey {
  readonly id: string;
  readonly projectId: string;
  readonly label: string;
  /** The key's first characters, to tell keys apart. */
  readonly prefix: string;
  /** The key itself; null: an earlier version made it, and kept its hash only. */
  readonly secret: string | null;
  readonly createdAt: number;
  readonly revokedAt: number | null;
}

/** The keys of projects. */
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
  /** False when there is none, or it was revoked before. */
  revokeApiKey(orgId: string, keyId: string): Promise<boolean>;
  /** The system's own: whose key this is, unless it is revoked. */
  projectByKey(
    secretHash: string,
  ): Promise<{ readonly project: Project; readonly keyId: string } | null>;
}
