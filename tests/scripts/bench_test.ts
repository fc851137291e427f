/** Tests `deno bench` in a fresh clone: without flags, with `-P`, and on Bun. */
import { execFile } from "node:child_process";
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { fileURLToPath, pathToFileURL } from "node:url";
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

test("deno bench runs the benches of every file without flags", {
  ignore: deno === undefined || runtime === "bun",
}, async () => {
  // Loads every file, but runs only one bench. One module imports all files, because an isolate per
  // file would load the library again. The permission flag has no effect here: without
  // one, Deno adds -A to a Deno process that it starts.
  const folder = mkdtempSync(join(tmpdir(), "firn-benches-"));
  const all = join(folder, "all_bench.ts");
  const files = readdirSync(join(root, "bench"), { recursive: true, encoding: "utf8" });
  const imports = files.filter((path) => path.endsWith("_bench.ts"))
    .map((path) => `import ${JSON.stringify(pathToFileURL(join(root, "bench", path)).href)};\n`);
  assert(imports.length > 20);
  writeFileSync(all, imports.join(""));
  const { status, text } = await run(deno!, [
    "bench",
    "--allow-env=NOTHING",
    "--no-check",
    "--filter",
    "Ring push, shift",
    all,
  ], { FIRN_BENCH: "tiny" }).finally(() => rmSync(folder, { recursive: true }));
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

test("bench:all exits before it measures if an option is mistyped or its file cannot be written", {
  ignore: deno === undefined || runtime === "bun",
}, async () => {
  const all = (...args: string[]) =>
    run(deno!, ["run", "-A", "--no-check", "bench/all.ts", ...args]);
  const [mistyped, valued, unknown, unwritable] = await Promise.all([
    all("--onyl", "ws"),
    all("--quick=true"),
    all("--only", "codec,wss"),
    all("--only", "codec", "--out", join(root, "no", "such", "folder.md")),
  ]);
  assertEquals(mistyped, {
    status: 2,
    text: "bench:all: no such option: --onyl (--help shows them)\n",
  });
  assertEquals(valued, { status: 2, text: "bench:all: --quick takes no value\n" });
  assertStringIncludes(unknown.text, 'bench:all: --only has "wss": use actors, ');
  assertEquals(unwritable.status, 2);
  assertStringIncludes(unwritable.text, "bench:all: --out: ENOENT");
});

test("bun runs a bench file", { ignore: bun === undefined }, async () => {
  const { status, text } = await run(bun!, [ONE], { FIRN_BENCH: "tiny" });
  assertEquals(status, 0, text);
  assertMatch(text, /iter\/s/);
});
