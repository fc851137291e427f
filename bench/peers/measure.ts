/**
 * Measurements within the programs of Firn and other libraries: a warm-up, then the median of
 * several runs, printed as a line of JSON for the driver.
 *
 * @module
 */
import process from "node:process";
import { size } from "../kit.ts";
import { median } from "../spread.ts";

/** Number of measured runs. The result is their median. */
const RUNS = size(5, 1);

/**
 * Number of warm-up runs. Two, because code that was optimised in the first run may be deoptimised
 * in the second.
 */
const WARM_UPS = size(2, 0);

/** Prints one result. */
export function report(metric: string, value: number): void {
  process.stdout.write(`${JSON.stringify({ metric, value })}\n`);
}

/** Returns the duration of `run` in seconds. */
export async function seconds(run: () => unknown): Promise<number> {
  const start = performance.now();
  await run();
  return (performance.now() - start) / 1000;
}

/** Reports the rate per second of an operation, which `run(n)` performs n times. */
export async function reportRate(
  metric: string,
  n: number,
  run: (n: number) => unknown,
): Promise<void> {
  report(metric, await rate(n, run));
}

/** Reports the time in microseconds of an operation, which `run(n)` performs n times. */
export async function reportEach(
  metric: string,
  n: number,
  run: (n: number) => unknown,
): Promise<void> {
  report(metric, 1e6 / await rate(n, run));
}

async function rate(full: number, run: (n: number) => unknown): Promise<number> {
  const n = size(full, Math.min(full, 1000));
  for (let i = 0; i < WARM_UPS; i++) await run(n);
  const rates: number[] = [];
  for (let i = 0; i < RUNS; i++) rates.push(n / await seconds(() => run(n)));
  return median(rates);
}

/** Returns a promise, and a function that resolves it. */
export function signal(): { readonly done: Promise<void>; readonly give: () => void } {
  let give = (): void => {};
  const done = new Promise<void>((resolve) => give = resolve);
  return { done, give };
}

/** Waits for one turn of the event loop. */
export function turn(): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, 0));
}

/**
 * Number of operations that are done in one turn of the event loop, before their effects are
 * handled.
 */
export const BURST = 1000;

/**
 * Calls `act` n times, in bursts of {@linkcode BURST}, each burst in one turn of the event loop.
 */
export async function inBursts(n: number, act: (index: number) => void): Promise<void> {
  for (let i = 0; i < n; i++) {
    act(i);
    if (i % BURST === BURST - 1) await new Promise<void>((next) => setImmediate(next));
  }
}

interface BunMemory {
  heapSize(): number;
}

/** Returns the bytes of the heap and of the process after a garbage collection. */
export async function memory(): Promise<{ readonly heap: number; readonly rss: number }> {
  const { Bun, gc } = globalThis as {
    Bun?: { gc(now: boolean): void };
    gc?: () => void;
  };
  for (let i = 0; i < 3; i++) {
    await turn();
    if (Bun !== undefined) Bun.gc(true);
    else gc?.();
  }
  const { heapUsed, rss } = process.memoryUsage();
  if (Bun === undefined) return { heap: heapUsed, rss };
  const { heapSize }: BunMemory = await import(["bun", "jsc"].join(":"));
  return { heap: heapSize(), rss };
}

/** Number of idle actors. */
const IDLE = size(1_000_000, 1000);

/**
 * Reports the cost of idle actors created by `make`: seconds for a million, and bytes per actor. A
 * library that takes minutes for a million is measured with a tenth of them.
 */
export async function reportIdle(
  metric: string,
  make: (n: number, keep: unknown[]) => unknown,
  share: number = 1,
): Promise<void> {
  const n = IDLE * share;
  const keep = new Array<unknown>(n).fill(undefined);
  const before = await memory();
  report(`${metric}.seconds`, await seconds(() => make(n, keep)) / share);
  const after = await memory();
  report(`${metric}.bytes`, (after.heap - before.heap) / n);
  report(`${metric}.rss`, (after.rss - before.rss) / n);
  if (keep.length !== n) throw new Error("the actors were to be kept");
}

/** Executes the run named on the command line. */
export async function runNamed(runs: Readonly<Record<string, () => Promise<void>>>): Promise<void> {
  const name = process.argv[2] ?? "";
  const run = runs[name];
  if (run === undefined) {
    process.stderr.write(
      `no such run: ${name || "none given"}: use ${Object.keys(runs).join(", ")}\n`,
    );
    process.exit(2);
  }
  await run();
  process.exit(0);
}
