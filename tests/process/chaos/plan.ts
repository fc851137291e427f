/**
 * Computes the plan of all faults and their times from a seed, before the run.
 *
 *     up ──kill, stop──▶ down ──restart──▶ up ──pause──▶ paused ──resume──▶ up, or killed
 */
import type { SeededRandom } from "../../../lib/base/random.ts";
import { pick } from "../../kit/seeds.ts";

/** A fault or a recovery. */
export type Fault =
  /** A fault of a node: kill -9, a graceful stop, a restart, SIGSTOP, SIGCONT. */
  | { readonly kind: "kill" | "stop" | "restart" | "pause" | "resume"; readonly node: string }
  /** Holds back all data between two nodes, or in one direction, or ends their connections. */
  | { readonly kind: "block" | "blockOneWay" | "cut"; readonly from: string; readonly to: string }
  /** Removes all blocks. */
  | { readonly kind: "heal" };

/** A fault and its time since the start. */
export interface Step {
  readonly atMs: number;
  readonly fault: Fault;
}

/** The relative frequency of each kind. Recoveries are rare enough for faults to last. */
const WEIGHTS: Readonly<Record<Fault["kind"], number>> = {
  kill: 2,
  stop: 1,
  restart: 4,
  pause: 2,
  resume: 2,
  block: 2,
  blockOneWay: 2,
  cut: 2,
  heal: 1,
};

/** All kinds of faults and recoveries. */
export const FAULTS: readonly Fault["kind"][] = Object.keys(WEIGHTS) as Fault["kind"][];

/** The time in milliseconds from one fault to the next. */
const GAP_MS = { least: 50, most: 700 } as const;

/** Returns the faults for this many milliseconds. All nodes are up at the start. */
export function plan(random: SeededRandom, shorts: readonly string[], ms: number): Step[] {
  const states = new Map(shorts.map((short) => [short, "up"]));
  const lots = FAULTS.flatMap((kind) => Array<Fault["kind"]>(WEIGHTS[kind]).fill(kind));
  /** Moves a random node in one of the states `from` to the state `to`. */
  const move = (from: readonly string[], to: string): string | undefined => {
    const able = shorts.filter((short) => from.includes(states.get(short)!));
    if (able.length === 0) return undefined;
    const node = pick(random, able);
    states.set(node, to);
    return node;
  };
  /**
   * Kinds are drawn from a bag, so that none is delayed for long; the bag is refilled when none of
   * its kinds is possible.
   */
  const bag: Fault["kind"][] = [];
  const draw = (): Fault => {
    for (let tries = 0;; tries++) {
      if (tries >= bag.length) bag.push(...lots);
      const at = random.below(bag.length);
      const fault = make(bag[at]!);
      if (fault === undefined) continue;
      bag.splice(at, 1);
      return fault;
    }
  };
  const make = (kind: Fault["kind"]): Fault | undefined => {
    let node: string | undefined;
    switch (kind) {
      case "heal":
        return { kind };
      case "block":
      case "blockOneWay":
      case "cut": {
        const from = pick(random, shorts);
        return { kind, from, to: pick(random, shorts.filter((short) => short !== from)) };
      }
      case "kill":
        node = move(["up", "paused"], "down");
        break;
      case "stop":
        node = move(["up"], "down");
        break;
      case "restart":
        node = move(["down"], "up");
        break;
      case "pause":
        node = move(["up"], "paused");
        break;
      case "resume":
        node = move(["paused"], "up");
        break;
    }
    return node === undefined ? undefined : { kind, node };
  };
  const steps: Step[] = [];
  for (let atMs = 0;;) {
    atMs += GAP_MS.least + random.below(GAP_MS.most - GAP_MS.least);
    if (atMs >= ms) return steps;
    steps.push({ atMs, fault: draw() });
  }
}
