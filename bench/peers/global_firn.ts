/**
 * One of the two Firn nodes of the comparison of global names, on this runtime.
 *
 *     deno run -A bench/peers/global_firn.ts far
 *     bun bench/peers/global_firn.ts near global <far node> <process id of the far node>
 *
 * The far node prints its name on a line, and exits when its standard input ends.
 *
 * @module
 */
import process from "node:process";
import type { Call } from "../../mod.ts";
import { type Parts, startNode } from "../../lib/start.ts";
import { report, reportRate, turn } from "./measure.ts";

const LOOKUPS = 2_000_000;
const WARM_REGISTERS = 1_000;
const REGISTERS = 3_000;
const NAMES = 100_000;

/** Measures the longest stall of the event loop in milliseconds since it was last read. */
class Stall {
  #last = performance.now();
  #most = 0;

  constructor() {
    setInterval(() => this.#tick(), 1);
  }

  take(): number {
    this.#tick();
    const most = this.#most;
    this.#most = 0;
    return most;
  }

  #tick(): void {
    const now = performance.now();
    this.#most = Math.max(this.#most, now - this.#last);
    this.#last = now;
  }
}

function start(name: string): Promise<Parts> {
  return startNode({
    name: `${name}@127.0.0.1:0`,
    cookie: "the benches' own",
    logLevel: "silent",
  });
}

async function beFar(): Promise<void> {
  const { system, global, mesh } = await start("far");
  const stall = new Stall();
  const fill = (): void => {
    const pid = system.spawn(undefined, undefined, () => () => {}, []);
    for (let i = 0; i < NAMES; i++) void global.register(`user:${i}:session`, pid);
  };
  const clerk = () => (call: Call<"fill" | "stall", number>) => {
    if (call.request === "fill") fill();
    call.reply(stall.take());
  };
  system.spawn(undefined, { name: "clerk" }, clerk, []);
  process.stdout.write(`${JSON.stringify({ name: mesh.name, process: process.pid })}\n`);
  process.stdin.on("end", () => process.exit(0)).resume();
}

async function beNear(far: string): Promise<void> {
  const { system, registry, global, mesh } = await start("near");
  await mesh.connect(far);
  const idle = system.spawn(undefined, undefined, () => () => {}, []);
  for (let i = 0; i < 1000; i++) await global.register(`name ${i}`, idle);
  const names = global.names();
  await reportRate("whereis", LOOKUPS, (n) => {
    let hits = 0;
    for (let i = 0; i < n; i++) if (global.whereis(names[i % 1000]!) !== undefined) hits++;
    if (hits !== n) throw new Error("a name was not found");
  });

  const times: number[] = [];
  for (let i = 0; i < WARM_REGISTERS + REGISTERS; i++) {
    const before = performance.now();
    if (!await global.register(`new ${i}`, idle)) throw new Error("not registered");
    if (i >= WARM_REGISTERS) times.push(performance.now() - before);
  }
  times.sort((a, b) => a - b);
  report("register.p50", times[Math.floor(times.length * 0.5)]!);
  report("register.p99", times[Math.floor(times.length * 0.99)]!);

  const ask = (request: "fill" | "stall"): Promise<number> =>
    system.call({ name: "clerk", node: far }, request, { timeout: 60_000 });
  await ask("fill");
  const here = names.length + WARM_REGISTERS + REGISTERS;
  while (global.names().length < here + NAMES) await turn();
  await mesh.disconnect(far);
  if (global.names().length !== here) throw new Error("its names were not removed");
  await new Promise((wake) => setTimeout(wake, 200));
  const stall = new Stall();
  await mesh.connect(far);
  const before = performance.now();
  await registry.synced(far);
  report("sync", performance.now() - before);
  if (global.names().length !== here + NAMES) throw new Error("its names are missing");
  report("sync.stall.near", stall.take());
  report("sync.stall.far", await ask("stall"));
  process.exit(0);
}

const [side, , far] = process.argv.slice(2);
await (side === "far" ? beFar() : beNear(far!));
