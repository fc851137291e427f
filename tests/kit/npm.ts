/**
 * npm packages for tests. Deno resolves them by the import map; `bun run` fetches imports that have a version,
 * and `bun test` fetches nothing, so another Bun process fetches the package and prints its path.
 */
import { spawnSync } from "node:child_process";
import process from "node:process";
import { runtime } from "./test.ts";

const FETCH_MS_MAX = 60_000;

/** Imports a package by its specifier, with a version. Rejects with the reason if it cannot be fetched. */
export async function importPackage(specifier: string): Promise<Record<string, unknown>> {
  if (runtime === "deno") return await import(specifier);
  const { status, stdout, stderr } = spawnSync(
    process.execPath,
    ["-e", `import "${specifier}"; console.log(Bun.resolveSync("${specifier}", process.cwd()))`],
    { encoding: "utf8", timeout: FETCH_MS_MAX },
  );
  const path = stdout.trim().split("\n").at(-1) ?? "";
  if (status !== 0 || path === "") {
    throw new Error(`Bun could not fetch ${specifier}: ${stderr.trim()}`);
  }
  return await import(path);
}
