/**
 * The programs that are measured: where they are, of which version, and what they print.
 *
 * @module
 */
import { execFileSync } from "node:child_process";
import process from "node:process";
import { fileURLToPath } from "node:url";

/** A program that takes longer to say its version is not there. */
const VERSION_MS_MAX = 15_000;

/** Deno, as the command line has it or `DENO_BIN`. */
export const deno: string = process.env["DENO_BIN"] ?? "deno";

/** Bun, as the command line has it or `BUN_BIN`. */
export const bun: string = process.env["BUN_BIN"] ?? "bun";

/** What a program says of its version, or `undefined` if it is not there. */
export function version(command: string, ...args: string[]): string | undefined {
  try {
    const text = execFileSync(command, args, {
      encoding: "utf8",
      stdio: ["ignore", "pipe", "ignore"],
      timeout: VERSION_MS_MAX,
    });
    return /\d+(\.\d+)*/.exec(text)?.[0];
  } catch {
    return undefined;
  }
}

/** A file of this folder. */
export function path(name: string): string {
  return fileURLToPath(new URL(name, import.meta.url));
}

/** Figures by metric. */
export type Figures = ReadonlyMap<string, number>;

/** What a program has reported: a line of JSON for each figure, among others. */
export function figuresIn(output: string): Figures {
  const figures = new Map<string, number>();
  for (const line of output.split("\n")) {
    if (!line.startsWith("{")) continue;
    const { metric, value } = JSON.parse(line);
    figures.set(metric, value);
  }
  return figures;
}
