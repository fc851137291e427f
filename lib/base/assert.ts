/**
 * Assertions: conditions that are true unless this library has a bug.
 *
 * They stay enabled in production. A failed assertion is always a bug of this library. Faults that
 * a peer can cause lead to a close, a rejection or an error value instead.
 *
 * @module
 */

/** An assertion of this library failed, because the library has a bug. Input never causes it. */
export class AssertionFailure extends Error {
  /** Name of the error class. */
  override readonly name = "AssertionFailure";
  /** Stable code: `"assertion"`. */
  readonly code = "assertion";
}

/** Throws {@linkcode AssertionFailure} unless the condition is true. */
export function assert(condition: unknown, message: string): asserts condition {
  if (!condition) throw new AssertionFailure(message);
}

/** Ends a switch over a union. If the union gains a member, the call does not compile. */
export function unreachable(value: never): never {
  throw new AssertionFailure(`unreachable: ${String(value)}`);
}
