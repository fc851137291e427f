/**
 * What a caller is told who asks for something that is not answered.
 *
 * @module
 */

/** A call that no handler is there for. */
export class UnknownCallError extends Error {
  /** Tells the class of the error. */
  override readonly name = "UnknownCallError";
  /** Stable code: `"undef"`. */
  readonly code = "undef";
}
