/**
 * The measured programs: their paths, versions and output.
 *
 * @module
 */
import { execFileSync, spawn } from "node:child_process";
import process from "node:process";
import { fileURLToPath } from "node:url";

/** Time in milliseconds within which a program must print its version, or it counts as missing. */
const VERSION_MS_MAX = 15_000;

/** Maximum duration in milliseconds of a run. A longer run is killed. */
const RUN_MS_MAX = 60_000;

/** The command that starts Deno: the environment variable `DENO_BIN`, or `deno`. */
export const deno: string = process.env["DENO_BIN"] ?? "deno";

/** The command that starts Bun: the environment variable `BUN_BIN`, or `bun`. */
export const bun: string = process.env["BUN_BIN"] ?? "bun";

/** Returns the version that a program prints, or undefined if it is missing. */
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

/** Returns the path of a file of this folder. */
export function path(name: string): string {
  return fileURLToPath(new URL(name, import.meta.url));
}

/** The results of one run, by metric. */
export type Figures = ReadonlyMap<string, number>;

/** Returns the results in a program's output: lines of JSON, between other lines. */
export function figuresIn(output: string): Figures {
  const figures = new Map<string, number>();
  for (const line of output.split("\n")) {
    if (!line.startsWith("{")) continue;
    const { metric, value } = JSON.parse(line);
    figures.set(metric, value);
  }
  return figures;
}

/** Executes a program that prints results. Resolves to the reason if it failed. */
export function runProgram([command, ...args]: readonly string[]): Promise<Figures | string> {
  const child = spawn(command!, args, { stdio: ["ignore", "pipe", "pipe"] });
  const timer = setTimeout(() => child.kill("SIGKILL"), RUN_MS_MAX);
  let output = "";
  let errors = "";
  child.stdout.setEncoding("utf8").on("data", (text: string) => output += text);
  child.stderr.setEncoding("utf8").on("data", (text: string) => errors += text);
  return new Promise((resolve) => {
    child.on("error", (error) => resolve(error.message));
    child.on("close", (code, signal) => {
      clearTimeout(timer);
      if (code === 0) return resolve(figuresIn(output));
      const why = signal === "SIGKILL" ? `cut after ${RUN_MS_MAX / 1000} s` : `status ${code}`;
      resolve(`${why} ${errors.trim().split("\n").at(-1) ?? ""}`);
    });
  });
}
