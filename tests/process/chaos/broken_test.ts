/**
 * What the checkers are worth to processes: each of these builds is broken on purpose, and is found within a
 * few seeds. One or two for each promise, and with FIRN_LONG=1 all those that the simulator finds.
 */
import process from "node:process";
import { fail } from "@std/assert";
import { runtime, test } from "../../kit/test.ts";
import { BROKEN } from "../../sim/sabotage.ts";
import { runChaos } from "./cluster.ts";

/** A build is found within so many seeds. */
const SEEDS = 5;

/** Those that are found at once. */
const QUICK: readonly string[] = [
  "a message goes twice",
  "nobody is told of a monitor",
  "a peer's names are not listened to",
  "a broadcast is delivered twice",
  "an exit does not travel",
  "nobody hears of a demonitor",
];

const BUILDS = process.env["FIRN_LONG"] === "1"
  ? BROKEN
  : BROKEN.filter(([, what]) => QUICK.includes(what));

for (const [promise, what] of BUILDS) {
  test(`the promise of ${promise} finds processes in which ${what}`, {
    timeout: 200_000,
  }, async () => {
    const found: string[] = [];
    for (let seed = 1; seed <= SEEDS; seed++) {
      const { broken } = await runChaos({
        shorts: ["a", "b", "c"],
        runtimes: [runtime],
        seed,
        ms: 3_000,
        settleMs: 3_000,
        sabotage: what,
        progress: () => {},
      });
      if (broken.has(promise)) return;
      found.push(JSON.stringify([...broken]));
    }
    fail(`found other things only: ${found.join(" ")}`);
  });
}
