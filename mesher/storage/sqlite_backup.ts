/**
 * Backs up and checks a SQLite file.
 *
 * @module
 */
import { chmodSync, constants, copyFileSync, existsSync } from "node:fs";
import { DatabaseSync } from "node:sqlite";
import { StorageError } from "./error.ts";
import { guarded } from "./sqlite_error.ts";
import { BUSY_MS_MAX } from "./sqlite_modes.ts";

const OWNER_ONLY = 0o600;

/**
 * Copies the file into another, which must not exist. Writes of running nodes wait until the copy
 * is complete. The log is copied too, because not all of it may be checkpointed. `VACUUM INTO`
 * would be shorter, but Deno allows it only with all permissions.
 */
export function backUpSqlite(path: string, into: string): void {
  if (existsSync(into)) throw new StorageError(`${into} exists already`, false);
  const db = opened(path);
  try {
    guarded(() => db.exec("BEGIN IMMEDIATE"));
    try {
      copyFileSync(path, into, constants.COPYFILE_EXCL);
      chmodSync(into, OWNER_ONLY);
      if (existsSync(`${path}-wal`)) copyFileSync(`${path}-wal`, `${into}-wal`);
    } finally {
      guarded(() => db.exec("ROLLBACK"));
    }
  } finally {
    db.close();
  }
  checkSqlite(into);
}

/** Maximum time for which `detachSqlite` waits for other connections to close, in milliseconds. */
const DETACH_MS_MAX = 1_000;

/**
 * Throws if a node has the file open, because it would continue to write to the file after the file
 * is replaced. Otherwise, makes the file complete without its log. A damaged file is left as it is,
 * so that it can be replaced.
 */
export function detachSqlite(path: string): void {
  let isBusy = false;
  try {
    const db = opened(path);
    try {
      db.exec(`PRAGMA busy_timeout = ${DETACH_MS_MAX}`);
      // This needs an exclusive lock on the file, which every open connection prevents.
      db.exec("PRAGMA journal_mode = DELETE");
    } catch (error) {
      isBusy = /locked|busy/i.test(String(error));
    } finally {
      db.close();
    }
  } catch {
    return;
  }
  if (isBusy) throw new StorageError(`${path} is in use: stop the nodes first`, false);
}

/** Throws unless the file is a complete Mesher database. */
export function checkSqlite(path: string): void {
  const db = opened(path);
  try {
    const check = guarded(() => db.prepare("PRAGMA quick_check(1)").get()) as {
      readonly quick_check: string;
    };
    if (check.quick_check !== "ok") {
      throw new StorageError(`${path} is damaged: ${check.quick_check}`, false);
    }
    guarded(() => db.prepare("SELECT count(*) FROM projects").get());
    // Checkpoints the log, so that the file alone is complete.
    guarded(() => db.exec("PRAGMA wal_checkpoint(TRUNCATE)"));
  } finally {
    db.close();
  }
}

function opened(path: string): DatabaseSync {
  if (!existsSync(path)) throw new StorageError(`there is no ${path}`, false);
  const db = guarded(() => new DatabaseSync(path));
  guarded(() => db.exec(`PRAGMA busy_timeout = ${BUSY_MS_MAX}`));
  return db;
}
