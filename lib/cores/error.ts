/**
 * The error of `cores` and `core`.
 *
 * @module
 */

/**
 * The error of `cores` and `core`: workers could not be started or replaced.
 *
 * @example
 * ```ts
 * import { cores, CoresError } from "@firn/firn/cores";
 * import { assertEquals, assertRejects } from "@std/assert";
 *
 * const error = await assertRejects(() => cores("worker.ts", { count: 0 }), CoresError);
 * assertEquals(error.code, "badoption");
 * ```
 */
export class CoresError extends Error {
  /** Name of the error class. */
  override readonly name = "CoresError";
  /**
   * The reason: "badoption", "noparent" (a worker program was not started by `cores`), "nostart" (a
   * worker was not set up, exited, or was not ready in time).
   */
  readonly code: "badoption" | "noparent" | "nostart";

  /** Creates an error with its code and message. */
  constructor(code: "badoption" | "noparent" | "nostart", message: string) {
    super(message);
    this.code = code;
  }
}
