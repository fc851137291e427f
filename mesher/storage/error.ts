/**
 * A failure of the database.
 *
 * @module
 */

/** The database failed. */
export class StorageError extends Error {
  override readonly name = "StorageError";
  /** Whether the same call may succeed later. */
  readonly retry: boolean;

  constructor(message: string, retry: boolean, cause?: unknown) {
    super(message, { cause });
    this.retry = retry;
  }
}
