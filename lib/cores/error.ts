/**
 * The error of `cores` and `core`.
 *
 * @module
 */

/** Workers could not be started, or not be replaced. */
export class CoresError extends Error {
  /** Name of the error class. */
  override readonly name = "CoresError";
  /**
   * The reason: "badoption", "noparent" (a worker's program was started by itself), "nostart" (a worker
   * ended, or was not ready in time).
   */
  readonly code: "badoption" | "noparent" | "nostart";

  /** Creates an error with its code and message. */
  constructor(code: "badoption" | "noparent" | "nostart", message: string) {
    super(message);
    this.code = code;
  }
}
