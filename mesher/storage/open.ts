/**
 * Chooses the storage according to the configuration.
 *
 * @module
 */
import type { Lease } from "@firn/firn";
import type { LogLine } from "../log.ts";
import type { Storage } from "./storage.ts";

/** A lease whose connections can be closed. */
export interface ClosableLease extends Lease {
  close(): Promise<void>;
}

/** Options of the storage. */
export interface StorageConfig {
  /**
   * The URL of the database, `postgres://user:password@host:port/database`. Default: SQLite is
   * used.
   */
  readonly databaseUrl?: string | undefined;
  /** The path of SQLite's file, or `:memory:`. */
  readonly sqlitePath: string;
  /** Whether SQLite waits for the disk at each transaction. Default: true. */
  readonly sqliteFullSync?: boolean | undefined;
  /** Maximum number of connections to PostgreSQL. */
  readonly poolMax?: number | undefined;
  /** Returns the time, in milliseconds since the epoch. Default: the system's clock. */
  readonly now?: (() => number) | undefined;
  /** Writes a log line if opening PostgreSQL is delayed. */
  readonly log?: LogLine | undefined;
}

/**
 * Opens the storage, and creates or updates its tables. PostgreSQL's driver is loaded only if it is
 * needed.
 */
export async function openStorage(config: StorageConfig): Promise<Storage> {
  const { databaseUrl, sqlitePath, sqliteFullSync, poolMax, now, log } = config;
  if (databaseUrl === undefined) {
    const { openSqlite } = await import("./sqlite.ts");
    return await openSqlite({ path: sqlitePath, fullSync: sqliteFullSync, now });
  }
  const { openPostgres } = await import("./postgres.ts");
  return await openPostgres({ url: databaseUrl, poolMax, now, log });
}

/** Returns the lease for singletons, or undefined for SQLite, which is used on one machine only. */
export async function openLease(
  { databaseUrl }: StorageConfig,
): Promise<ClosableLease | undefined> {
  if (databaseUrl === undefined) return undefined;
  const { PostgresLease } = await import("./postgres_lease.ts");
  return new PostgresLease(databaseUrl);
}
