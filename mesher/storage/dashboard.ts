/**
 * Defines the charts and counts of issues and events that dashboards show.
 *
 * @module
 */

/** One column of a chart of events over time. */
export interface VolumeBucket {
  /** The start of the bucket, in milliseconds since the epoch. */
  readonly at: number;
  readonly count: number;
}

/** A value, and the number of events that have it. */
export interface ValueCount {
  readonly value: string;
  readonly count: number;
}

/** A summary of a project. */
export interface ProjectHealth {
  readonly unresolvedIssues: number;
  readonly events24h: number;
  /** Number of issues that were first seen in the last 24 hours. */
  readonly newIssues24h: number;
}

/** The storage used by a project. */
export interface ProjectUsage {
  readonly events: number;
  readonly issues: number;
  /** The size of the stored payloads; an estimate for events stored by an earlier version. */
  readonly bytes: number;
  /** The time at which the oldest stored event was received. */
  readonly oldestAt: number | null;
}

/** Queries for charts and counts. */
export interface Dashboard {
  /** Returns buckets from `since` to `until`, including empty ones, oldest first; at most 1000. */
  volume(
    orgId: string,
    projectId: string,
    range: { readonly since: number; readonly until: number; readonly bucketMs: number },
  ): Promise<readonly VolumeBucket[]>;
  /** Returns the number of a project's events of each level since the time `since`. */
  levelCounts(orgId: string, projectId: string, since: number): Promise<readonly ValueCount[]>;
  /**
   * Returns the most common values of one tag, most frequent first; only the tags of the latest
   * 10,000 events count.
   */
  tagValues(
    orgId: string,
    projectId: string,
    key: string,
    since: number,
    limit: number,
  ): Promise<readonly ValueCount[]>;
  /** Returns the most common tag keys, most frequent first. */
  tagKeys(
    orgId: string,
    projectId: string,
    since: number,
    limit: number,
  ): Promise<readonly ValueCount[]>;
  /** Returns all tags of one issue: the most common values of each key. */
  issueTags(
    orgId: string,
    issueId: string,
    since: number,
    limit: number,
  ): Promise<readonly { readonly key: string; readonly values: readonly ValueCount[] }[]>;
  projectHealth(orgId: string, projectId: string, now: number): Promise<ProjectHealth | null>;
  projectUsage(orgId: string, projectId: string): Promise<ProjectUsage | null>;
}
