/**
 * Runs a random cluster under random faults, from a seed. When all faults are removed and the
 * cluster is idle, the promises are checked.
 */
import type { Node } from "../../lib/node.ts";
import type { Parts } from "../../lib/start.ts";
import {
  simulate,
  type SimulateOptions,
  type Simulation,
  type SimulationResult,
} from "../../lib/simulate.ts";

/**
 * A promise is a guarantee of Firn: a workload that runs during the faults, and the conditions that
 * must hold afterwards.
 */
export interface Promising {
  readonly name: string;
  /** Called when a node has started, as a new incarnation. */
  up(short: string, node: Node): void;
  /** Called when a node has crashed or is about to stop. */
  down(short: string): void;
  /** Called when a node is paused or resumed. */
  paused?(short: string, isPaused: boolean): void;
  /** Performs a step of the workload. */
  act(): void;
  /** Ends the workload. From now on there are no faults, and all nodes are up. */
  rest?(): void;
  /** Throws a description of the violations. Called when everything is idle. */
  check(sim: Simulation): void | Promise<void>;
}

/** Creates the workload and the checker of a promise for one simulation. */
export type MakePromise = (stage: Stage) => Promising;

/** What the workload of a promise may use. */
export interface Stage {
  readonly sim: Simulation;
  /** The nodes that are up and not about to stop. */
  readonly nodes: ReadonlyMap<string, Node>;
  /** Returns the parts of a node. */
  parts(short: string): Parts | undefined;
  /** Returns a random item. */
  pick<T>(list: readonly T[]): T;
}

/** Options of a chaos run. */
export interface ChaosOptions extends SimulateOptions {
  /** The duration of the faults, in virtual milliseconds. */
  readonly ms?: number;
  /** Whether to run without faults. */
  readonly calm?: boolean;
}

const SETTINGS = { pingInterval: 500, pingTimeout: 2_000, joinTimeout: 200 } as const;

/** Runs the simulation of a seed. Returns the hash of its history. */
export async function chaos(
  seed: number,
  makers: readonly MakePromise[],
  options: ChaosOptions = {},
): Promise<SimulationResult<void>> {
  return await simulate({ ...options, seed }, async (sim) => {
    const { random } = sim;
    const pick = <T>(list: readonly T[]): T => list[random.below(list.length)]!;
    const nodes = new Map<string, Node>();
    const parts = (short: string): Parts | undefined =>
      (sim as Simulation & { partsOf(short: string): Parts | undefined }).partsOf(short);
    const promises = makers.map((make) => make({ sim, nodes, pick, parts }));
    const shorts = ["a", "b", "c", "d", "e", "f", "g"].slice(0, 1 + random.below(7));
    const up = (short: string, node: Node): void => {
      nodes.set(short, node);
      for (const promise of promises) promise.up(short, node);
    };
    const down = (short: string): void => {
      nodes.delete(short);
      for (const promise of promises) promise.down(short);
    };
    for (const a of shorts) {
      for (const b of shorts) {
        if (a < b) sim.link(a, b, { delay: random.below(20), jitter: random.below(30) });
      }
    }
    // A third of the clocks are wrong, by up to ten hours.
    for (const short of shorts) {
      if (random.below(3) === 0) sim.skew(short, random.below(72_000_000) - 36_000_000);
    }
    for (const short of shorts) {
      const seeds = shorts.filter((other) => other !== short);
      const logLevel = options.trace ? "debug" : "silent";
      up(short, await sim.start(short, { ...SETTINGS, seeds, logLevel }));
    }
    const paused = new Set<string>();
    const resume = (short: string): void => {
      for (const promise of promises) promise.paused?.(short, false);
      sim.resume(short);
    };
    const until = sim.now + (options.ms ?? 20_000);
    while (sim.now < until) {
      await sim.run(random.below(200));
      for (const promise of promises) promise.act();
      if (options.calm || random.next() > 0.08) continue;
      const short = pick(shorts);
      const other = pick(shorts);
      switch (random.below(12)) {
        case 0:
        case 1:
          if (!nodes.has(short)) break;
          paused.delete(short);
          down(short);
          if (random.next() < 0.5) sim.crash(short);
          else sim.kill(short);
          break;
        case 2:
        case 3:
          if (nodes.has(short)) break;
          up(short, await sim.restart(short));
          break;
        case 4:
          if (short !== other) {
            sim.partition([short], [other], { oneWay: random.next() < 0.3 });
          }
          break;
        case 5:
          sim.heal();
          break;
        case 6:
          if (short !== other) sim.cut(short, other);
          break;
        case 7:
          if (!nodes.has(short)) break;
          if (paused.delete(short)) resume(short);
          else {
            paused.add(short);
            for (const promise of promises) promise.paused?.(short, true);
            sim.pause(short);
          }
          break;
        case 9: {
          // Partitions the network in two.
          const some = shorts.filter(() => random.below(2) === 0);
          sim.partition(some, shorts.filter((one) => !some.includes(one)));
          break;
        }
        case 11:
          if (!nodes.has(short) || paused.has(short)) break;
          down(short);
          await sim.leave(short, { timeout: 1_000 });
          break;
        case 10:
          sim.partition([short], shorts.filter((one) => one !== short), {
            oneWay: random.next() < 0.3,
          });
          break;
        case 8:
          sim.skew(short, random.below(72_000_000) - 36_000_000);
          break;
      }
    }
    sim.heal();
    for (const short of paused) resume(short);
    for (const short of shorts) {
      if (!nodes.has(short)) up(short, await sim.restart(short));
    }
    // Nodes that were paused or isolated may detect only now which sessions they have lost.
    await sim.run(5_000);
    await sim.until(
      "all nodes are connected",
      () => shorts.every((short) => nodes.get(short)!.peers().length === shorts.length - 1),
      {
        within: 120_000,
      },
    );
    for (const promise of promises) promise.rest?.();
    await sim.run(15_000);
    for (const promise of promises) await promise.check(sim);
  });
}
