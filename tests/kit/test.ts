/**
 * One `test` function for both runtimes. On Deno it is `Deno.test`, so that its sanitizers and line
 * numbers apply; on Bun it uses `bun:test`.
 */
import process from "node:process";

/** The argument of a test. */
export interface TestContext {
  step(name: string, body: () => void | Promise<void>): Promise<boolean>;
}

/** Options of a test. */
export interface TestOptions {
  ignore?: boolean;
  only?: boolean;
  /** The timeout in milliseconds. */
  timeout?: number;
  /** Whether Deno checks for leaked async operations. Deno's own servers fail this check. */
  sanitizeOps?: boolean;
  /** Whether Deno checks for leaked resources. */
  sanitizeResources?: boolean;
}

type Body = (context: TestContext) => void | Promise<void>;

interface Test {
  (name: string, body: Body): void;
  (name: string, options: TestOptions, body: Body): void;
}

/** Time limit of a test on Bun, in milliseconds. It only ends a test that hangs. */
const TEST_MS_MAX = 180_000;

async function bunTest(): Promise<Test> {
  const { test } = await import(["bun", "test"].join(":"));
  const step = async (_name: string, body: () => void | Promise<void>): Promise<boolean> => {
    await body();
    return true;
  };
  return (name: string, a: TestOptions | Body, b?: Body): void => {
    const [options, body] = typeof a === "function" ? [{}, a] : [a, b!];
    const declare = options.ignore ? test.skip : options.only ? test.only : test;
    declare(name, () => body({ step }), options.timeout ?? TEST_MS_MAX);
  };
}

/** Whether the tests run in full, which takes long: FIRN_LONG=1. */
export const isLong: boolean = process.env["FIRN_LONG"] === "1";

/**
 * Returns whether the `i`-th of many independent cases runs on this runtime. Each runtime runs half
 * of the cases, or all with FIRN_LONG=1. The result of such cases must not depend on the runtime.
 */
export function isOwnHalf(i: number): boolean {
  return isLong || i % 2 === (runtime === "deno" ? 0 : 1);
}

/** Pauses between two checks of a condition, in milliseconds. */
const [PAUSE_MS_MIN, PAUSE_MS_MAX] = [2, 50];

/** Declares a test. */
export const test: Test = "Bun" in globalThis ? await bunTest() : Deno.test as Test;

/** The runtime that runs the tests. */
export const runtime: "deno" | "bun" = "Bun" in globalThis ? "bun" : "deno";

/**
 * Waits until `condition` returns true. Throws with `what` after `ms`, a limit that only a failure
 * or an overloaded machine reaches. The pause between two checks is a tenth of the time waited so
 * far, so that many long waits at once use little CPU time.
 */
export async function until(
  what: string,
  condition: () => boolean | Promise<boolean>,
  ms = 60_000,
): Promise<void> {
  const start = performance.now();
  while (!(await condition())) {
    const waited = performance.now() - start;
    if (waited > ms) throw new Error(`waited ${ms} ms without success until ${what}`);
    const pause = Math.min(Math.max(waited / 10, PAUSE_MS_MIN), PAUSE_MS_MAX);
    await new Promise((wake) => setTimeout(wake, pause));
  }
}
