/**
 * Converts errors of SQLite to those of the storage.
 *
 * @module
 */
import { StorageError } from "./error.ts";

const SQLITE_ERROR = 1;
const SQLITE_BUSY = 5;
const SQLITE_LOCKED = 6;
const SQLITE_FULL = 13;

/** Runs a function, and converts errors of SQLite to `StorageError`. */
export function guarded<T>(run: () => T): T {
  try {
    return run();
  } catch (error) {
    const code = codeOf(error);
    if (code === undefined) throw error;
    const retry = code === SQLITE_BUSY || code === SQLITE_LOCKED || code === SQLITE_FULL;
    throw new StorageError(`SQLite: ${messageOf(error)}`, retry, error);
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

/** Returns SQLite's primary error code, or undefined if it is not an error of SQLite. */
function codeOf(error: unknown): number | undefined {
  const { code, errcode } = (error ?? {}) as {
    readonly code?: unknown;
    readonly errcode?: unknown;
  };
  if (typeof errcode === "number") return errcode & 0xff;
  if (code !== "ERR_SQLITE_ERROR") return undefined;
  // Errors of Deno's `exec` have no code.
  return messageOf(error) === "database is locked" ? SQLITE_BUSY : SQLITE_ERROR;
}
