/**
 * The error of a database failure.
 *
 * @module
 */

/** The error of a failed operation of the database. */
export class StorageError extends Error {
  override readonly name = "StorageError";
  /** Whether a retry of the same call may succeed. */
  readonly retry: boolean;

  constructor(message: string, retry: boolean, cause?: unknown) {
    super(message, { cause });
    this.retry = retry;
  }
}
