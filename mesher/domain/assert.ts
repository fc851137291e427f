/**
 * Our own mistakes end what made them. (Mesher uses the runtime through its front door only, so it has
 * its own.)
 *
 * @module
 */

/** Throws unless the condition holds. */
export function assert(condition: unknown, what: string): asserts condition {
  if (!condition) throw new Error(`assertion failed: ${what}`);
}

/** For the end of a switch that knows every case. */
export function unreachable(value: never): never {
  throw new Error(`unreachable: ${JSON.stringify(value)}`);
}
