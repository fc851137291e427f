/**
 * Maintenance of the storage: retention, health, close.
 *
 * @module
 */

/** The result of a round of maintenance. */
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
  /** The fault, if there is one. */
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
  /** Waits for pending calls, then closes. Later calls reject. */
  close(): Promise<void>;
}
