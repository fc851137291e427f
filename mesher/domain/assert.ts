/**
 * Assertions: a bug throws where it is detected. (Mesher uses the runtime only through its public API,
 * so it has its own.)
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
