/**
 * How much the program holds, on both runtimes.
 */
import process from "node:process";
import v8 from "node:v8";
import vm from "node:vm";

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
