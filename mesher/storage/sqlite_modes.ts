/**
 * How every connection to a SQLite file is set.
 *
 * @module
 */
import type { DatabaseSync } from "node:sqlite";

/** Another process may hold the file for this long; then the call rejects, and may be tried again. */
export const BUSY_MS_MAX = 10_000;

/** Sets it. `fullSync`: a transaction waits for the disk. */
export function setModes(db: DatabaseSync, fullSync: boolean, busyMs: number): void {
  db.exec(`PRAGMA busy_timeout = ${busyMs}`);
  db.exec("PRAGMA journal_mode = WAL");
  db.exec(`PRAGMA synchronous = ${fullSync ? "FULL" : "NORMAL"}`);
  db.exec("PRAGMA foreign_keys = ON");
  db.exec("PRAGMA cache_size = -32768");
  db.exec("PRAGMA temp_store = MEMORY");
}
