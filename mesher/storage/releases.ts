/**
 * Releases of projects: made by their first event, or by a client before it.
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
  /** Issues that it had first. */
  readonly newIssues: number;
  /** The latest event of issues that had it last; null: there is none. */
  readonly lastSeen: number | null;
}

/** Releases. */
export interface Releases {
  /** Newest first. */
  releases(orgId: string, projectId: string, page: PageRequest): Promise<Page<Release>>;
  release(orgId: string, projectId: string, version: string): Promise<Release | null>;
  /** Makes it, unless it exists. */
  addRelease(
    orgId: string,
    projectId: string,
    version: string,
  ): Promise<Result<Release, "no_project">>;
}
