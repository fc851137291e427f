/**
 * Converts errors of SQLite to those of the storage.
 *
 * @module
 */
import { StorageError } from "./error.ts";

const SQLITE_ERROR = 1;
const SQLITE_BUSY = 5;
const SQLITE_LOCKED = 6;
const SQLITE_IOERR = 10;
const SQLITE_FULL = 13;

/**
 * Codes of errors that do not depend on the statement, so that a retry may succeed. A full disk is
 * reported with one of the last two codes.
 */
const RETRIED: ReadonlySet<number> = new Set([
  SQLITE_BUSY,
  SQLITE_LOCKED,
  SQLITE_IOERR,
  SQLITE_FULL,
]);

/** Error codes by SQLite's messages, because errors of Deno's `exec` have no code. */
const CODES: ReadonlyMap<string, number> = new Map([
  ["database is locked", SQLITE_BUSY],
  ["database table is locked", SQLITE_LOCKED],
  ["disk I/O error", SQLITE_IOERR],
  ["database or disk is full", SQLITE_FULL],
]);

/** Runs a function, and converts errors of SQLite to `StorageError`. */
export function guarded<T>(run: () => T): T {
  try {
    return run();
  } catch (error) {
    const code = codeOf(error);
    if (code === undefined) throw error;
    throw new StorageError(`SQLite: ${messageOf(error)}`, RETRIED.has(code), error);
  }
}

/** Returns whether another process has locked the file. */
export function isBusy(error: unknown): boolean {
  return error instanceof StorageError && codeOf(error.cause) === SQLITE_BUSY;
}

/** Returns the message of an error. */
export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

/** Returns the primary code of an error of SQLite, or undefined for any other error. */
function codeOf(error: unknown): number | undefined {
  const { code, errcode } = (error ?? {}) as {
    readonly code?: unknown;
    readonly errcode?: unknown;
  };
  if (typeof errcode === "number") return errcode & 0xff;
  if (code !== "ERR_SQLITE_ERROR") return undefined;
  return CODES.get(messageOf(error)) ?? SQLITE_ERROR;
}
