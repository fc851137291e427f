/**
 * Source maps and minified files that were uploaded for a project, and the chunks of uploads that are not finished.
 *
 * @module
 */
import type { Result } from "./result.ts";

/** Maximum number of bytes of a project's artifacts, as stored; an upload past it is refused. */
export const ARTIFACT_BYTES_MAX = 1_073_741_824;
/** Maximum number of a project's artifacts; an upload past it is refused. */
export const ARTIFACTS_MAX = 50_000;
/** Maximum number of bytes of an organisation's chunks that belong to no finished upload. */
export const CHUNK_BYTES_TOTAL_MAX = 268_435_456;
/** Chunks that belong to no finished upload are deleted after this. Milliseconds: one day. */
export const CHUNK_MS_MAX = 86_400_000;

/** The kind of an artifact. */
export type ArtifactKind = "source_map" | "minified_source";

/** What is known of a file of an upload without its content. */
export interface ArtifactEntry {
  readonly kind: ArtifactKind;
  /** A UUID. */
  readonly debugId: string | null;
  readonly release: string | null;
  readonly dist: string | null;
  /** Where it is served, for example `~/assets/app.js`. */
  readonly url: string;
  /** Of a minified file: the URL of its map. */
  readonly mapUrl: string | null;
}

/** A file of an upload. */
export interface NewArtifact extends ArtifactEntry {
  /** Compressed with gzip. */
  readonly content: Uint8Array;
}

/** A stored artifact. */
export interface Artifact extends ArtifactEntry {
  readonly id: string;
}

/** Artifacts. All methods are the system's own: the caller has checked the project or organisation. */
export interface Artifacts {
  /** Replaces what was uploaded before with the same checksum. */
  addArtifacts(
    projectId: string,
    checksum: string,
    artifacts: readonly NewArtifact[],
  ): Promise<Result<number, "too_much">>;
  /** Whether an upload with this checksum is stored. */
  hasUpload(projectId: string, checksum: string): Promise<boolean>;
  /** Returns at most 4, the latest first. */
  artifactsByDebugId(projectId: string, debugId: string): Promise<readonly Artifact[]>;
  /** Returns at most 8 of a release, the latest first. */
  artifactsByUrl(
    projectId: string,
    release: string,
    dist: string | null,
    urls: readonly string[],
  ): Promise<readonly Artifact[]>;
  /** Returns the content of an artifact, compressed with gzip; null: there is none. */
  artifactContent(id: string): Promise<Uint8Array | null>;
  /** False: too much is waiting. */
  addChunk(orgId: string, sha1: string, content: Uint8Array): Promise<boolean>;
  /** The bytes of a chunk; null: there is none. */
  chunk(orgId: string, sha1: string): Promise<Uint8Array | null>;
  /** Which of these chunks exist. */
  chunksAmong(orgId: string, sha1s: readonly string[]): Promise<readonly string[]>;
  deleteChunks(orgId: string, sha1s: readonly string[]): Promise<void>;
}
