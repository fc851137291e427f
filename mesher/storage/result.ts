/**
 * The result of an operation, or why it was rejected, for expected failures.
 *
 * @module
 */

/** Something done, or why it was not. */
export type Result<T, Reason extends string> =
  | { readonly ok: true; readonly value: T }
  | { readonly ok: false; readonly reason: Reason };
