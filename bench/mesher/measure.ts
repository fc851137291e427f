/**
 * One run of one server: starts it on a new database, loads it at its maximum, loads it at a fixed
 * rate, and counts the stored events.
 *
 * @module
 */
import { type ChildProcess, spawn } from "node:child_process";
import process from "node:process";
import { size } from "../kit.ts";
import { endProcess } from "../peers/processes.ts";
import type { Contender, Engine, Way } from "./contenders.ts";
import { cpuOf } from "../cpu.ts";
import { type Answers, load } from "./load.ts";
import { newPlace, type Place } from "./place.ts";
import { probe } from "./probe.ts";

/** Time in milliseconds within which a server must print its port. */
const START_MS = 20_000;
/** Time in milliseconds within which accepted events must be stored. */
const STORE_MS = 60_000;
/** Pause in milliseconds between two counts of the stored events. */
const COUNT_MS = 50;
/** Time in milliseconds within which a server must stop. */
const STOP_MS = 15_000;
/** Maximum fixed rate, as a share of the server's maximum rate. */
const SHARE = 0.8;
/** Duration in seconds of the warm-up before each of the two parts. */
const WARM = size(1, 0.1);

/** Options of a run. */
export interface Run {
  readonly folder: string;
  readonly engine: Engine;
  readonly way: Way;
  readonly contender: Contender;
  readonly seconds: number;
  /**
   * Upper bound of the fixed rate of the second part, in events per second. Undefined if only
   * {@linkcode SHARE} limits the rate.
   */
  readonly aim: number | undefined;
}

/** Results of one run of one server. */
export interface Figures {
  /** Maximum number of events per second that the server accepted with 202. */
  readonly accepted: number;
  /**
   * Maximum number of events per second that the server stored, measured from the first sent event
   * until the last one is stored.
   */
  readonly stored: number;
  /** Latency of requests in the first part, at the maximum rate, in milliseconds. */
  readonly p50: number;
  readonly p99: number;
  /** The fixed rate of the second part, in events per second. */
  readonly rate: number;
  /** Number of events per second that were accepted in the second part, at the fixed rate. */
  readonly held: number;
  /**
   * Latencies in the second part, in milliseconds: from the due time of a request until its
   * response, and from the request of a probe until its event is stored.
   */
  readonly answered50: number;
  readonly answered99: number;
  readonly stored50: number;
  readonly stored99: number;
  /** Number of events rejected with 429 or 503 in either part. */
  readonly refused: number;
  /** CPU microseconds of the server per event in the first part, which sends at the maximum rate. */
  readonly cpu: number;
  /**
   * CPU microseconds of PostgreSQL's processes per event in the first part, at the maximum rate.
   */
  readonly cpuDatabase: number;
}

/**
 * Runs a server. Resolves to the reason if the server cannot run. Throws if an accepted event is
 * not stored.
 */
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
    if (child !== undefined) await endProcess(child, STOP_MS);
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
  const [before, beforeDatabase] = [cpuOf([pid]), cpuOf(await place.pids())];
  const most = await load(folder, way, common);
  mustNotFail(most);
  const storedAt = await untilStored(place, most.accepted);
  const cpu = (cpuOf([pid]) - before) / most.accepted;
  const cpuDatabase = (cpuOf(await place.pids()) - beforeDatabase) / most.accepted;
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
    cpuDatabase,
  };
}

function mustNotFail({ failed, accepted }: Answers): void {
  if (failed > 0) throw new Error(`${failed} requests failed`);
  if (accepted === 0) throw new Error("nothing was accepted");
}

/** Waits until exactly the accepted events are stored. Resolves to the time at which they are. */
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

/** Resolves to the port that a server prints. */
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
