/** PostgreSQL's driver for the storage tests. */
import { importPackage } from "../kit/npm.ts";
import { runtime } from "../kit/test.ts";

const DRIVER = "postgres@3.4.9";

/**
 * Makes `import "postgres@…"` resolve from now on. Returns the reason if the package is not
 * available.
 */
export function provideDriver(): Promise<string | undefined> {
  return providePackage(DRIVER);
}

/**
 * Makes imports of an npm package with this version resolve from now on. Returns the reason if the
 * package is not available.
 */
export async function providePackage(name: string): Promise<string | undefined> {
  if (runtime === "deno") return undefined;
  let exports: unknown;
  try {
    exports = await importPackage(name);
  } catch (error) {
    return (error as Error).message;
  }
  const { plugin } = await import("bun" as string);
  plugin({
    name: `${name} for bun test`,
    setup: (build: { module(name: string, load: () => unknown): void }) =>
      build.module(name, () => ({ exports, loader: "object" })),
  });
  return undefined;
}
