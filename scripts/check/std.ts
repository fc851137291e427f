/**
 * Uses the original `@std` packages. `"links"` in `deno.json` replaces them with small local
 * packages, because not every machine can reach JSR. This file writes the same config without the
 * links.
 *
 * @module
 */
import { readFileSync, rmSync, writeFileSync } from "node:fs";

/**
 * The configuration file without the links to the local packages. It is in the folder of
 * `deno.json`, because its paths are relative.
 */
export const GENUINE_CONFIG = ".deno.jsr.json";

/** A configuration file for Deno without the links to the local packages. */
export interface GenuineStd {
  /** Returns the arguments with which a Deno command uses the configuration file. */
  args(args: readonly string[]): string[];
  /** Removes the configuration file. */
  end(): void;
}

/** Writes the configuration file. */
export function withGenuineStd(): GenuineStd {
  const { links: _, ...config } = JSON.parse(readFileSync("deno.json", "utf8"));
  writeFileSync(GENUINE_CONFIG, JSON.stringify(config, null, 2) + "\n");
  return {
    // Ignores the lock file, because it records the links.
    args: ([command, ...rest]) => [
      command!,
      "--config",
      GENUINE_CONFIG,
      ...(command === "fmt" || command === "lint" ? [] : ["--no-lock"]),
      ...rest,
    ],
    end: () => rmSync(GENUINE_CONFIG, { force: true }),
  };
}
