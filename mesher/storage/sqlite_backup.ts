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

/**
 * Throws unless the file is a complete Mesher database that no other process has open for writing.
 */
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
