/** Measures the memory that the program uses, on both runtimes. */
import process from "node:process";
import v8 from "node:v8";
import vm from "node:vm";
import { until } from "./test.ts";

type Collector = { gc(full: boolean): void };

function collector(): () => void {
  const { Bun } = globalThis as { Bun?: Collector };
  if (Bun !== undefined) return () => Bun.gc(true);
  v8.setFlagsFromString("--expose-gc");
  return vm.runInNewContext("gc");
}

/** Returns the number of heap bytes in use after a garbage collection. */
export function heapBytes(): number {
  const collect = collector();
  collect();
  collect();
  return process.memoryUsage().heapUsed;
}

/**
 * Waits until the heap is less than `bytes` larger than `before`. Collects garbage several times,
 * because a stale value on the stack can look like a pointer to an object.
 */
export async function untilHeapReleased(before: number, bytes: number): Promise<void> {
  let grown = Infinity;
  try {
    await until("the memory is released", () => (grown = heapBytes() - before) < bytes, 5_000);
  } catch (error) {
    throw new Error(`${grown} bytes more than before, ${bytes} allowed`, { cause: error });
  }
}
