/**
 * PostgreSQL's driver for the tests of storage.
 */
import { importPackage } from "../kit/npm.ts";
import { runtime } from "../kit/test.ts";

const DRIVER = "postgres@3.4.9";

/** Makes `import "postgres@…"` work from here on. Returns the reason if it cannot. */
export async function provideDriver(): Promise<string | undefined> {
  if (runtime === "deno") return undefined;
  let exports: unknown;
  try {
    exports = await importPackage(DRIVER);
  } catch (error) {
    return (error as Error).message;
  }
  const { plugin } = await import("bun" as string);
  plugin({
    name: "postgres for bun test",
    setup: (build: { module(name: string, load: () => unknown): void }) =>
      build.module(DRIVER, () => ({ exports, loader: "object" })),
  });
  return undefined;
}
