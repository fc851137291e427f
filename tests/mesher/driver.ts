/**
 * PostgreSQL's driver for the tests. Deno has it by the import map, and so has `bun run`, which fetches what is
 * imported with a version; `bun test` fetches nothing, so there another Bun is asked to, and where it put it.
 */
import { spawnSync } from "node:child_process";
import process from "node:process";
import { runtime } from "../kit/test.ts";

const DRIVER = "postgres@3.4.9";
const FETCH_MS_MAX = 60_000;

/** Makes `import "postgres@…"` work from here on; or why it cannot. */
export async function provideDriver(): Promise<string | undefined> {
  if (runtime === "deno") return undefined;
  const { status, stdout, stderr } = spawnSync(
    process.execPath,
    ["-e", `import "${DRIVER}"; console.log(Bun.resolveSync("${DRIVER}", process.cwd()))`],
    { encoding: "utf8", timeout: FETCH_MS_MAX },
  );
  const path = stdout.trim().split("\n").at(-1) ?? "";
  if (status !== 0 || path === "") return `Bun could not fetch ${DRIVER}: ${stderr.trim()}`;
  const exports = await import(path);
  const { plugin } = await import("bun" as string);
  plugin({
    name: "postgres for bun test",
    setup: (build: { module(name: string, load: () => unknown): void }) =>
      build.module(DRIVER, () => ({ exports, loader: "object" })),
  });
  return undefined;
}
