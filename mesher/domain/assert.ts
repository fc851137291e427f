/**
 * Assertions: a bug throws where it is detected. Mesher has its own, because Firn does not export
 * its assertions.
 *
 * @module
 */

/** Throws unless the condition holds. */
export function assert(condition: unknown, what: string): asserts condition {
  if (!condition) throw new Error(`assertion failed: ${what}`);
}

/** Ends a switch that handles every case. */
export function unreachable(value: never): never {
  throw new Error(`unreachable: ${JSON.stringify(value)}`);
}
