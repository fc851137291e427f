/**
 * Defines the releases of projects in the storage. A release is created by its first event, or
 * earlier by a client.
 *
 * @module
 */
import type { Page, PageRequest } from "./page.ts";
import type { Result } from "./result.ts";

/** A release. */
export interface Release {
  readonly id: string;
  readonly projectId: string;
  readonly version: string;
  readonly createdAt: number;
  /** Number of issues whose first event was in this release. */
  readonly newIssues: number;
  /**
   * Time of the latest event of the issues whose last event was in this release; null if there are
   * none.
   */
  readonly lastSeen: number | null;
}

/** Queries and changes of releases. */
export interface Releases {
  /** Returns the releases of a project, newest first. */
  releases(orgId: string, projectId: string, page: PageRequest): Promise<Page<Release>>;
  release(orgId: string, projectId: string, version: string): Promise<Release | null>;
  /** Creates a release if it does not exist. */
  addRelease(
    orgId: string,
    projectId: string,
    version: string,
  ): Promise<Result<Release, "no_project">>;
}
