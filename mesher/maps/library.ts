/**
 * Imports `@jridgewell/trace-mapping` in a thread. Bun installs packages only for the main threads
 * of programs, not for other threads and not under `bun test`. Another process of Bun therefore
 * returns the paths of the package and of those that it needs, and the thread imports these.
 *
 * @module
 */
import { execFile } from "node:child_process";
import process from "node:process";
import { promisify } from "node:util";
import { NAME, traceMapping } from "./trace.ts";

/** The packages that the library imports. */
const NEEDED = ["@jridgewell/sourcemap-codec", "@jridgewell/resolve-uri"];
/** Time limit for installing the packages, in milliseconds. */
const INSTALL_MS_MAX = 15_000;

/** A script that prints the paths of the needed packages, and then of the library, as JSON. */
const PRINT = `import ${JSON.stringify(NAME)};
const path = Bun.resolveSync(${JSON.stringify(NAME)}, process.cwd());
const of = (name) => [name, Bun.resolveSync(name, path)];
const needed = ${JSON.stringify(NEEDED)}.map(of);
console.log("\\n" + JSON.stringify([...needed, [${JSON.stringify(NAME)}, path]]));`;

/** The part of Bun's plugins that is used. */
interface Bun {
  plugin(plugin: { name: string; setup(build: BunBuild): void }): void;
}
interface BunBuild {
  module(name: string, load: () => { exports: object; loader: "object" }): void;
}

/** Makes the library available to `trace.ts` in this thread. Rejects if it cannot be imported. */
export async function provideLibrary(): Promise<void> {
  try {
    await traceMapping();
  } catch (error) {
    const bun = (globalThis as { Bun?: Bun }).Bun;
    if (bun === undefined) throw error;
    const { stdout } = await promisify(execFile)(process.execPath, ["-e", PRINT], {
      cwd: import.meta.dirname!,
      timeout: INSTALL_MS_MAX,
    });
    const paths: readonly [string, string][] = JSON.parse(stdout.trim().split("\n").at(-1)!);
    for (const [name, path] of paths) {
      const exports = await import(path);
      bun.plugin({
        name: `${name} in a thread`,
        setup: (build) => build.module(name, () => ({ exports, loader: "object" })),
      });
    }
    await traceMapping();
  }
}
