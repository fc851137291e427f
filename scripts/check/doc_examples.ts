// deno-lint-ignore-file no-console
/**
 * Runs the examples of the documentation as tests: every block of TypeScript in a comment of
 * `mod.ts` and `lib`, in `README.md` and in the guides, unless it is marked `ignore`.
 *
 *     deno run -P=test scripts/check/doc_examples.ts
 *
 * `deno test --doc` runs the same examples, but loads the library again for each of them. This
 * script turns each example into a module, and one test file imports them one after another. Their
 * nodes have the cheap keys of the tests, because deriving keys with scrypt would take most of the
 * time. Nodes that the library itself starts, such as that of the shell, derive their keys with
 * scrypt, and so do all nodes in the same example.
 *
 * @module
 */
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { examplesOf } from "./examples.ts";
import { GENUINE_CONFIG } from "./std.ts";

/**
 * The module that examples import as "@firn/firn". It has the same exports, but nodes derive their
 * keys without scrypt.
 */
const FIRN_MODULE = `export * from "ROOT/mod.ts";
import { Node as Real } from "ROOT/mod.ts";
import { startCheaply } from "ROOT/tests/kit/keys.ts";
export const Node = new Proxy(Real, {
  get: (real, key) => key === "start" ? startCheaply : Reflect.get(real, key),
});
`;

/** Returns the code as a module that runs in another folder. */
function moduleOf(code: string, path: string): string {
  const base = new URL(path, new URL(`file://${Deno.cwd()}/`));
  const module = code.replaceAll(/ from "(\.[^"]+)"/g, (_, to) => ` from "${new URL(to, base)}"`);
  return /@firn\/firn\/(shell|cores)|CookieError/.test(code)
    ? module
    : module.replaceAll(' from "@firn/firn"', ' from "./cheap.js"');
}

Deno.chdir(new URL("../..", import.meta.url));
const files = readdirSync("lib", { recursive: true }).map((path) => `lib/${path}`);
const config = existsSync(GENUINE_CONFIG)
  ? ["--config", GENUINE_CONFIG, "--no-lock"]
  : ["--config", "deno.json"];
const folder = mkdtempSync(join(tmpdir(), "firn-examples-"));
try {
  writeFileSync(join(folder, "cheap.js"), FIRN_MODULE.replaceAll("ROOT", `file://${Deno.cwd()}`));
  const tests = ["mod.ts", "README.md", ...files.sort()]
    .filter((path) => /\.(ts|md)$/.test(path) && existsSync(path))
    .flatMap((path) => examplesOf(path, readFileSync(path, "utf8")))
    .map(({ path, line, code }) => {
      const name = `${path.replaceAll(/\W/g, "_")}_${line}.ts`;
      writeFileSync(join(folder, name), moduleOf(code, path));
      const title = JSON.stringify(`${path}:${line}`);
      return `Deno.test(${title}, async () => void await import("./${name}"));\n`;
    });
  const file = join(folder, "examples_test.ts");
  writeFileSync(file, tests.join(""));
  const { code } = await new Deno.Command(Deno.execPath(), {
    args: ["test", "-P=test", "--no-check", ...config, file],
    stdin: "null",
    stdout: "inherit",
    stderr: "inherit",
  }).output();
  if (code !== 0) {
    console.error(`a test of an example is named for the file and line where it begins`);
  }
  Deno.exitCode = code;
} finally {
  rmSync(folder, { recursive: true });
}
