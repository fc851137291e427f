/**
 * Runs one of the two Firn nodes of the benchmark of messages between nodes, on this runtime.
 *
 *     deno run -A bench/peers/mesh_firn.ts far
 *     bun bench/peers/mesh_firn.ts near send-64 <name of the far node> <process id of the far node>
 *
 * The far node prints its name and its process id on a line, and exits when its standard input
 * ends. With `FIRN_TLS`, a folder with `ca.pem`, `n.pem` and `n.key`, both nodes use certificates
 * of the authority in `ca.pem` instead of certificates derived from the cookie.
 *
 * @module
 */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import process from "node:process";
import type { Call, Pid, Self } from "../../mod.ts";
import { type Parts, startNode } from "../../lib/start.ts";
import type { DistRun } from "./mesh_rows.ts";
import { median } from "../spread.ts";
import { report, signal } from "./measure.ts";
import { eachTimed, percentile, reportTimes, TRIPS, WARM_TRIPS } from "./measure_trips.ts";

/** Duration of a measured flow of messages, in milliseconds. */
const FLOW_MS = 1000;
/** Duration of the warm-up of a flow, in milliseconds. */
const WARM_MS = 1500;
const FLOWS = 3;

const WARM_SPAWNS = 500;
const SPAWNS = 3000;

/** Number of actors that a run spawns on the far node. */
const MANY = 20_000;
/** Maximum number of spawns that are pending at once. */
const FLIGHT = 1000;

/** The size of a large message: a frame of 16 MiB, minus 1 KiB for the rest of the frame. */
const LARGE_BYTES = 16 * 1024 * 1024 - 1024;
const WARM_LARGES = 3;
const LARGES = 12;

/** Flow control between a producer and the receiver. */
interface Pace {
  /** Number of messages per turn. */
  readonly burst: number;
  /** Number of messages per acknowledgement. */
  readonly ack: number;
  /**
   * Maximum number of unacknowledged messages: a few megabytes, far below the limit of a session.
   */
  readonly window: number;
}

const SMALL: Pace = { burst: 1000, ack: 10_000, window: 40_000 };
const LARGER: Pace = { burst: 50, ack: 500, window: 1500 };

/** A message to the echo of the far node. */
interface Ball {
  readonly from: Pid<number>;
  readonly ball: number;
}

/** A message to the far node's receiver of large messages. */
interface Large {
  readonly from: Pid<"swallowed">;
  readonly bytes: Uint8Array;
}

function start(name: string): Promise<Parts> {
  const folder = process.env["FIRN_TLS"];
  const read = (file: string): string => readFileSync(join(folder!, file), "utf8");
  return startNode({
    name: `${name}@127.0.0.1:0`,
    cookie: "the benches' own",
    logLevel: "silent",
    tls: folder === undefined
      ? undefined
      : { ca: read("ca.pem"), cert: read("n.pem"), key: read("n.key") },
  });
}

/** Runs the far node: registers actors, and exposes functions. */
async function beFar(): Promise<void> {
  const { system, remote, mesh } = await start("far");
  const { spawner } = remote;
  const named = (name: string, body: unknown): void =>
    void system.spawn(undefined, { name }, body as never, []);
  named("echo", (self: Self<Ball>) => ({ from, ball }: Ball) => self.send(from, ball));
  named("answer", () => (call: Call<number, number>) => call.reply(call.request));
  named("swallow", (self: Self<Large>) => ({ from }: Large) => self.send(from, "swallowed"));
  const sink = (self: Self<unknown>, from: Pid<number>, ack: number) => {
    let left = ack;
    return (): void => {
      if (--left > 0) return;
      left = ack;
      self.send(from, ack);
    };
  };
  const hello = (self: Self, from: Pid<"hello">): void => self.send(from, "hello");
  spawner.expose("sink", sink as never);
  spawner.expose("hello", hello as never);
  spawner.expose("nothing", (() => {}) as never);
  process.stdout.write(`${JSON.stringify({ name: mesh.name, process: process.pid })}\n`);
  process.stdin.on("end", () => process.exit(0)).resume();
}

/** The near node, and its connection to the far one. */
class Near {
  readonly parts: Parts;
  readonly far: string;
  readonly #farProcess: string;

  constructor(parts: Parts, far: string, farProcess: string) {
    this.parts = parts;
    this.far = far;
    this.#farProcess = farProcess;
  }

  /** Spawns an actor on the near node. */
  spawn<M>(body: (self: Self<M>) => unknown): Pid<M> {
    return this.parts.system.spawn(undefined, undefined, body as never, []);
  }

  /**
   * Measures one-way messages: messages per second, and CPU seconds of both processes per million
   * messages.
   */
  async flows(metric: DistRun, pace: Pace, make: (i: number) => unknown): Promise<void> {
    await this.#flow(pace, make, WARM_MS);
    const before = this.#cpu();
    const rates: number[] = [];
    let sent = 0;
    for (let i = 0; i < FLOWS; i++) {
      const start = performance.now();
      const count = await this.#flow(pace, make, FLOW_MS);
      rates.push(count / (performance.now() - start) * 1000);
      sent += count;
    }
    report(metric, median(rates));
    report(`${metric}.cpu`, (this.#cpu() - before) / sent * 1e6);
  }

  /** Measures round trips by two actors that only send, without promises. */
  async balls(metric: DistRun): Promise<void> {
    const echo = { name: "echo", node: this.far };
    const times: number[] = [];
    const { done, give } = signal();
    const player = this.spawn((self: Self<number>) => {
      let start = 0;
      return (ball: number) => {
        if (ball > WARM_TRIPS) times.push(performance.now() - start);
        if (times.length === TRIPS) return give();
        start = performance.now();
        self.send(echo, { from: self.pid, ball: ball + 1 });
      };
    });
    this.parts.system.send(player, 0);
    await done;
    reportTimes(metric, times);
  }

  /** Measures sequential spawns, each until the first message of the new actor arrives. */
  async spawns(metric: DistRun): Promise<void> {
    let observed = (): void => {};
    const listener = this.spawn(() => () => observed());
    const hello = { node: this.far, fn: "hello" };
    const { system } = this.parts;
    await eachTimed(metric, WARM_SPAWNS, SPAWNS, async () => {
      const came = new Promise<void>((come) => observed = come);
      await system.spawnAt(system.externalCaller, hello, false, undefined, [listener]);
      await came;
    });
  }

  async many(metric: DistRun): Promise<void> {
    await this.#many();
    const rates: number[] = [];
    for (let i = 0; i < FLOWS; i++) {
      const start = performance.now();
      await this.#many();
      rates.push(MANY / (performance.now() - start) * 1000);
    }
    report(metric, median(rates));
  }

  /** Measures round trips of small messages while a large one is in transit. */
  async behind(metric: DistRun): Promise<void> {
    for (let i = 0; i < WARM_LARGES; i++) await this.#behind([]);
    const delays: number[] = [];
    for (let i = 0; i < LARGES; i++) await this.#behind(delays);
    report(`${metric}.p50`, percentile(delays, 0.5));
    report(`${metric}.p99`, percentile(delays, 0.99));
  }

  /** Throws if messages were dropped during the run. */
  check(): void {
    const dropped = this.parts.mesh.session(this.far)?.dropped;
    if (dropped === undefined) throw new Error("the session was lost");
    if (dropped > 0) throw new Error(`${dropped} messages were dropped: the run is not valid`);
  }

  /**
   * Sends for `ms`, then waits for the last acknowledgement. Resolves to the number of messages.
   */
  async #flow(pace: Pace, make: (i: number) => unknown, ms: number): Promise<number> {
    const { system } = this.parts;
    const { burst, ack, window } = pace;
    const { done, give } = signal();
    let sent = 0;
    const producer = this.spawn((self: Self<number | Pid<unknown>>) => {
      const end = performance.now() + ms;
      let acked = 0;
      let sink: Pid<unknown>;
      let isPaused = true;
      return (message: number | Pid<unknown>) => {
        // A pid is the sink, to which messages are sent. A 0 comes from this actor itself, after
        // each burst, and starts the next burst. Another number is an acknowledgement: the number
        // of further messages that the sink has received.
        if (typeof message !== "number") sink = message;
        else {
          acked += message;
          if (message > 0 && !isPaused) return;
        }
        isPaused = sent - acked + burst > window;
        if (isPaused) return;
        if (sent % ack === 0 && performance.now() >= end) {
          isPaused = true;
          if (acked === sent) give();
          return;
        }
        for (let i = 0; i < burst; i++) self.send(sink, make(i));
        sent += burst;
        self.send(self.pid, 0);
      };
    });
    const sink = await system.spawnAt(
      system.externalCaller,
      { node: this.far, fn: "sink" },
      false,
      undefined,
      [producer, ack],
    );
    system.send(producer, sink);
    await done;
    system.exit(producer as Pid, "kill");
    system.exit(sink as Pid, "kill");
    return sent;
  }

  #many(): Promise<void> {
    const { system } = this.parts;
    const nothing = { node: this.far, fn: "nothing" };
    let asked = 0;
    let answered = 0;
    return new Promise((done, failed) => {
      const ask = (): void => {
        asked++;
        system.spawnAt(system.externalCaller, nothing, false, undefined, []).then(next, failed);
      };
      const next = (): void => {
        if (++answered === MANY) done();
        else if (asked < MANY) ask();
      };
      for (let i = 0; i < FLIGHT; i++) ask();
    });
  }

  async #behind(delays: number[]): Promise<void> {
    const { system } = this.parts;
    const { done, give } = signal();
    const echo = { name: "echo", node: this.far };
    const swallow = { name: "swallow", node: this.far };
    const bytes = new Uint8Array(LARGE_BYTES);
    const player = this.spawn((self: Self<number | "swallowed">) => {
      let start = 0;
      let isOver = false;
      return (message: number | "swallowed") => {
        if (message === "swallowed") return isOver = true;
        if (message === 0) self.send(swallow, { from: self.pid, bytes });
        else delays.push(performance.now() - start);
        if (isOver) return give();
        start = performance.now();
        self.send(echo, { from: self.pid, ball: message + 1 });
      };
    });
    system.send(player, 0);
    await done;
    system.exit(player as Pid, "kill");
  }

  #cpu(): number {
    return cpuOf("self") + cpuOf(this.#farProcess);
  }
}

/** Returns the CPU seconds of a process, in user and system mode. */
function cpuOf(pid: string): number {
  const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  return (Number(fields[11]) + Number(fields[12])) / 100;
}

async function beNear(run: DistRun, far: string, farProcess: string): Promise<void> {
  const parts = await start("near");
  await parts.mesh.connect(far);
  const near = new Near(parts, far, farProcess);
  const answer = { name: "answer", node: far };
  const small = new Uint8Array(64).fill(120);
  const larger = new Uint8Array(16 * 1024).fill(120);
  const runs: Readonly<Record<DistRun, () => Promise<void>>> = {
    "send-64": () => near.flows("send-64", SMALL, () => small),
    "send-object": () => near.flows("send-object", SMALL, (i) => ({ type: "inc", by: i & 63 })),
    "send-16k": () => near.flows("send-16k", LARGER, () => larger),
    trip: () => near.balls("trip"),
    call: () =>
      eachTimed("call", WARM_TRIPS, TRIPS, async (i) => {
        if (await parts.system.call(answer, i) !== i) throw new Error("another's answer");
      }),
    spawn: () => near.spawns("spawn"),
    "spawn-many": () => near.many("spawn-many"),
    behind: () => near.behind("behind"),
  };
  await runs[run]();
  near.check();
}

const [side, run, far, farProcess] = process.argv.slice(2);
if (side === "far") await beFar();
else {
  await beNear(run as DistRun, far!, farProcess!);
  process.exit(0);
}
