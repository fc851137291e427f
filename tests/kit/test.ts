/**
 * One `test` for both runtimes. Under Deno it is `Deno.test` itself, so that sanitizers and line
 * numbers are Deno's own; under Bun it is `bun:test`.
 */

/** The argument of a test. */
export interface TestContext {
  step(name: string, body: () => void | Promise<void>): Promise<boolean>;
}

/** Options of a test. */
export interface TestOptions {
  ignore?: boolean;
  only?: boolean;
  /** Milliseconds. */
  timeout?: number;
  /** Deno's leak checks of async operations, which the runtime's own servers do not pass. */
  sanitizeOps?: boolean;
  /** Deno's leak checks of resources. */
  sanitizeResources?: boolean;
}

type Body = (context: TestContext) => void | Promise<void>;

interface Test {
  (name: string, body: Body): void;
  (name: string, options: TestOptions, body: Body): void;
}

async function bunTest(): Promise<Test> {
  const { test } = await import(["bun", "test"].join(":"));
  const step = async (_name: string, body: () => void | Promise<void>): Promise<boolean> => {
    await body();
    return true;
  };
  return (name: string, a: TestOptions | Body, b?: Body): void => {
    const [options, body] = typeof a === "function" ? [{}, a] : [a, b!];
    const declare = options.ignore ? test.skip : options.only ? test.only : test;
    declare(name, () => body({ step }), options.timeout ?? 60_000);
  };
}

/** Declares a test. */
export const test: Test = "Bun" in globalThis ? await bunTest() : Deno.test as Test;

/** The runtime that runs the tests. */
export const runtime: "deno" | "bun" = "Bun" in globalThis ? "bun" : "deno";

/**
 * Waits until `condition` holds, checking every few milliseconds; throws with `what` after `ms`.
 */
export async function until(
  what: string,
  condition: () => boolean | Promise<boolean>,
  ms = 15_000,
): Promise<void> {
  const deadline = Date.now() + ms;
  while (!(await condition())) {
    if (Date.now() > deadline) throw new Error(`waited ${ms} ms in vain until ${what}`);
    await new Promise((wake) => setTimeout(wake, 2));
  }
}
