/**
 * Assertions: what must be true if our own code is right.
 *
 * They stay on in production. A false one is our bug, never a peer's: what a peer can cause is
 * answered with a close, a reject or an error value, not with an assertion.
 *
 * @module
 */

/** Our own code broke a rule of its own. Never caused by input. */
export class AssertionFailure extends Error {
  /** Tells the class of the error. */
  override readonly name = "AssertionFailure";
  /** Stable code: `"assertion"`. */
  readonly code = "assertion";
}

/** Throws {@linkcode AssertionFailure} unless the condition holds. */
export function assert(condition: unknown, message: string): asserts condition {
  if (!condition) throw new AssertionFailure(message);
}

/** The end of a switch over a union: a new member makes the call fail to compile. */
export function unreachable(value: never): never {
  throw new AssertionFailure(`unreachable: ${String(value)}`);
}
