/**
 * The result of an operation, or the reason why it was rejected, for expected failures.
 *
 * @module
 */

/** A result, or the reason of a rejection. */
export type Result<T, Reason extends string> =
  | { readonly ok: true; readonly value: T }
  | { readonly ok: false; readonly reason: Reason };
