/**
 * Tests the quorum: no two copies of a singleton run at once, with cuts, pauses and restarts at the
 * worst moments. Each history also detects a build with a defect in the rule that it tests.
 */
import { assert } from "@std/assert";
import type { Self } from "../../lib/actor/self.ts";
import { Lingering } from "../../lib/cluster/lingering.ts";
import { Members } from "../../lib/cluster/members.ts";
import { PauseWatch } from "../../lib/cluster/pause_watch.ts";
import { simulate, type Simulation } from "../../lib/simulate.ts";
import { test } from "../kit/test.ts";
import { type Any, breaks } from "./sabotage.ts";

const SETTINGS = { pingInterval: 500, pingTimeout: 2_000 } as const;

/**
 * Maximum time in milliseconds during which a paused copy may run after it resumes: twice an eighth
 * of the ping timeout.
 */
const STALE_MS = 500;

/** Three nodes, of which the first, `a`, runs the singleton. */
class Trio {
  readonly sim: Simulation;
  /** The running copies and their start times, by node. Paused copies are not included. */
  readonly running = new Map<string, number>();
  readonly frozen = new Set<string>();
  tokens: number[] = [];

  constructor(sim: Simulation) {
    this.sim = sim;
  }

  async start(short: string): Promise<void> {
    const { sim } = this;
    const seeds = ["a", "b", "c"].filter((other) => other !== short);
    const node = await sim.start(short, { ...SETTINGS, seeds, joinTimeout: 500 });
    const copy = (self: Self, token: number | undefined) => {
      const others = [...this.running.keys()].filter((other) => !this.frozen.has(other));
      if (others.length > 0) throw new Error(`the singleton runs on ${others} and on ${short}`);
      if (token! <= (this.tokens.at(-1) ?? 0)) throw new Error(`${token} after ${this.tokens}`);
      this.tokens.push(token!);
      this.running.set(short, sim.now);
      self.signal.addEventListener("abort", () => this.running.delete(short));
      return () => {};
    };
    const check = (self: Self, token: number | undefined) => {
      try {
        return copy(self, token);
      } catch (error) {
        this.failure ??= error as Error;
        throw error;
      }
    };
    const child = {
      id: "vault",
      start: (self: Self, { token }: { token: number | undefined }) => self.spawnLink(check, token),
    };
    const options = { quorum: "majority", timeout: Infinity } as const;
    node.global.singleton("vault", child, options).catch(() => {});
  }

  failure: Error | undefined;

  async begin(): Promise<void> {
    for (const short of ["a", "b", "c"]) await this.start(short);
    await this.sim.until("the singleton runs", () => this.running.size === 1);
    await this.sim.run(10_000 + this.sim.random.below(1_000));
  }

  get holder(): string {
    return [...this.running.keys()].find((short) => !this.frozen.has(short))!;
  }

  async movesFrom(former: string): Promise<void> {
    const { sim } = this;
    const isThere = (): boolean =>
      this.failure !== undefined ||
      [...this.running.keys()].some((short) => short !== former);
    await sim.until("another node runs the singleton", isThere, { within: 120_000 });
    this.check();
  }

  check(): void {
    if (this.failure !== undefined) throw this.failure;
  }
}

function history(run: (trio: Trio, sim: Simulation) => Promise<void>) {
  return (seed: number): Promise<unknown> =>
    simulate({ seed }, async (sim) => {
      const trio = new Trio(sim);
      await trio.begin();
      await run(trio, sim);
      sim.heal();
      await sim.run(30_000);
      trio.check();
      if (trio.running.size !== 1) {
        throw new Error(`the singleton runs on ${[...trio.running.keys()]}`);
      }
    });
}

const others = (short: string): string[] => ["a", "b", "c"].filter((other) => other !== short);

const HISTORIES: Readonly<Record<string, (seed: number) => Promise<unknown>>> = {
  // The holder receives messages from the others for some time after they no longer receive any
  // from the holder.
  "its node is cut off": history(async (trio, sim) => {
    const { holder } = trio;
    sim.partition([holder], others(holder), { oneWay: true });
    await sim.run(sim.random.below(1_900));
    sim.partition([holder], others(holder));
    await trio.movesFrom(holder);
  }),
  // The holder is isolated when it resumes, so it cannot learn that it was replaced.
  "its node is suspended and isolated": history(async (trio, sim) => {
    const { holder } = trio;
    trio.frozen.add(holder);
    sim.pause(holder);
    sim.partition([holder], others(holder));
    await trio.movesFrom(holder);
    await sim.run(sim.random.below(20_000));
    sim.resume(holder);
    await sim.run(STALE_MS);
    if (trio.running.has(holder)) throw new Error("the former copy still runs");
    trio.frozen.delete(holder);
  }),
  // A node that has granted the name restarts, and cannot reach the holder, which has not detected
  // the restart.
  "a node that has granted its name restarts": history(async (trio, sim) => {
    const { holder } = trio;
    const [grants, waits] = others(holder) as [string, string];
    sim.partition([holder], [waits]);
    await sim.run(20_000);
    sim.crash(grants);
    sim.partition([holder], [grants]);
    await trio.start(grants);
    await trio.movesFrom(holder);
  }),
};

for (const [event, run] of Object.entries(HISTORIES)) {
  test(`Global.singleton with a quorum never has two running instances when ${event}`, async () => {
    for (let seed = 1; seed <= 20; seed++) await run(seed);
  });
}

/** Builds with a defect, and the history that detects each. */
const BROKEN: readonly (readonly [event: string, what: string, () => () => void])[] = [
  [
    "its node is cut off",
    "a name of a lost node is free at once",
    breaks(Lingering, "keep", () => () => {}),
  ],
  [
    "its node is suspended and isolated",
    "a process does not notice that it stood still",
    breaks(PauseWatch, "start", () => () => {}),
  ],
  [
    "a node that has granted its name restarts",
    "a node that has just started grants at once",
    () => {
      const real = Object.getOwnPropertyDescriptor(Members.prototype, "size")!;
      Object.defineProperty(Members.prototype, "size", { ...real, get: () => 1 });
      return () => Object.defineProperty(Members.prototype, "size", real) as Any;
    },
  ],
];

for (const [event, what, sabotage] of BROKEN) {
  test(`the test in which ${event} detects a build in which ${what}`, async () => {
    const mend = sabotage();
    let found: string | undefined;
    try {
      for (let seed = 1; seed <= 40 && found === undefined; seed++) {
        await HISTORIES[event]!(seed).catch((error) => found = error.message);
      }
    } finally {
      mend();
    }
    assert(found !== undefined, "not found within 40 seeds");
  });
}
