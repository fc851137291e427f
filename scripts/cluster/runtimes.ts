/**
 * Starts Deno and Bun.
 *
 * @module
 */
import { statSync } from "node:fs";
import { delimiter, join } from "node:path";
import process from "node:process";

/** A runtime's name. */
export type Runtime = "deno" | "bun";

/** The runtime's name for users. */
export const RUNTIME_NAMES: Readonly<Record<Runtime, string>> = { deno: "Deno", bun: "Bun" };

/** The runtime of this process. */
export const ownRuntime: Runtime = "Bun" in globalThis ? "bun" : "deno";

const HOW_TO_INSTALL: Readonly<Record<Runtime, string>> = {
  deno: "npm install -g deno, or https://deno.com",
  bun: "npm install -g bun, or https://bun.com",
};

/** An expected failure: only its message is printed. */
export class DemoError extends Error {
  override readonly name = "DemoError";
}

/**
 * Returns the program of a runtime: that of this process, or `DENO_BIN` or `BUN_BIN`, or the one on
 * the PATH.
 */
export function programOf(runtime: Runtime): string {
  if (runtime === ownRuntime) return process.execPath;
  const variable = runtime === "deno" ? "DENO_BIN" : "BUN_BIN";
  const given = process.env[variable];
  const program = given ? (isProgram(given) ? given : undefined) : findProgram(runtime);
  if (program !== undefined) return program;
  const where = given ? `at ${given}, where ${variable} points` : "on the PATH";
  throw new DemoError(
    `there is no ${RUNTIME_NAMES[runtime]} ${where}: install it (${HOW_TO_INSTALL[runtime]})` +
      ` or set ${variable} to its program`,
  );
}

/** Returns the first program of that name on the PATH. */
export function findProgram(name: string): string | undefined {
  const folders = (process.env["PATH"] ?? "").split(delimiter).filter(Boolean);
  const file = process.platform === "win32" ? `${name}.exe` : name;
  return folders.map((folder) => join(folder, file)).find(isProgram);
}

/** Returns the arguments with which a runtime runs a file. */
export function argumentsFor(runtime: Runtime, file: string): string[] {
  return runtime === "deno" ? ["run", "--no-prompt", "-P=demo", file] : [file];
}

/** Reads the mode, because `accessSync` with `X_OK` needs `--allow-sys=uid` on Deno. */
function isProgram(path: string): boolean {
  try {
    const stats = statSync(path);
    return stats.isFile() && (process.platform === "win32" || (stats.mode & 0o111) !== 0);
  } catch {
    return false;
  }
}
