/**
 * Tests the checkers of promises: each of these builds has a deliberate defect, which a checker
 * detects within a few seeds.
 */
import { assert } from "@std/assert";
import process from "node:process";
import { runtime, test } from "../kit/test.ts";
import { chaos } from "./chaos.ts";
import { PROMISES, promisesOf } from "./promises/all.ts";
import { BROKEN } from "./sabotage.ts";

/** The number of seeds within which a broken build must be detected. */
const SEEDS = 40;

/** The number of seeds of the correct build. `scripts/sim.ts` runs more. */
const SOUND_SEEDS = 4;

const isLong = process.env["FIRN_LONG"] === "1";

/**
 * The builds that this runtime tests: every second one, because a simulation is the same on both
 * runtimes (`sim_test.ts`), or all with FIRN_LONG=1.
 */
const BUILDS = BROKEN.filter((_, i) => isLong || i % 2 === (runtime === "deno" ? 0 : 1));

for (const [promise, what, sabotage] of BUILDS) {
  test(`the checker of ${promise} detects a build in which ${what}`, async () => {
    const mend = sabotage();
    let found: string | undefined;
    try {
      for (let seed = 1; seed <= SEEDS && found === undefined; seed++) {
        await chaos(seed, [PROMISES[promise]!]).catch((error) => found = error.message);
      }
    } finally {
      mend();
    }
    assert(found !== undefined, `not found within ${SEEDS} seeds`);
  });
}

test("the correct build passes all checkers", async () => {
  const all = Object.keys(PROMISES);
  for (let seed = 1; seed <= SOUND_SEEDS; seed++) await chaos(seed, promisesOf(seed, all));
});
