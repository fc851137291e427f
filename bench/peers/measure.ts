/**
 * How a contender measures itself, the same in ours and in nact's program: warm, then the median of a
 * few runs, printed as a line of JSON that the driver reads.
 *
 * @module
 */
import process from "node:process";

/** Runs that are counted. */
const RUNS = 5;

/** Prints one figure. */
export function report(metric: string, value: number): void {
  process.stdout.write(`${JSON.stringify({ metric, value })}\n`);
}

/** The middle one; the mean of the middle two. */
export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2;
}

/** Seconds that `run` takes. */
export async function seconds(run: () => unknown): Promise<number> {
  const start = performance.now();
  await run();
  return (performance.now() - start) / 1000;
}

/** Reports how many per second, where `run(n)` does n of them. */
export async function reportRate(
  metric: string,
  n: number,
  run: (n: number) => unknown,
): Promise<void> {
  // Twice: what the compiler learned from the first is thrown away when the second ends otherwise.
  for (let i = 0; i < 2; i++) await run(n);
  const rates: number[] = [];
  for (let i = 0; i < RUNS; i++) rates.push(n / await seconds(() => run(n)));
  report(metric, median(rates));
}

/** A promise that code elsewhere fulfils. */
export function signal(): { readonly done: Promise<void>; readonly give: () => void } {
  let give = (): void => {};
  const done = new Promise<void>((resolve) => give = resolve);
  return { done, give };
}

/** Lets the event loop turn. */
export function turn(): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, 0));
}

interface BunMemory {
  heapSize(): number;
}

/** Bytes of the heap and of the process, after what is garbage has been collected. */
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

/** Reports what `make` takes for n idle actors: seconds, and bytes each. */
export async function reportIdle(
  metric: string,
  n: number,
  make: (n: number, keep: unknown[]) => unknown,
): Promise<void> {
  const keep = new Array<unknown>(n).fill(undefined);
  const before = await memory();
  report(`${metric}.seconds`, await seconds(() => make(n, keep)));
  const after = await memory();
  report(`${metric}.bytes`, (after.heap - before.heap) / n);
  report(`${metric}.rss`, (after.rss - before.rss) / n);
  if (keep.length !== n) throw new Error("the actors were to be kept");
}

/** Runs the one that the command line names. */
export async function runNamed(runs: Readonly<Record<string, () => Promise<void>>>): Promise<void> {
  const name = process.argv[2] ?? "";
  const run = runs[name];
  if (run === undefined) throw new Error(`no such run: ${name}`);
  await run();
  process.exit(0);
}
