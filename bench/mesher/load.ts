/**
 * The load client (`load.c`, needs gcc), and its request bodies: realistic events, prepared in
 * advance.
 *
 * @module
 */
import { spawn, spawnSync } from "node:child_process";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { sampleEvent } from "../../mesher/load/sample.ts";
import { here, type Way } from "./contenders.ts";

/** The output of the load client. */
export interface Answers {
  /** Number of accepted events, including those of the warm-up. */
  readonly accepted: number;
  /** Number of accepted events per second of the measurement. */
  readonly perSecond: number;
  readonly refused: number;
  readonly failed: number;
  /** Latency of requests, in milliseconds. */
  readonly p50: number;
  readonly p99: number;
  /** Number of cores that the client used. */
  readonly client: number;
  /** Time of the first request, in milliseconds since 1970. */
  readonly beganAt: number;
}

/** Options of one run of the load client. */
export interface Load {
  readonly port: number;
  readonly key: string;
  readonly warm: number;
  readonly seconds: number;
  /** Events per second. By default, the next request is sent after each response. */
  readonly rate?: number;
}

/** Number of distinct bodies, sent in turn. The server assigns event ids. */
const BODIES = 200;
/** Maximum time in milliseconds that the client may need in addition to the measurement. */
const EXTRA_MS = 60_000;

/**
 * Prepares the client and the bodies in a folder. Returns the reason if they cannot be prepared.
 */
export function prepareLoad(folder: string, ways: readonly Way[]): string | undefined {
  const made = spawnSync("gcc", ["-O2", "-o", join(folder, "load"), here("load.c")], {
    encoding: "utf8",
  });
  if (made.status !== 0) return `gcc cannot make load.c: ${made.error?.message ?? made.stderr}`;
  for (const { per } of ways) writeFileSync(bodiesOf(folder, per), bodies(per));
  return undefined;
}

function bodiesOf(folder: string, per: number): string {
  return join(folder, `bodies_${per}`);
}

function bodies(per: number): Uint8Array {
  const random = dice(per);
  const parts: Uint8Array[] = [];
  for (let i = 0; i < BODIES; i++) {
    const events = Array.from({ length: per }, () => sampleEvent(random));
    const body = new TextEncoder().encode(JSON.stringify(per === 1 ? events[0] : events));
    const length = new Uint8Array(4);
    new DataView(length.buffer).setUint32(0, body.length, true);
    parts.push(length, body);
  }
  return new Uint8Array(parts.flatMap((part) => [...part]));
}

/** Returns a seeded random number generator. */
function dice(seed: number): () => number {
  let state = seed;
  return () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return state / 0x1_0000_0000;
  };
}

/** Runs the load client. */
export function load(folder: string, way: Way, options: Load): Promise<Answers> {
  const { seconds, warm } = options;
  const args = Object.entries(options).map(([name, value]) => `${name}=${value}`);
  return new Promise((done, fail) => {
    const child = spawn(join(folder, "load"), [
      ...args,
      `bodies=${bodiesOf(folder, way.per)}`,
      `path=${way.path}`,
      `per=${way.per}`,
      ...way.args,
    ], { stdio: ["ignore", "pipe", "pipe"] });
    const late = setTimeout(() => child.kill("SIGKILL"), (warm + seconds) * 1000 + EXTRA_MS);
    let [text, complaint] = ["", ""];
    child.stdout.on("data", (more) => text += more);
    child.stderr.on("data", (more) => complaint += more);
    child.on("close", (status, signal) => {
      clearTimeout(late);
      if (status === 0) done(JSON.parse(text));
      else fail(new Error(`the load client ended with ${status ?? signal}: ${complaint}`));
    });
  });
}
