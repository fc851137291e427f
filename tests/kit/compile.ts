/** Type-checks programs and returns the compiler's errors. */
import { spawn } from "node:child_process";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { runtime } from "./test.ts";

const ROOT = new URL("../../", import.meta.url);

/**
 * Type-checks programs with `deno check` and the project's own strict options, including
 * `isolatedDeclarations`. They import "@firn/firn" or another of its entry points. Returns one text
 * per program with its errors; "" if it compiles.
 */
export async function compilerErrors<Name extends string>(
  programs: Readonly<Record<Name, string>>,
): Promise<Record<Name, string>> {
  const folder = await mkdtemp(join(tmpdir(), "firn-compile-"));
  try {
    const project = JSON.parse(await readFile(new URL("deno.json", ROOT), "utf8"));
    const { compilerOptions } = project;
    const config = join(folder, "deno.json");
    const imports = Object.fromEntries(
      Object.entries<string>(project.exports)
        .map(([entry, path]) => [`@firn/firn${entry.slice(1)}`, new URL(path, ROOT).href]),
    );
    await writeFile(config, JSON.stringify({ compilerOptions, imports }));
    const names = Object.keys(programs) as Name[];
    for (const name of names) await writeFile(join(folder, `${name}.ts`), programs[name]);
    const output = await check(folder, names.map((name) => `${name}.ts`));
    const errors = Object.fromEntries(names.map((name) => [name, ""])) as Record<Name, string>;
    let current: Name | undefined;
    const texts = output.replace(/\n+(Found \d+ errors|error: Type)[^]*$/, "\n");
    for (const error of texts.split(/(?=^TS\d+ \[ERROR\])/m)) {
      if (error.trim() === "") continue;
      // The first location is in the program. The notes of an error have locations in the library.
      const name = /at file:\/\/\S*\/([^/]+)\.ts:\d+:\d+/.exec(error)?.[1];
      if (names.includes(name as Name)) current = name as Name;
      if (current === undefined) throw new Error(`an error outside of the programs: ${error}`);
      errors[current] += error;
    }
    return errors;
  } finally {
    await rm(folder, { recursive: true });
  }
}

function check(folder: string, files: readonly string[]): Promise<string> {
  const deno = runtime === "deno" ? process.execPath : "deno";
  const args = ["check", "--quiet", "--config", "deno.json", ...files];
  const env = { ...process.env, NO_COLOR: "1" };
  const child = spawn(deno, args, { cwd: folder, env, stdio: ["ignore", "ignore", "pipe"] });
  let text = "";
  child.stderr.on("data", (part) => text += part);
  return new Promise((resolve, reject) => {
    child.on("error", reject);
    child.on("close", () => resolve(text));
  });
}
