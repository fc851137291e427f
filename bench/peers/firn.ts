/**
 * Runs the measurements with Firn on this runtime, through the public API.
 *
 *     deno run -A --v8-flags=--expose-gc bench/peers/firn.ts send
 *     bun bench/peers/firn.ts send
 *
 * @module
 */
import process from "node:process";
import { type Call, Node, type Pid, type Self, service, Supervisor } from "../../mod.ts";
import { measureFairness } from "../actor/fairness.ts";
import { systemHost } from "../../lib/start.ts";
import { size } from "../kit.ts";
import {
  BURST,
  report,
  reportEach,
  reportIdle,
  reportRate,
  runNamed,
  seconds,
  signal,
} from "./measure.ts";

interface Increment {
  readonly type: "inc";
  readonly by: number;
}

/**
 * Number of messages that a producer sends per turn, small enough for the receiver to keep up. With
 * {@linkcode BURST} messages per turn the mailbox grows to millions, as in Erlang's run.
 */
const PACED_BURST = 50;

const NAMES = size(10_000, 100);
const TIMERS = size(100_000, 100);

const node = await Node.start({ cookie: "the benches' own", logLevel: "silent" });

/** Spawns an actor that sends n messages to another, `burst` per turn. */
function produce(sink: Pid<Increment>, n: number, burst: number): void {
  const producer = node.spawn((self: Self<"go on">) => {
    let left = n;
    return () => {
      for (let i = 0; i < burst; i++) self.send(sink, { type: "inc", by: 1 });
      left -= burst;
      if (left > 0) self.send(self.pid, "go on");
      else node.exit(self.pid, "kill");
    };
  });
  node.send(producer, "go on");
}

function send(n: number, burst: number): Promise<void> {
  const { done, give } = signal();
  const sink = node.spawn((self: Self<Increment>) => {
    let left = n;
    return ({ by }) => {
      left -= by;
      if (left > 0) return;
      give();
      node.exit(self.pid, "kill");
    };
  });
  produce(sink, n, burst);
  return done;
}

function sendAsync(n: number): Promise<void> {
  const { done, give } = signal();
  const sink = node.spawn(async (self: Self<Increment>) => {
    for (let left = n; left > 0;) left -= (await self.receive()).by;
    give();
  });
  produce(sink, n, PACED_BURST);
  return done;
}

interface Ball {
  readonly left: number;
}

async function pingPong(n: number): Promise<void> {
  const { done, give } = signal();
  const pong: Pid<Ball> = node.spawn((self: Self<Ball>) => (ball) => self.send(ping, ball));
  const ping: Pid<Ball> = node.spawn((self: Self<Ball>) => ({ left }) => {
    if (left === 0) give();
    else self.send(pong, { left: left - 1 });
  });
  node.send(ping, { left: n });
  await done;
  node.exit(ping, "kill");
  node.exit(pong, "kill");
}

async function call(n: number): Promise<void> {
  const server = node.spawn(() => {
    let sum = 0;
    return (call: Call<Increment, number>) => call.reply(sum += call.request.by);
  });
  for (let i = 0; i < n; i++) await node.call(server, { type: "inc", by: 1 });
  node.exit(server, "kill");
}

/**
 * Returns a run that spawns n actors which exit at once, {@linkcode BURST} per turn, and waits for
 * the last.
 */
function spawnAndExit(body: (self: Self, last: (() => void) | undefined) => Promise<void> | void) {
  return (n: number): Promise<void> => {
    const { done, give } = signal();
    const parent = node.spawn((self: Self<"go on">) => {
      let left = n;
      return () => {
        for (let i = 0; i < BURST; i++) self.spawn(body, --left === 0 ? give : undefined);
        if (left > 0) self.send(self.pid, "go on");
        else node.exit(self.pid, "kill");
      };
    });
    node.send(parent, "go on");
    return done;
  };
}

// deno-lint-ignore require-await -- measures an async body
async function endAsync(_self: Self, last: (() => void) | undefined): Promise<void> {
  last?.();
}

/** Spawns n actors one at a time: monitors each, and spawns the next after its exit. */
function spawnAndAwait(n: number): Promise<void> {
  const { done, give } = signal();
  node.spawn(async (self) => {
    for (let i = 0; i < n; i++) {
      self.spawnMonitor(nothing);
      await self.receive();
    }
    give();
  });
  return done;
}

function nothing(): void {}

/** Measures restarts: a service throws, its supervisor restarts it, and it answers a call. */
async function restart(n: number): Promise<void> {
  const worker = service<{
    state: number;
    start: [];
    call: { ping(): number };
    cast: { crash(): void };
  }>({
    init: () => 0,
    call: { ping: (state) => [state, state] },
    cast: {
      crash() {
        throw new Error("crash requested");
      },
    },
  });
  type Worker = Awaited<ReturnType<typeof worker.start>>;
  let started = (_pid: Worker): void => {};
  const next = (): Promise<Worker> => new Promise((resolve) => started = resolve);
  const first = next();
  const tree = await Supervisor.start(node, {
    intensity: 1_000_000,
    children: [{
      id: "worker",
      async start(self) {
        const pid = await worker.start(self);
        started(pid);
        return pid;
      },
    }],
  });
  let child = await first;
  for (let i = 0; i < n; i++) {
    const restarted = next();
    worker.cast(child).crash();
    child = await restarted;
    await worker.call(child).ping();
  }
  await tree.stop();
}

/** Returns a run that spawns n actors, and waits until each has had its first turn. */
function idle(body: (self: Self, begun: () => void) => Promise<void> | (() => void)) {
  return (n: number, keep: unknown[]): Promise<void> => {
    const { done, give } = signal();
    let left = n;
    const begun = (): void => {
      if (--left === 0) give();
    };
    for (let i = 0; i < n; i++) keep[i] = node.spawn(body, begun);
    return done;
  };
}

async function names(): Promise<void> {
  const all = Array.from({ length: NAMES }, (_, i) => `name ${i}`);
  const pids = all.map(() => node.spawn(() => () => {}));
  const rates: number[] = [];
  for (let i = 0; i < 30; i++) {
    const took = await seconds(() => {
      for (let i = 0; i < NAMES; i++) node.register(all[i]!, pids[i]!);
    });
    rates.push(NAMES / took);
    if (i < 29) { for (const name of all) node.unregister(name); }
  }
  // Reports the median without the first third of the rates, which is the warm-up.
  report("register", rates.slice(10).sort((a, b) => a - b)[10]!);
  await reportRate("whereis", 2_000_000, (n) => {
    let found = 0;
    for (let i = 0; i < n; i++) if (node.whereis(all[i % NAMES]!) !== undefined) found++;
    if (found !== n) throw new Error(`${n - found} names were not found`);
  });
}

async function timers(): Promise<void> {
  const sink = node.spawn(() => () => {});
  const set: number[] = [];
  const cancel: number[] = [];
  for (let round = 0; round < 7; round++) {
    const refs = new Array(TIMERS);
    const took = await seconds(() => {
      for (let i = 0; i < TIMERS; i++) refs[i] = node.sendAfter(sink, i, 60_000 + (i % 60_000));
    });
    set.push(took / TIMERS * 1e6);
    if (round === 6) {
      // Waits, so that garbage collection after the timers were set is not measured.
      await new Promise((wake) => setTimeout(wake, 1000));
      const before = process.cpuUsage();
      const waited = await seconds(() => new Promise((wake) => setTimeout(wake, 1000)));
      const { user, system } = process.cpuUsage(before);
      report("timers.cpu", (user + system) / 1e6 / waited * 100);
    }
    const took2 = await seconds(() => {
      for (let i = 0; i < TIMERS; i++) node.cancelTimer(refs[i]);
    });
    cancel.push(took2 / TIMERS * 1e6);
  }
  report("timers.set", set.slice(2).sort((a, b) => a - b)[2]!);
  report("timers.cancel", cancel.slice(2).sort((a, b) => a - b)[2]!);
}

async function fairness(): Promise<void> {
  const host = systemHost();
  const { p50Ms, p99Ms, share } = await measureFairness(host, (task) => host.yieldToIo(task));
  report("fairness.p50", p50Ms);
  report("fairness.p99", p99Ms);
  report("fairness.share", share * 100);
}

await runNamed({
  send: () => reportRate("send", 3_000_000, (n) => send(n, PACED_BURST)),
  "send-burst": () => reportRate("send-burst", 3_000_000, (n) => send(n, BURST)),
  "send-async": () => reportRate("send-async", 2_000_000, sendAsync),
  pingpong: () => reportRate("pingpong", 2_000_000, pingPong),
  call: () => reportRate("call", 500_000, call),
  spawn: () => reportRate("spawn", 500_000, spawnAndExit((_self, last) => last?.())),
  "spawn-async": () => reportRate("spawn-async", 500_000, spawnAndExit(endAsync)),
  restart: () => reportEach("restart", 2000, restart),
  "spawn-await": () => reportRate("spawn-await", 300_000, spawnAndAwait),
  idle: () => reportIdle("idle", idle((_self, begun) => (begun(), () => {}))),
  "idle-async": () =>
    reportIdle(
      "idle-async",
      idle(async (self, begun) => {
        begun();
        for (;;) await self.receive();
      }),
    ),
  names,
  timers,
  fairness,
});
