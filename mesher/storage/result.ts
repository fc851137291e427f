/**
 * Defines the result of an operation that may be rejected for an expected reason.
 *
 * @module
 */

/** A result, or the reason of a rejection. */
export type Result<T, Reason extends string> =
  | { readonly ok: true; readonly value: T }
  | { readonly ok: false; readonly reason: Reason };
