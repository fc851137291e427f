/**
 * The file that SQLite writes. It holds what programs send when they fail, which often names people: only its
 * owner may read it.
 *
 * @module
 */
import { chmodSync, closeSync, existsSync, openSync, statSync } from "node:fs";

const OWNER_ONLY = 0o600;

/**
 * Makes the file readable by its owner only, and creates it empty if there is none. SQLite gives its log
 * (`-wal`) and its index of the log (`-shm`) the mode of the file; those that exist already are changed too.
 */
export function keepToOwner(path: string): void {
  // Not created with a wider mode first: between the two calls another user could open it.
  if (!existsSync(path)) closeSync(openSync(path, "a", OWNER_ONLY));
  for (const file of [path, `${path}-wal`, `${path}-shm`]) {
    const mode = statSync(file, { throwIfNoEntry: false })?.mode;
    if (mode !== undefined && (mode & 0o077) !== 0) chmodSync(file, OWNER_ONLY);
  }
}
