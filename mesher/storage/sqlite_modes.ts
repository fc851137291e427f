/**
 * How every connection to a SQLite file is set.
 *
 * @module
 */
import type { DatabaseSync } from "node:sqlite";

/** Another process may hold the file for this long; then the call rejects, and may be tried again. */
export const BUSY_MS_MAX = 10_000;

/** Bytes of a page of a new file: an event with its stack fits into one. */
const PAGE_BYTES = 8_192;
/** The log is carried over into the file when it has so many pages: 32 MiB. */
const LOG_PAGES = 4_000;

/** Sets it. `fullSync`: a transaction waits for the disk. */
export function setModes(db: DatabaseSync, fullSync: boolean, busyMs: number): void {
  db.exec(`PRAGMA busy_timeout = ${busyMs}`);
  db.exec(`PRAGMA page_size = ${PAGE_BYTES}`);
  // Of a new file pages that are freed can be given back to the file system. For another it would wait for writers.
  const { page_count: pages } = db.prepare("PRAGMA page_count").get() as { page_count: number };
  if (pages === 0) db.exec("PRAGMA auto_vacuum = INCREMENTAL");
  db.exec("PRAGMA journal_mode = WAL");
  db.exec(`PRAGMA wal_autocheckpoint = ${LOG_PAGES}`);
  db.exec(`PRAGMA synchronous = ${fullSync ? "FULL" : "NORMAL"}`);
  db.exec("PRAGMA foreign_keys = ON");
  db.exec("PRAGMA cache_size = -32768");
  db.exec("PRAGMA temp_store = MEMORY");
}
