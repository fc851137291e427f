/**
 * Provides the estimate of an object's memory, which only Bun supports.
 *
 * @module
 */
import process from "node:process";

/**
 * Returns the function with which Bun estimates the memory of one object in bytes, without the
 * objects that it refers to. Returns `undefined` if the runtime has no such function.
 */
export function memoryEstimate(): ((value: object) => number) | undefined {
  type Engine = { estimateShallowMemoryUsageOf?(value: object): number };
  const engine = process.getBuiltinModule?.("bun:jsc") as Engine | undefined;
  return engine?.estimateShallowMemoryUsageOf;
}
