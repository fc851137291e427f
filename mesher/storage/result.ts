/**
 * Something done, or why it was not: how storage refuses what it must expect.
 *
 * @module
 */

/** Something done, or why it was not. */
export type Result<T, Reason extends string> =
  | { readonly ok: true; readonly value: T }
  | { readonly ok: false; readonly reason: Reason };
