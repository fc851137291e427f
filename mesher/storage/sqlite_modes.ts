/**
 * Applies the settings of connections to a SQLite file.
 *
 * @module
 */
import type { DatabaseSync } from "node:sqlite";

/**
 * Maximum time to wait for another process that has locked the file, in milliseconds. The call then
 * rejects, and may be retried.
 */
export const BUSY_MS_MAX = 10_000;

/** Page size of a new file in bytes: an event with its stack fits into one page. */
const PAGE_BYTES = 8_192;
/** Number of pages in the log at which it is checkpointed: 32 MiB. */
const LOG_PAGES = 4_000;

/** Applies the settings. With `fullSync`, a transaction waits for the disk. */
export function setModes(db: DatabaseSync, fullSync: boolean, busyMs: number): void {
  db.exec(`PRAGMA busy_timeout = ${busyMs}`);
  db.exec(`PRAGMA page_size = ${PAGE_BYTES}`);
  // In a new file, this setting allows freed pages to be returned to the file system. In an
  // existing file, changing the setting would wait for writers.
  const { page_count: pages } = db.prepare("PRAGMA page_count").get() as { page_count: number };
  if (pages === 0) db.exec("PRAGMA auto_vacuum = INCREMENTAL");
  db.exec("PRAGMA journal_mode = WAL");
  db.exec(`PRAGMA wal_autocheckpoint = ${LOG_PAGES}`);
  db.exec(`PRAGMA synchronous = ${fullSync ? "FULL" : "NORMAL"}`);
  db.exec("PRAGMA foreign_keys = ON");
  db.exec("PRAGMA cache_size = -32768");
  db.exec("PRAGMA temp_store = MEMORY");
}
