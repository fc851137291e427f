/**
 * Defines the maintenance of the storage: retention, health, closing.
 *
 * @module
 */

/** The result of a round of maintenance. */
export interface UpkeepReport {
  readonly eventsDeleted: number;
  readonly sessionsDeleted: number;
  /** Number of day partitions that were created on PostgreSQL; 0 on SQLite. */
  readonly partitionsCreated: number;
  readonly partitionsDropped: number;
}

/** The state of the database. */
export interface StorageHealth {
  readonly ok: boolean;
  readonly engine: "sqlite" | "postgres";
  /** The version of the schema. */
  readonly schema: number;
  /** Duration of one trivial query, in milliseconds. */
  readonly latencyMs: number;
  /** The message of the error, or null if the database answers. */
  readonly problem: string | null;
}

/** Internal operations of the storage. */
export interface Upkeep {
  /**
   * Deletes expired sessions, and the events that are older than their project's retention. On
   * PostgreSQL, also creates the partitions of the next days, and drops those of days older than
   * every project's retention. Works in small transactions, and may run on several nodes at once.
   */
  upkeep(now: number): Promise<UpkeepReport>;
  /** Returns the state of the database. Never rejects. */
  health(): Promise<StorageHealth>;
  /** Waits for pending calls, then closes the database. Later calls reject. */
  close(): Promise<void>;
}
