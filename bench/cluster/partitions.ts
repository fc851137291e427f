/**
 * Question: for how long do zero or two singletons run, by policy and fault?
 *
 * Three nodes in the simulator, with default pings (5 s, 15 s) and virtual time, so nothing is
 * saturated. The holder is killed, loses power, is partitioned, or is paused for 60 s.
 *
 *     deno run -A bench/cluster/partitions.ts
 *
 * @module
 */
import { readOptions } from "../command_line.ts";
import type { Lease } from "../../lib/cluster/lease.ts";
import type { SingletonOptions } from "../../lib/cluster/singleton_definition.ts";
import { simulate, type Simulation } from "../../lib/simulate.ts";

readOptions("partitions", "deno run -A bench/cluster/partitions.ts, without options", {});

const SEEDS = 5;
const NAMES = ["a", "b", "c"];

function authority(now: () => number, ttl: number): () => Lease {
  let [token, expires] = [0, -Infinity];
  return () => ({
    ttl,
    acquire() {
      if (now() < expires) return Promise.resolve(undefined);
      expires = now() + ttl;
      return Promise.resolve(++token);
    },
    renew(_name, mine) {
      if (mine !== token || now() >= expires) return Promise.resolve(false);
      expires = now() + ttl;
      return Promise.resolve(true);
    },
    release(_name, mine) {
      if (mine === token) expires = -Infinity;
      return Promise.resolve();
    },
  });
}

type Policy = "none" | "quorum" | "lease";
const FAULTS: Record<string, (sim: Simulation, holder: string) => Promise<void>> = {
  "node.stop": (sim, holder) => sim.stop(holder),
  "kill -9": (sim, holder) => Promise.resolve(sim.kill(holder)),
  "power off": (sim, holder) => Promise.resolve(sim.crash(holder)),
  "cut off, 60 s": async (sim, holder) => {
    sim.partition([holder], NAMES.filter((name) => name !== holder));
    await sim.run(60_000);
    sim.heal();
  },
  "cut from one": async (sim, holder) => {
    sim.partition([holder], [NAMES.find((name) => name !== holder)!]);
    await sim.run(60_000);
    sim.heal();
  },
  "frozen, 60 s": async (sim, holder) => {
    sim.pause(holder);
    await sim.run(60_000);
    sim.resume(holder);
  },
};

async function measure(policy: Policy, fault: string, seed: number): Promise<[number, number]> {
  const { value } = await simulate({ seed }, async (sim) => {
    const live = new Set<string>();
    const frozen = new Set<string>();
    const lease = authority(() => sim.now, 15_000);
    for (const name of NAMES) {
      const node = await sim.start(name, { seeds: NAMES.filter((other) => other !== name) });
      const options: SingletonOptions = policy === "quorum"
        ? { quorum: "majority" }
        : policy === "lease"
        ? { lease: lease() }
        : {};
      void node.global.singleton("clock", {
        id: "clock",
        start: (self) =>
          self.spawnLink((self) => {
            live.add(name);
            self.signal.addEventListener("abort", () => live.delete(name));
            return () => {};
          }),
      }, { ...options, timeout: Infinity });
    }
    await sim.until("one copy runs", () => live.size === 1);
    await sim.run(30_000);
    const holder = [...live][0]!;
    let [zero, two] = [0, 0];
    let isOver = false;
    const done = FAULTS[fault]!(sim, holder).then(() => isOver = true);
    if (fault === "kill -9" || fault === "power off") live.delete(holder);
    if (fault.startsWith("frozen")) frozen.add(holder);
    for (let ms = 0; ms < 120_000; ms += 50) {
      await sim.run(50);
      if (isOver) frozen.clear();
      const count = [...live].filter((name) => !frozen.has(name)).length;
      if (count === 0) zero += 50;
      if (count > 1) two += 50;
    }
    await done;
    return [zero, two] as [number, number];
  });
  return value;
}

const seconds = (ms: number): string => (ms / 1000).toFixed(1);
// deno-lint-ignore no-console -- prints a table
const say = (line: string): void => console.log(line);
say("| fault | " + ["none", "quorum", "lease"].map((p) => `${p}: zero / two`).join(" | ") + " |");
say("|---|---|---|---|");
for (const fault of Object.keys(FAULTS)) {
  const cells: string[] = [];
  for (const policy of ["none", "quorum", "lease"] as const) {
    let [zero, two] = [0, 0];
    for (let seed = 1; seed <= SEEDS; seed++) {
      const [none, both] = await measure(policy, fault, seed);
      zero = Math.max(zero, none);
      two = Math.max(two, both);
    }
    cells.push(`${seconds(zero)} s / ${seconds(two)} s`);
  }
  say(`| ${fault} | ${cells.join(" | ")} |`);
}
