/**
 * What goes wrong, and when: all of it from a seed, before anything begins.
 *
 *     up ──kill, stop──▶ down ──restart──▶ up ──pause──▶ paused ──resume──▶ up, or killed
 */
import type { SeededRandom } from "../../../lib/base/random.ts";
import { pick } from "../../kit/seeds.ts";

/** One thing that goes wrong, or well again. */
export type Fault =
  /** Of a node: kill -9, a graceful stop, another life, SIGSTOP, SIGCONT. */
  | { readonly kind: "kill" | "stop" | "restart" | "pause" | "resume"; readonly node: string }
  /** Nothing passes between two, or from one to the other only; or their connections end. */
  | { readonly kind: "block" | "blockOneWay" | "cut"; readonly from: string; readonly to: string }
  /** Everything passes everywhere. */
  | { readonly kind: "heal" };

/** All kinds. */
export const FAULTS: readonly Fault["kind"][] = [
  "kill",
  "stop",
  "restart",
  "pause",
  "resume",
  "block",
  "blockOneWay",
  "cut",
  "heal",
];

/** A fault, so long after the beginning. */
export interface Step {
  readonly atMs: number;
  readonly fault: Fault;
}

/** Milliseconds from one fault to the next, at most. */
const PAUSE_MS_MAX = 900;

/** The faults of so many milliseconds. All nodes are up at the beginning. */
export function plan(random: SeededRandom, shorts: readonly string[], ms: number): Step[] {
  const down = new Set<string>();
  const paused = new Set<string>();
  const ofNode = (): Fault => {
    const node = pick(random, shorts);
    if (down.delete(node)) return { kind: "restart", node };
    const dice = random.next();
    if (paused.has(node) && dice < 0.7) {
      paused.delete(node);
      return { kind: "resume", node };
    }
    if (!paused.has(node) && dice < 0.4) {
      paused.add(node);
      return { kind: "pause", node };
    }
    const kind = paused.delete(node) || dice < 0.8 ? "kill" : "stop";
    down.add(node);
    return { kind, node };
  };
  const ofNetwork = (): Fault => {
    const from = pick(random, shorts);
    const to = pick(random, shorts.filter((short) => short !== from));
    const dice = random.next();
    if (dice < 0.4) return { kind: "block", from, to };
    if (dice < 0.65) return { kind: "blockOneWay", from, to };
    if (dice < 0.8) return { kind: "cut", from, to };
    return { kind: "heal" };
  };
  const steps: Step[] = [];
  for (let atMs = 0;;) {
    atMs += 50 + random.below(PAUSE_MS_MAX - 50);
    if (atMs >= ms) return steps;
    steps.push({ atMs, fault: random.next() < 0.5 ? ofNode() : ofNetwork() });
  }
}
