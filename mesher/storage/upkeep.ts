/**
 * The storage's own affairs: what is too old, how the database is, the end.
 *
 * @module
 */

/** What a round of upkeep did. */
export interface UpkeepReport {
  readonly eventsDeleted: number;
  readonly sessionsDeleted: number;
  /** PostgreSQL's day partitions; 0 on SQLite. */
  readonly partitionsCreated: number;
  readonly partitionsDropped: number;
}

/** How the database is. */
export interface StorageHealth {
  readonly ok: boolean;
  readonly engine: "sqlite" | "postgres";
  /** The schema's version. */
  readonly schema: number;
  /** How long one trivial query took. */
  readonly latencyMs: number;
  /** What is wrong, if something is. */
  readonly problem: string | null;
}

/** The storage's own affairs. */
export interface Upkeep {
  /**
   * Deletes what is older than its project's retention, ends expired sessions, and on PostgreSQL makes
   * the next days' partitions and drops the emptied ones. Works in small transactions; safe to run on
   * several nodes at once, and again at any time.
   */
  upkeep(now: number): Promise<UpkeepReport>;
  /** Never rejects. */
  health(): Promise<StorageHealth>;
  /** Waits for what is under way, then closes. Later calls reject. */
  close(): Promise<void>;
}
