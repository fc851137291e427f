/**
 * Measures the CPU time of the main thread between two rounds of the event loop.
 *
 * @module
 */
import { setImmediate } from "node:timers";

/** Turns shorter than this many milliseconds are not counted. */
const IDLE_MS = 0.05;

/** Durations of the turns that an event took, in milliseconds. */
export interface Turns {
  readonly longest: number;
  readonly total: number;
  readonly turns: number;
  /** The longest turns, in the order in which they occurred. */
  readonly worst: readonly number[];
}

interface Globals {
  readonly Deno?: {
    dlopen(file: string, symbols: unknown): {
      readonly symbols: { clock_gettime(clock: number, at: Uint8Array): number };
    };
  };
  readonly Bun?: { gc(sync: boolean): void };
  readonly gc?: () => void;
}

const runtime = globalThis as unknown as Globals;

/** The id of the Linux clock that measures the CPU time of a thread. */
const CLOCK_THREAD_CPUTIME_ID = 3;

/** Returns a function that returns the CPU time of this thread in milliseconds. */
async function threadClock(): Promise<() => number> {
  const at = new BigInt64Array(2);
  const bytes = new Uint8Array(at.buffer);
  const read = runtime.Deno === undefined ? await ofBun() : ofDeno(runtime.Deno);
  return () => {
    read(CLOCK_THREAD_CPUTIME_ID, bytes);
    return Number(at[0]) * 1000 + Number(at[1]) / 1e6;
  };
}

function ofDeno(deno: NonNullable<Globals["Deno"]>): (clock: number, at: Uint8Array) => number {
  const { symbols } = deno.dlopen("libc.so.6", {
    clock_gettime: { parameters: ["i32", "buffer"], result: "i32" },
  });
  return symbols.clock_gettime;
}

async function ofBun(): Promise<(clock: number, at: Uint8Array) => number> {
  const ffi = "bun:ffi";
  const { dlopen } = await import(ffi);
  const { symbols } = dlopen("libc.so.6", {
    clock_gettime: { args: ["i32", "ptr"], returns: "i32" },
  });
  return symbols.clock_gettime;
}

/** Collects garbage, if the process permits it (Deno: `--v8-flags=--expose-gc`). */
export function collect(): void {
  if (runtime.Bun !== undefined) runtime.Bun.gc(true);
  else runtime.gc?.();
}

/** Measures the turns until the promise of `work` has resolved. */
export async function longestTurn(work: () => unknown): Promise<Turns> {
  const now = await threadClock();
  const took: number[] = [];
  let isOver = false;
  let before = now();
  const turn = (): void => {
    const at = now();
    // Idle turns are not stored, because the growth of a long array would be a long turn.
    if (at - before > IDLE_MS) took.push(at - before);
    before = at;
    if (!isOver) setImmediate(turn);
  };
  await new Promise((wake) => setTimeout(wake, 50));
  setImmediate(turn);
  await new Promise((wake) => setTimeout(wake, 20));
  took.length = 0;
  await work();
  await new Promise((wake) => setImmediate(() => setImmediate(wake)));
  isOver = true;
  const limit = took.toSorted((a, b) => b - a)[9] ?? 0;
  return {
    longest: Math.max(0, ...took),
    total: took.reduce((sum, ms) => sum + ms, 0),
    turns: took.length,
    worst: took.filter((ms) => ms >= limit),
  };
}
