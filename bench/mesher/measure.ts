/**
 * One run of one contender: started on a new database, loaded as much as it bears, loaded at a rate, and
 * what is in the database counted.
 *
 * @module
 */
import { type ChildProcess, spawn } from "node:child_process";
import process from "node:process";
import { size } from "../kit.ts";
import type { Contender, Engine, Way } from "./contenders.ts";
import { cpuOf } from "./cpu.ts";
import { type Answers, load } from "./load.ts";
import { newPlace, type Place } from "./place.ts";
import { probe } from "./probe.ts";

/** A server that has not said its port by then does not start. Milliseconds. */
const START_MS = 20_000;
/** What was accepted must be stored by then. Milliseconds. */
const STORE_MS = 60_000;
/** How often they are counted, which takes a while itself. Milliseconds. */
const COUNT_MS = 50;
/** A server has so long to stop. Milliseconds. */
const STOP_MS = 15_000;
/** Of its most, where five times the plain handler's is more than that. */
const SHARE = 0.8;
/** Seconds to warm up before each of the two parts. */
const WARM = size(1, 0.1);

/** What to run. */
export interface Run {
  readonly folder: string;
  readonly engine: Engine;
  readonly way: Way;
  readonly contender: Contender;
  readonly seconds: number;
  /** Events in a second that it should bear. */
  readonly aim: number | undefined;
}

/** What came of it. */
export interface Figures {
  /** Events in a second, as many as it takes: answered 202, and from the first sent to the last stored. */
  readonly accepted: number;
  readonly stored: number;
  /** Milliseconds until a request was answered, meanwhile. */
  readonly p50: number;
  readonly p99: number;
  /** The events in a second of the second part, and what was accepted of them. */
  readonly rate: number;
  readonly held: number;
  /** Milliseconds until a request was answered, from when it was due; and until an event was stored. */
  readonly answered50: number;
  readonly answered99: number;
  readonly stored50: number;
  readonly stored99: number;
  /** Refused with 429 or 503 in either part. */
  readonly refused: number;
  /** Microseconds of a processor for each event of the first part: the server's and the database's. */
  readonly cpu: number;
}

/** Runs it; or why it cannot. Throws when an accepted event is not in the database. */
export async function measure(run: Run): Promise<Figures | string> {
  const place = await newPlace(run.engine);
  if (typeof place === "string") return place;
  let child: ChildProcess | undefined;
  try {
    const [program, ...rest] = run.contender.command;
    child = spawn(program!, [...rest, place.database, run.engine.sync], {
      stdio: ["pipe", "pipe", "inherit"],
    });
    const killed = child;
    const kill = (): void => void killed.kill("SIGKILL");
    process.once("exit", kill);
    child.once("exit", () => process.off("exit", kill));
    const port = await portOf(child, run.contender.name);
    return await parts(run, place, child.pid!, port);
  } finally {
    if (child !== undefined) await end(child);
    await place.drop();
  }
}

async function parts(
  { folder, way, seconds, aim }: Run,
  place: Place,
  pid: number,
  port: number,
): Promise<Figures> {
  const common = { port, key: place.key, warm: WARM, seconds };
  const before = cpuOf([pid, ...await place.pids()]);
  const most = await load(folder, way, common);
  mustNotFail(most);
  const storedAt = await untilStored(place, most.accepted);
  const cpu = (cpuOf([pid, ...await place.pids()]) - before) / most.accepted;
  const stored = most.accepted * 1000 / (storedAt - most.beganAt);

  const rate = Math.round(Math.min(aim ?? Infinity, SHARE * Math.min(most.perSecond, stored)));
  const probing = probe(place, port, (WARM + seconds) * 1000);
  const paced = await load(folder, way, { ...common, rate });
  mustNotFail(paced);
  const probes = await probing;
  await untilStored(place, most.accepted + paced.accepted + probes.count);
  return {
    accepted: most.perSecond,
    stored: Math.round(stored),
    p50: most.p50,
    p99: most.p99,
    rate,
    held: paced.perSecond,
    answered50: paced.p50,
    answered99: paced.p99,
    stored50: probes.p50,
    stored99: probes.p99,
    refused: most.refused + paced.refused,
    cpu,
  };
}

function mustNotFail({ failed, accepted }: Answers): void {
  if (failed > 0) throw new Error(`${failed} requests failed`);
  if (accepted === 0) throw new Error("nothing was accepted");
}

/** When all accepted events were in the database; and no others. */
async function untilStored(place: Place, accepted: number): Promise<number> {
  const deadline = Date.now() + STORE_MS;
  for (;;) {
    const count = await place.count();
    const now = Date.now();
    if (count === accepted) return now;
    if (count > accepted || now > deadline) {
      throw new Error(`${accepted} events were accepted, ${count} are stored`);
    }
    await new Promise((wake) => setTimeout(wake, COUNT_MS));
  }
}

/** The port that a server says. */
function portOf(child: ChildProcess, name: string): Promise<number> {
  return new Promise((done, fail) => {
    const late = setTimeout(() => fail(new Error(`${name} does not start in time`)), START_MS);
    let text = "";
    child.stdout!.on("data", (more) => {
      text += more;
      if (!text.includes("\n")) return;
      clearTimeout(late);
      done(Number.parseInt(text));
    });
    child.once("exit", (code) => {
      clearTimeout(late);
      fail(new Error(`${name} ended with ${code}`));
    });
  });
}

/** Ends a server by ending its input, or after a while by force. */
async function end(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const gone = new Promise((exit) => child.once("exit", exit));
  const force = setTimeout(() => child.kill("SIGKILL"), STOP_MS);
  child.stdin!.end();
  await gone;
  clearTimeout(force);
}
