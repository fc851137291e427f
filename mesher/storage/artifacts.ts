/**
 * Defines the uploaded source maps and minified files of projects in the storage, and the chunks of
 * unfinished uploads.
 *
 * @module
 */
import type { Result } from "./result.ts";

/**
 * Maximum size of all stored artifacts of a project, in bytes. An upload that would exceed it is
 * rejected.
 */
export const ARTIFACT_BYTES_MAX = 1_073_741_824;
/** Maximum number of artifacts of a project. An upload that would exceed it is rejected. */
export const ARTIFACTS_MAX = 50_000;
/** Maximum size of an organisation's chunks that belong to no finished upload, in bytes. */
export const CHUNK_BYTES_TOTAL_MAX = 268_435_456;
/** Age at which a chunk that belongs to no finished upload is deleted: one day, in milliseconds. */
export const CHUNK_MS_MAX = 86_400_000;

/** The kind of an artifact. */
export type ArtifactKind = "source_map" | "minified_source";

/** The description of a file of an upload, without its content. */
export interface ArtifactEntry {
  readonly kind: ArtifactKind;
  /** The debug id of the file, a UUID, if it has one. */
  readonly debugId: string | null;
  readonly release: string | null;
  readonly dist: string | null;
  /** The URL from which the file is served, for example `~/assets/app.js`. */
  readonly url: string;
  /** The URL of the source map of a minified file, if it is known. */
  readonly mapUrl: string | null;
}

/** A file of an upload, with its content. */
export interface NewArtifact extends ArtifactEntry {
  /** The content, compressed with gzip. */
  readonly content: Uint8Array;
}

/** A stored artifact. */
export interface Artifact extends ArtifactEntry {
  readonly id: string;
}

/**
 * Queries and changes of artifacts. The methods are internal: the caller has checked that the user
 * may access the project or organisation.
 */
export interface Artifacts {
  /** Stores the files of an upload. Replaces those of an earlier upload with the same checksum. */
  addArtifacts(
    projectId: string,
    checksum: string,
    artifacts: readonly NewArtifact[],
  ): Promise<Result<number, "too_much">>;
  /** Returns whether an upload with this checksum is stored. */
  hasUpload(projectId: string, checksum: string): Promise<boolean>;
  /** Returns the artifacts with a debug id, the latest first; at most 4. */
  artifactsByDebugId(projectId: string, debugId: string): Promise<readonly Artifact[]>;
  /**
   * Returns the artifacts of a release and a build with one of these URLs, the latest first; at
   * most 8.
   */
  artifactsByUrl(
    projectId: string,
    release: string,
    dist: string | null,
    urls: readonly string[],
  ): Promise<readonly Artifact[]>;
  /**
   * Returns the content of an artifact, compressed with gzip, or null if there is no such artifact.
   */
  artifactContent(id: string): Promise<Uint8Array | null>;
  /** Stores a chunk. Returns false if the organisation has too many bytes in unfinished uploads. */
  addChunk(orgId: string, sha1: string, content: Uint8Array): Promise<boolean>;
  /** Returns the bytes of a chunk, or null if there is no such chunk. */
  chunk(orgId: string, sha1: string): Promise<Uint8Array | null>;
  /** Returns those of the given hashes whose chunks are stored. */
  chunksAmong(orgId: string, sha1s: readonly string[]): Promise<readonly string[]>;
  deleteChunks(orgId: string, sha1s: readonly string[]): Promise<void>;
}
