/**
 * One `bench` for both runtimes. Under Deno it is `Deno.bench` itself (`deno bench bench/`); under
 * Bun a plain timing loop (`bun bench/base/ring_bench.ts`), whose numbers are means, for a first
 * look. `RECORD.md` says how numbers are made that may be quoted.
 *
 * With `FIRN_BENCH=tiny` everything runs once or a few times, to show that it still runs.
 *
 * @module
 */
import process from "node:process";

/** How a bench is to be run: what `Deno.bench` takes, as far as we use it. */
export interface BenchOptions {
  /** Benches of one group are compared with each other. */
  group?: string;
  /** The one that the others of its group are compared with. */
  baseline?: boolean;
  /** How often to call it. */
  n?: number;
  /** How often to call it before that. */
  warmup?: number;
}

type Body = () => void | Promise<void>;

interface Bench {
  (name: string, body: Body): void;
  (name: string, options: BenchOptions, body: Body): void;
}

/** True if the benches are only to show that they run. */
export const tiny: boolean = process.env["FIRN_BENCH"] === "tiny";

/** The first number, or the second when {@linkcode tiny}. */
export function size(full: number, small: number): number {
  return tiny ? small : full;
}

/** How long the loop measures, where no `n` is given. Milliseconds. */
const MEASURE_MS = 500;

const onBun = "Bun" in globalThis;
const waiting: { name: string; options: BenchOptions; body: Body }[] = [];

/** Declares a bench. */
export const bench: Bench = (name: string, a: BenchOptions | Body, b?: Body): void => {
  const [given, body] = typeof a === "function" ? [{}, a] : [a, b!];
  const options = tiny ? { ...given, n: 2, warmup: 1 } : given;
  if (!onBun) return Deno.bench(name, options, body);
  if (waiting.push({ name, options, body }) === 1) setTimeout(runAll, 0);
};

async function runAll(): Promise<void> {
  const width = Math.max(...waiting.map(({ name }) => name.length));
  let group: string | undefined;
  for (const { name, options, body } of waiting) {
    if (options.group !== group) process.stdout.write(`\n${options.group ?? ""}\n`);
    group = options.group;
    const ns = await measure(body, options);
    const rate = Math.round(1e9 / ns).toLocaleString("en");
    process.stdout.write(
      `${name.padEnd(width)} ${ns.toFixed(1).padStart(14)} ns/iter ${rate.padStart(14)} iter/s\n`,
    );
  }
  // Sockets that a bench holds open for its next call would hold the process too.
  process.exit(0);
}

/** The mean of one call, in nanoseconds. */
async function measure(body: Body, { n, warmup = n ?? 100 }: BenchOptions): Promise<number> {
  for (let i = 0; i < warmup; i++) await body();
  const first = body();
  const waits = first instanceof Promise;
  await first;
  const start = performance.now();
  let calls = 0;
  while (n === undefined ? performance.now() - start < MEASURE_MS : calls < n) {
    // A batch reads the clock once; a body that does not wait is not waited for.
    const batch = n ?? Math.max(1, calls);
    if (waits) { for (let i = 0; i < batch; i++) await body(); }
    else for (let i = 0; i < batch; i++) body();
    calls += batch;
  }
  return (performance.now() - start) * 1e6 / calls;
}
