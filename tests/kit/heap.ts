/**
 * How much the program holds, on both runtimes.
 */
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

/** The bytes of the heap that are in use, after the collector has been through it. */
export function heapBytes(): number {
  const collect = collector();
  collect();
  collect();
  return process.memoryUsage().heapUsed;
}

/**
 * Waits until the heap is no more than so many bytes larger than it was. A collector may need several
 * goes: what looks like a pointer on the stack keeps what it points to until something else is there.
 */
export async function comesBack(before: number, bytes: number): Promise<void> {
  let grown = Infinity;
  try {
    await until("the memory comes back", () => (grown = heapBytes() - before) < bytes, 5_000);
  } catch (error) {
    throw new Error(`${grown} bytes more than before, ${bytes} allowed`, { cause: error });
  }
}
