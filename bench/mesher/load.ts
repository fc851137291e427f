/**
 * The load client (`load.c`, needs gcc), and what it sends: bodies of realistic events, made before.
 *
 * @module
 */
import { spawn, spawnSync } from "node:child_process";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { sampleEvent } from "../../mesher/load/sample.ts";
import { here, type Way } from "./contenders.ts";

/** What the load client says. */
export interface Answers {
  /** Events, those of the time to warm up included. */
  readonly accepted: number;
  /** Events accepted in a second of those that are measured. */
  readonly perSecond: number;
  readonly refused: number;
  readonly failed: number;
  /** Milliseconds until a request was answered. */
  readonly p50: number;
  readonly p99: number;
  /** Cores that the client used. */
  readonly client: number;
  /** When the first was sent. Milliseconds since the epoch. */
  readonly beganAt: number;
}

/** What it is told besides the way. */
export interface Load {
  readonly port: number;
  readonly key: string;
  readonly warm: number;
  readonly seconds: number;
  /** Events in a second; absent: as many as are answered. */
  readonly rate?: number;
}

/** Different bodies; then the same again. The server gives each event its id. */
const BODIES = 200;
/** So much longer than it measures may the client take. */
const EXTRA_MS = 60_000;

/** Makes the client and the bodies in a folder; or why it cannot. */
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

/** The same dice every time. */
function dice(seed: number): () => number {
  let state = seed;
  return () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return state / 0x1_0000_0000;
  };
}

/** Runs it. */
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
