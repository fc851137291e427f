// deno-lint-ignore-file no-console -- prints why it gives up
/**
 * The load client of `ws.ts` and `ws_pairs.ts` (`ws_load.c`, needs gcc) and the npm packages of
 * their servers, in a temporary folder outside of the repository.
 *
 * @module
 */
import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { fileURLToPath } from "node:url";

/** Time in milliseconds within which a server must print its port. */
const START_MS = 15_000;

/**
 * Maximum time in milliseconds that the client may need to connect, in addition to warm-up and
 * measurement.
 */
const CLIENT_EXTRA_MS = 20_000;

/** The output of the load client. */
export interface Figures {
  readonly deliveries: number;
  /** CPU seconds of the server processes per million deliveries, in total and of each. */
  readonly cpuPerMillion: number;
  readonly each: readonly number[];
  readonly perSecond: number;
  /** Number of cores used. */
  readonly server: number;
  readonly client: number;
  /** Latency from the due time of a message, in microseconds. */
  readonly p50: number;
  readonly p99: number;
}

/** Returns the path of a file of this folder. */
export function here(file: string): string {
  return fileURLToPath(new URL(file, import.meta.url));
}

/** Creates a folder with the load client and the packages. */
export function prepare(packages: readonly string[]): string {
  const folder = mkdtempSync(join(tmpdir(), "firn-ws-peers-"));
  process.on("exit", () => rmSync(folder, { recursive: true, force: true }));
  for (const signal of ["SIGINT", "SIGTERM"] as const) process.once(signal, () => process.exit(1));
  const must = (command: string, args: readonly string[]): void => {
    const { status, stderr } = spawnSync(command, args, { cwd: folder, encoding: "utf8" });
    if (status === 0) return;
    console.error(`bench/peers: ${command} ${args.join(" ")} failed\n${stderr}`);
    process.exit(1);
  };
  must("gcc", ["-O2", "-o", join(folder, "ws_load"), here("ws_load.c")]);
  writeFileSync(join(folder, "package.json"), "{}");
  must("npm", ["install", "--no-audit", "--no-fund", "--silent", ...packages]);
  return folder;
}

/** Kills a process when this one exits. */
function bind(child: ChildProcess): void {
  const end = (): void => void child.kill("SIGKILL");
  process.on("exit", end);
  child.once("exit", () => process.off("exit", end));
}

/** Starts a server, and waits for its first line. It is killed when this process exits. */
export async function startServer(
  command: readonly string[],
  started: (child: ChildProcess) => void,
  startMs: number = START_MS,
): Promise<string> {
  const [program, ...rest] = command;
  const child = spawn(program!, rest, { stdio: ["pipe", "pipe", "inherit"] });
  bind(child);
  started(child);
  let late: ReturnType<typeof setTimeout> | undefined;
  try {
    return await new Promise<string>((ready, fail) => {
      const give = (why: string) => fail(new Error(`${command.join(" ")}: ${why}`));
      late = setTimeout(() => give("is not ready in time"), startMs);
      let text = "";
      child.stdout!.on("data", (more) => {
        text += more;
        if (text.includes("\n")) ready(text.slice(0, text.indexOf("\n")));
      });
      child.once("exit", () => give("does not start"));
      child.once("error", fail);
    });
  } finally {
    clearTimeout(late);
  }
}

/**
 * Runs the load client of `folder` for a number of seconds, after a warm-up of the same length,
 * because compilation takes much of the first seconds.
 */
export function load(folder: string, seconds: number, args: readonly string[]): Promise<Figures> {
  return new Promise((done, fail) => {
    const child = spawn(
      join(folder, "ws_load"),
      [`warm=${seconds}`, `seconds=${seconds}`, ...args],
      {
        stdio: ["ignore", "pipe", "inherit"],
      },
    );
    bind(child);
    const late = setTimeout(() => child.kill("SIGKILL"), 2 * seconds * 1000 + CLIENT_EXTRA_MS);
    let text = "";
    child.stdout.on("data", (more) => text += more);
    child.on("close", (status, signal) => {
      clearTimeout(late);
      if (status === 0) done(JSON.parse(text));
      else fail(new Error(`ws_load ended with ${status ?? signal}`));
    });
  });
}

/** Returns the median. */
export function median(values: readonly number[]): number {
  return [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)] ?? NaN;
}
