/**
 * What the checkers are worth to processes: each of these builds is broken on purpose, and is found. One for
 * each promise, and with FIRN_LONG=1 all those that the simulator finds.
 */
import process from "node:process";
import { assert } from "@std/assert";
import { PAIRS } from "../../kit/process.ts";
import { test } from "../../kit/test.ts";
import { BROKEN } from "../../sim/sabotage.ts";
import { runChaos } from "./cluster.ts";

const LONG = process.env["FIRN_LONG"] === "1";

/** One for each promise. */
const QUICK = BROKEN.filter(([promise], i) => BROKEN.findIndex(([each]) => each === promise) === i);

for (const [one, other] of PAIRS.slice(0, 1)) {
  for (const [promise, what] of LONG ? BROKEN : QUICK) {
    test(`the promise of ${promise} (${one}, ${other}) finds processes in which ${what}`, async () => {
      const { broken } = await runChaos({
        shorts: ["a", "b", "c"],
        runtimes: [one, other],
        seed: 3,
        ms: 4_000,
        settleMs: 4_000,
        sabotage: what,
        progress: () => {},
      });
      assert(broken.has(promise), `found: ${JSON.stringify([...broken])}`);
    });
  }
}
