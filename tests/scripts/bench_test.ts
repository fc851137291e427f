/** Tests `deno bench` in a fresh clone: without flags, with `-P`, and on Bun. */
import { execFile } from "node:child_process";
import process from "node:process";
import { fileURLToPath } from "node:url";
import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { findProgram } from "../../scripts/cluster/runtimes.ts";
import { runtime, test } from "../kit/test.ts";

const root = fileURLToPath(new URL("../../", import.meta.url));
const ONE = "bench/base/ring_bench.ts";
const NETWORK = "bench/mesh/call_bench.ts";

/** Runs a program in the project's folder. Resolves to its exit status and output. */
function run(
  program: string,
  args: readonly string[],
  env: Readonly<Record<string, string>> = {},
): Promise<{ status: number; text: string }> {
  const options = {
    cwd: root,
    env: { ...process.env, NO_COLOR: "1", DENO_NO_PROMPT: "1", ...env },
    maxBuffer: 16 * 1024 * 1024,
  };
  return new Promise((ended) => {
    execFile(program, args, options, (error, out, err) => {
      ended({ status: typeof error?.code === "number" ? error.code : 0, text: `${out}${err}` });
    });
  });
}

const deno = findProgram("deno");
const bun = findProgram("bun");

test("deno bench loads every file without flags, runs its benches, and reports skipped ones", {
  ignore: deno === undefined || runtime === "bun",
}, async () => {
  // Loads every file, but runs only one bench. The permission flag has no effect here: without one,
  // Deno adds -A to a Deno process that it starts.
  const { status, text } = await run(deno!, [
    "bench",
    "--allow-env=NOTHING",
    "--no-check",
    "--filter",
    "Ring push, shift",
  ], { FIRN_BENCH: "tiny" });
  assertEquals(status, 0, text);
  const skipped = [...text.matchAll(/^(bench\/\S+): .*skipped, it needs --allow-/gm)];
  assert(skipped.length >= 8, text);
  assertStringIncludes(text, `${NETWORK}: skipped, it needs --allow-net: deno bench -P`);
  assertMatch(text, /Ring push, shift .*\d (ns|µs) \|/);
});

test("deno bench -P runs the benches that need the network", {
  ignore: deno === undefined || runtime === "bun",
}, async () => {
  const { status, text } = await run(
    deno!,
    ["bench", "--no-check", "-P", "--filter", "by pid", NETWORK],
    { FIRN_BENCH: "tiny" },
  );
  assertEquals(status, 0, text);
  assert(!text.includes("skipped"), text);
  assertMatch(text, /by pid .*\d (ns|µs|ms) \|/);
});

test("bun runs a bench file", { ignore: bun === undefined }, async () => {
  const { status, text } = await run(bun!, [ONE], { FIRN_BENCH: "tiny" });
  assertEquals(status, 0, text);
  assertMatch(text, /iter\/s/);
});
