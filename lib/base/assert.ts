/**
 * Assertions: conditions that hold unless this library has a bug.
 *
 * They stay enabled in production. A failed assertion is a bug of the library, never of a peer:
 * what a peer can cause is answered with a close, a rejection or an error value.
 *
 * @module
 */

/** An assertion of this library failed: a bug of the library. Never caused by input. */
export class AssertionFailure extends Error {
  /** Name of the error class. */
  override readonly name = "AssertionFailure";
  /** Stable code: `"assertion"`. */
  readonly code = "assertion";
}

/** Throws {@linkcode AssertionFailure} unless the condition holds. */
export function assert(condition: unknown, message: string): asserts condition {
  if (!condition) throw new AssertionFailure(message);
}

/** Ends a switch over a union. If the union gains a member, the call does not compile. */
export function unreachable(value: never): never {
  throw new AssertionFailure(`unreachable: ${String(value)}`);
}
