/**
 * One `bench` for both runtimes: `Deno.bench` on Deno; on Bun a plain timing loop that prints means
 * (`bun bench/base/ring_bench.ts`), as a rough estimate. `RECORD.md` describes how quotable results
 * are measured.
 *
 *     deno bench       benches without permissions; skips the others with a message
 *     deno bench -P    all benches, with the permissions in deno.json
 *
 * With `FIRN_BENCH=tiny` each bench runs once, as a smoke test.
 *
 * @module
 */
import process from "node:process";

/** Options of a bench, a subset of those of `Deno.bench`. */
export interface BenchOptions {
  /** Benches of one group are compared with each other. */
  group?: string;
  /** Whether this bench is the baseline of its group. */
  baseline?: boolean;
  /** Number of measured iterations. */
  n?: number;
  /** Number of iterations before the measurement. */
  warmup?: number;
}

const onBun = "Bun" in globalThis;

type Body = () => void | Promise<void>;

interface Bench {
  (name: string, body: Body): void;
  (name: string, options: BenchOptions, body: Body): void;
}

/** Returns whether `FIRN_BENCH` is "tiny", if the environment may be read. */
export function isTiny(): boolean {
  return isGranted("env") && process.env["FIRN_BENCH"] === "tiny";
}

/** Returns `full`, or `small` if {@linkcode isTiny}. */
export function size(full: number, small: number): number {
  return isTiny() ? small : full;
}

/**
 * Deno permissions that a bench may need. `-P` and `-A` grant all of them; Bun has no permissions.
 */
export type Permission = "env" | "net" | "read" | "run" | "write";

/**
 * Declares the benches of a file if the permissions that they need are granted. Otherwise prints
 * which ones are missing, so that plain `deno bench` measures everything else.
 *
 * @example
 * ```ts ignore
 * await benches("bench/mesh/call_bench.ts", ["net"], async () => {
 *   const pair = await benchPair();
 *   bench("by pid", async () => void await pair.near.system.call(adder, { by: 1 }));
 * });
 * ```
 */
export async function benches(
  file: string,
  needs: readonly Permission[],
  declare: () => void | Promise<void>,
): Promise<void> {
  const missing = needs.filter((permission) => !isGranted(permission));
  if (missing.length === 0) return await declare();
  const flags = missing.map((permission) => `--allow-${permission}`).join(" ");
  process.stderr.write(`${file}: skipped, it needs ${flags}: deno bench -P\n`);
}

/** Returns whether a permission is granted, without a prompt. */
function isGranted(permission: Permission): boolean {
  if (onBun) return true;
  const { state } = Deno.permissions.querySync(
    permission === "net"
      ? { name: "net", host: "127.0.0.1" }
      : permission === "env"
      ? { name: "env", variable: "FIRN_BENCH" }
      : { name: permission },
  );
  return state === "granted";
}

/** Duration in milliseconds of the measuring loop of a bench without `n`. */
const MEASURE_MS = 500;

const waiting: { name: string; options: BenchOptions; body: Body }[] = [];

/** Declares a bench. */
export const bench: Bench = (name: string, a: BenchOptions | Body, b?: Body): void => {
  const [given, body] = typeof a === "function" ? [{}, a] : [a, b!];
  const options = isTiny() ? { ...given, n: 1, warmup: 0 } : given;
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
  // Exits, because sockets that benches keep open would keep the process alive.
  process.exit(0);
}

/** Returns the mean time of one iteration, in nanoseconds. */
async function measure(body: Body, { n, warmup = n ?? 100 }: BenchOptions): Promise<number> {
  for (let i = 0; i < warmup; i++) await body();
  const start = performance.now();
  const first = body();
  const waits = first instanceof Promise;
  await first;
  let calls = 1;
  while (n === undefined ? performance.now() - start < MEASURE_MS : calls < n) {
    // The clock is read once per batch; only a returned promise is awaited.
    const batch = n === undefined ? calls : n - calls;
    if (waits) { for (let i = 0; i < batch; i++) await body(); }
    else for (let i = 0; i < batch; i++) body();
    calls += batch;
  }
  return (performance.now() - start) * 1e6 / calls;
}
