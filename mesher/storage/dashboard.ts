/**
 * What dashboards show: charts and counts of issues and events.
 *
 * @module
 */

/** One column of a volume chart. */
export interface VolumeBucket {
  /** When it begins. */
  readonly at: number;
  readonly count: number;
}

/** A value and how many events have it. */
export interface ValueCount {
  readonly value: string;
  readonly count: number;
}

/** A project at a glance. */
export interface ProjectHealth {
  readonly unresolvedIssues: number;
  readonly events24h: number;
  /** Issues first seen in the last 24 hours. */
  readonly newIssues24h: number;
}

/** What a project occupies. */
export interface ProjectUsage {
  readonly events: number;
  readonly issues: number;
  /** The size of the stored payloads; of events that an earlier version stored, an estimate. */
  readonly bytes: number;
  /** When the oldest event that is still stored was received. */
  readonly oldestAt: number | null;
}

/** Charts and counts. */
export interface Dashboard {
  /** Buckets from `since` to `until`, the empty ones included, oldest first; at most 1000. */
  volume(
    orgId: string,
    projectId: string,
    range: { readonly since: number; readonly until: number; readonly bucketMs: number },
  ): Promise<readonly VolumeBucket[]>;
  /** Events per level since then. */
  levelCounts(orgId: string, projectId: string, since: number): Promise<readonly ValueCount[]>;
  /** The commonest values of one tag, most first; of tags the latest 10,000 events count. */
  tagValues(
    orgId: string,
    projectId: string,
    key: string,
    since: number,
    limit: number,
  ): Promise<readonly ValueCount[]>;
  /** The commonest tag keys, most first. */
  tagKeys(
    orgId: string,
    projectId: string,
    since: number,
    limit: number,
  ): Promise<readonly ValueCount[]>;
  /** All tags of one issue: the commonest values of each key. */
  issueTags(
    orgId: string,
    issueId: string,
    since: number,
    limit: number,
  ): Promise<readonly { readonly key: string; readonly values: readonly ValueCount[] }[]>;
  projectHealth(orgId: string, projectId: string, now: number): Promise<ProjectHealth | null>;
  projectUsage(orgId: string, projectId: string): Promise<ProjectUsage | null>;
}
