/**
 * The genuine `@std` packages. `"links"` in `deno.json` puts small local packages in their place, because not every
 * machine reaches JSR; here the same config is used without them.
 *
 * @module
 */
import { readFileSync, rmSync, writeFileSync } from "node:fs";

/** Beside `deno.json`, because its paths are relative to it. */
const CONFIG = ".deno.jsr.json";

/** A config without the links. */
export interface GenuineStd {
  /** Returns the arguments of a Deno command that uses it. */
  args(args: readonly string[]): string[];
  /** Removes it. */
  end(): void;
}

/** Writes the config. */
export function withGenuineStd(): GenuineStd {
  const { links: _, ...config } = JSON.parse(readFileSync("deno.json", "utf8"));
  writeFileSync(CONFIG, JSON.stringify(config, null, 2) + "\n");
  return {
    // The lock file records the links.
    args: ([command, ...rest]) => [
      command!,
      "--config",
      CONFIG,
      ...(command === "fmt" || command === "lint" ? [] : ["--no-lock"]),
      ...rest,
    ],
    end: () => rmSync(CONFIG, { force: true }),
  };
}
