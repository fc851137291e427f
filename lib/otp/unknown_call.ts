/**
 * The error of a call without a handler.
 *
 * @module
 */

/**
 * A call for which the service has no handler, for example because its node runs another version of
 * the service.
 *
 * @example
 * ```ts
 * import { Node, service } from "@firn/firn";
 * import { UnknownCallError } from "@firn/firn/otp";
 * import { assertRejects } from "@std/assert";
 *
 * const old = service<{ state: number }>({ init: () => 0 });
 * const current = service<{ state: number; call: { get(): number } }>({
 *   init: () => 0,
 *   call: { get: (n) => [n, n] },
 * });
 *
 * await using node = await Node.start({ logLevel: "silent" });
 * await old.startAs("counter", node);
 * const there = current.at(node, "counter");
 * await assertRejects(() => current.call(there).get(), UnknownCallError);
 * ```
 */
export class UnknownCallError extends Error {
  /** Name of the error class. */
  override readonly name = "UnknownCallError";
  /** Stable code: `"undef"`. */
  readonly code = "undef";
}
