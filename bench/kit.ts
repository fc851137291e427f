/**
 * One `bench` for both runtimes. Under Deno it is `Deno.bench` itself; under Bun a plain timing loop
 * (`bun bench/base/ring_bench.ts`), whose numbers are means, for a first look. `RECORD.md` says how
 * numbers are made that may be quoted.
 *
 *     deno bench       what needs no permission; the others are skipped with a message
 *     deno bench -P    everything, with the permissions in deno.json
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
  /** Whether the others of its group are compared with this one. */
  baseline?: boolean;
  /** How often to call it. */
  n?: number;
  /** How often to call it before that. */
  warmup?: number;
}

const onBun = "Bun" in globalThis;

type Body = () => void | Promise<void>;

interface Bench {
  (name: string, body: Body): void;
  (name: string, options: BenchOptions, body: Body): void;
}

/** Returns whether the benches only show that they run: `FIRN_BENCH=tiny`, where it may be read. */
export function isTiny(): boolean {
  return isGranted("env") && process.env["FIRN_BENCH"] === "tiny";
}

/** Returns the first number, or the second when {@linkcode isTiny}. */
export function size(full: number, small: number): number {
  return isTiny() ? small : full;
}

/** What a bench may need of Deno; `-P` and `-A` grant all of it. Bun grants everything. */
export type Permission = "env" | "net" | "read" | "run" | "write";

/**
 * Declares the benches of a file, where what they need is granted. Elsewhere prints a line that says
 * what is missing, so that plain `deno bench` measures everything else.
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

/** Returns whether Deno grants it already: asking for it would prompt. */
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

/** How long the loop measures, where no `n` is given. Milliseconds. */
const MEASURE_MS = 500;

const waiting: { name: string; options: BenchOptions; body: Body }[] = [];

/** Declares a bench. */
export const bench: Bench = (name: string, a: BenchOptions | Body, b?: Body): void => {
  const [given, body] = typeof a === "function" ? [{}, a] : [a, b!];
  const options = isTiny() ? { ...given, n: 2, warmup: 1 } : given;
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
