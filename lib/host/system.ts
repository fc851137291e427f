/**
 * Implements the functions of hosts that are the same on Deno and Bun, with `node:` built-ins:
 * time, randomness, processes, files.
 *
 * @module
 */
import { type ChildProcess, spawn } from "node:child_process";
import { randomBytes } from "node:crypto";
import { lookup, resolveSrv } from "node:dns/promises";
import {
  linkSync,
  mkdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
  writeSync,
} from "node:fs";
import { totalmem } from "node:os";
import { dirname } from "node:path";
import type { Readable } from "node:stream";
import process from "node:process";
import { getHeapStatistics } from "node:v8";
import { utf8 } from "../base/bytes.ts";
import type { Clock, Timer } from "../base/clock.ts";
import { LogEntry, type LogSink } from "../base/log.ts";
import type { Random } from "../base/random.ts";
import type { Child, ChildSignal, MemoryUse } from "./host.ts";

/** The machine's clock. `unref` is called with a timer that must not keep the process alive. */
export class SystemClock implements Clock {
  readonly #unref: (timer: ReturnType<typeof setTimeout>) => void;

  constructor(unref: (timer: ReturnType<typeof setTimeout>) => void) {
    this.#unref = unref;
  }

  now(): number {
    return performance.now();
  }

  wall(): number {
    return Date.now();
  }

  after(ms: number, task: () => void, keepsAlive: boolean = false): Timer {
    const timer = setTimeout(task, ms);
    if (!keepsAlive) this.#unref(timer);
    return { cancel: () => clearTimeout(timer) };
  }

  every(ms: number, task: () => void): Timer {
    const timer = setInterval(task, ms);
    this.#unref(timer);
    return { cancel: () => clearInterval(timer) };
  }
}

/**
 * Returns the memory of this process; `undefined` if the system does not report it, as on Bun
 * without descriptors. `heapLimit` returns the limit of the heap.
 */
export function systemMemory(heapLimit: () => number): MemoryUse | undefined {
  try {
    const { rss, heapUsed, external } = process.memoryUsage();
    return { rss, heapUsed, external, heapLimit: heapLimit() };
  } catch {
    return undefined;
  }
}

/** Returns V8's limit for JavaScript objects, in bytes. */
export function v8HeapLimit(): number {
  return getHeapStatistics().heap_size_limit;
}

/**
 * Returns the memory that is available to the process, in bytes: that of the machine, or the limit
 * of its container. Used as the limit of the heap on an engine that reports none.
 */
export function machineMemory(): number {
  const all = totalmem();
  const limit = process.constrainedMemory?.() ?? 0;
  return limit > 0 ? Math.min(all, limit) : all;
}

/** The machine's random source: `bytes` is cryptographically secure, `next` is not. */
export const systemRandom: Random = {
  bytes: (length) => new Uint8Array(randomBytes(length)),
  next: () => Math.random(),
};

/**
 * Prints an entry to standard error: the time of day, the level if it is "warn" or "error", and the
 * line.
 */
export const systemLog: LogSink = ({ time: at, level, line }) => {
  const time = new Date(at).toISOString().slice(11, 23);
  const mark = level === "warn" || level === "error" ? ` ${level}` : "";
  // Does not use `process.stderr`, whose errors end the process when its reader exits or the disk
  // is full.
  try {
    let rest: Uint8Array = utf8(`${time}${mark} ${line}\n`);
    while (rest.length > 0) rest = rest.subarray(writeSync(2, rest));
  } catch {
    // The line is lost, because it cannot be reported elsewhere.
  }
};

/**
 * Starts a process, and reads its standard output by lines; its standard error too if `errors` is
 * set.
 */
export function spawnChild(
  command: string,
  args: readonly string[],
  errors?: (line: string) => void,
): Child {
  const stderr = errors === undefined ? "inherit" : "pipe";
  const child = spawn(command, args as string[], { stdio: ["pipe", "pipe", stderr] });
  if (errors !== undefined) readLines(child.stderr, errors);
  return new SystemChild(child);
}

function readLines(stream: Readable | null, each: (line: string) => void): void {
  let rest = "";
  stream?.setEncoding("utf8");
  stream?.on("data", (text: string) => {
    const lines = (rest + text).split("\n");
    rest = lines.pop() ?? "";
    for (const line of lines) each(line);
  });
  stream?.on("end", () => {
    if (rest !== "") each(rest);
  });
}

class SystemChild implements Child {
  readonly ended: Promise<number | string>;
  readonly #child: ChildProcess;

  constructor(child: ChildProcess) {
    this.#child = child;
    this.ended = new Promise((end) => {
      child.on("error", (error) => end(error.message));
      child.on("close", (code, signal) => end(code ?? signal ?? "unknown"));
    });
    child.stdin?.on("error", () => {
      // The child has exited, which `ended` reports.
    });
  }

  get pid(): number {
    return this.#child.pid ?? -1;
  }

  lines(each: (line: string) => void): void {
    readLines(this.#child.stdout, each);
  }

  write(text: string): void {
    this.#child.stdin?.write(text);
  }

  signal(name: ChildSignal): void {
    // Does not use `child.kill`, which on Deno treats any signal as the end and closes the child's
    // input.
    try {
      process.kill(this.pid, name);
    } catch {
      // Ignores the error: the child has already exited.
    }
  }
}

/** Returns all addresses of a name, as resolved by the system. */
export async function systemLookup(hostname: string): Promise<string[]> {
  return (await lookup(hostname, { all: true })).map(({ address }) => address);
}

/** Returns the targets of a DNS service. */
export async function systemLookupService(
  service: string,
): Promise<{ hostname: string; port: number }[]> {
  return (await resolveSrv(service)).map(({ name, port }) => ({
    hostname: name.replace(/\.$/, ""),
    port,
  }));
}

/**
 * Runs `task` on SIGTERM. Exits when `task` is done, unless another listener handles the signal.
 */
export function systemOnTermination(task: () => Promise<void>): () => void {
  let isRunning = false;
  const run = (): void => {
    if (isRunning) return;
    isRunning = true;
    const failed = (error: unknown): void =>
      systemLog(new LogEntry(Date.now(), "error", "", `after SIGTERM: ${error}`));
    void task().catch(failed).then(() => {
      process.off("SIGTERM", run);
      if (process.listenerCount("SIGTERM") === 0) process.exit(0);
    });
  };
  process.on("SIGTERM", run);
  return () => {
    if (!isRunning) process.off("SIGTERM", run);
  };
}

/**
 * Calls `task` at each SIGUSR1. While such a task is set, the signal does not start an inspector.
 */
export function systemOnUserSignal(task: () => void): () => void {
  process.on("SIGUSR1", task);
  return () => void process.off("SIGUSR1", task);
}

/** Writes a file. If it is created, only its owner can read it. */
export function systemWriteText(path: string, text: string): void {
  writeFileSync(path, text, { mode: 0o600 });
}

/** Returns the text of a file that only its owner can read, and creates it if it does not exist. */
export function systemSecretFile(path: string, make: () => string): string {
  const known = readSecret(path);
  if (known !== undefined) return known;
  mkdirSync(dirname(path), { recursive: true });
  const secret = make();
  // Writes the file under another name and then links it, so that it is never read incompletely.
  const draft = `${path}.${process.pid}`;
  try {
    writeFileSync(draft, secret + "\n", { mode: 0o600 });
    linkSync(draft, path);
    return secret;
  } catch (error) {
    // Another process created the file in the meantime.
    if ((error as { code?: string }).code !== "EEXIST") throw error;
    return readSecret(path)!;
  } finally {
    rmSync(draft, { force: true });
  }
}

/** Returns the secret in a file, or `undefined` if the file does not exist. */
function readSecret(path: string): string | undefined {
  try {
    const found = statSync(path);
    // The mode of a folder is not checked, because reading a folder fails anyway.
    if (!found.isDirectory() && (found.mode & 0o077) !== 0) {
      throw new Error(`other users can read the secret in ${path}: run chmod 600 ${path}`);
    }
    return readFileSync(path, "utf8").trim();
  } catch (error) {
    if ((error as { code?: string }).code === "ENOENT") return undefined;
    throw error;
  }
}
