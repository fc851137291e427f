/**
 * What SQLite throws, as what storage throws.
 *
 * @module
 */
import { StorageError } from "./error.ts";

const SQLITE_ERROR = 1;
const SQLITE_BUSY = 5;
const SQLITE_LOCKED = 6;
const SQLITE_FULL = 13;

/** Runs it; an error of SQLite's becomes a `StorageError`. */
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

/** Whether somebody else holds the file just now. */
export function isBusy(error: unknown): boolean {
  return error instanceof StorageError && codeOf(error.cause) === SQLITE_BUSY;
}

/** What an error says. */
export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

/** SQLite's own number of an error, without what it says beyond; undefined: it is none of SQLite's. */
function codeOf(error: unknown): number | undefined {
  const { code, errcode } = (error ?? {}) as {
    readonly code?: unknown;
    readonly errcode?: unknown;
  };
  if (typeof errcode === "number") return errcode & 0xff;
  if (code !== "ERR_SQLITE_ERROR") return undefined;
  // Deno's `exec` gives no number.
  return messageOf(error) === "database is locked" ? SQLITE_BUSY : SQLITE_ERROR;
}
