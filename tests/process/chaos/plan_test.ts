/** Tests the plan: for any seed the faults are valid, and of every kind. */
import { assert, assertEquals } from "@std/assert";
import { SeededRandom } from "../../../lib/base/random.ts";
import { test } from "../../kit/test.ts";
import { type Fault, FAULTS, plan } from "./plan.ts";

const SHORTS = ["a", "b", "c", "d"];

test("plan returns the same faults for the same seed", () => {
  const of = (seed: number) => plan(new SeededRandom(seed), SHORTS, 20_000);
  assertEquals(of(7), of(7));
  assert(JSON.stringify(of(7)) !== JSON.stringify(of(8)));
});

test("plan returns every kind of fault within 20 seconds, each valid in its state", () => {
  const before: Record<string, readonly string[]> = {
    kill: ["up", "paused"],
    stop: ["up"],
    restart: ["down"],
    pause: ["up"],
    resume: ["paused"],
  };
  const after: Record<string, string> = {
    kill: "down",
    stop: "down",
    restart: "up",
    pause: "paused",
    resume: "up",
  };
  for (let seed = 0; seed < 500; seed++) {
    const states = new Map(SHORTS.map((short) => [short, "up"]));
    const kinds = new Set<Fault["kind"]>();
    let last = 0;
    for (const { atMs, fault } of plan(new SeededRandom(seed), SHORTS, 20_000)) {
      assert(atMs > last && atMs < 20_000);
      last = atMs;
      kinds.add(fault.kind);
      if ("from" in fault) assert(fault.from !== fault.to);
      if (!("node" in fault)) continue;
      const state = states.get(fault.node)!;
      assert(
        before[fault.kind]!.includes(state),
        `seed ${seed}: ${fault.kind} of a node that is ${state}`,
      );
      states.set(fault.node, after[fault.kind]!);
    }
    assertEquals(FAULTS.filter((kind) => !kinds.has(kind)), [], `seed ${seed}`);
  }
});
