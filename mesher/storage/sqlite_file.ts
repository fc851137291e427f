/**
 * Restricts access to SQLite's file to its owner, because the events of failing programs often
 * contain personal data.
 *
 * @module
 */
import { chmodSync, closeSync, existsSync, openSync, statSync } from "node:fs";

const OWNER_ONLY = 0o600;

/**
 * Makes the file readable only by its owner, and creates it empty if it does not exist. SQLite
 * creates its log (`-wal`) and its index of the log (`-shm`) with the mode of the file. The mode of
 * an existing log or index is changed here.
 */
export function keepToOwner(path: string): void {
  // The mode is set at the creation of the file. Otherwise, another user could open the file before
  // its mode is changed.
  if (!existsSync(path)) closeSync(openSync(path, "a", OWNER_ONLY));
  for (const file of [path, `${path}-wal`, `${path}-shm`]) {
    const mode = statSync(file, { throwIfNoEntry: false })?.mode;
    if (mode !== undefined && (mode & 0o077) !== 0) chmodSync(file, OWNER_ONLY);
  }
}
