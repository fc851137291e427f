/**
 * Tests the checkers: each of these builds is broken deliberately, and is detected within a few
 * seeds.
 */
import { assert } from "@std/assert";
import { test } from "../kit/test.ts";
import { chaos } from "./chaos.ts";
import { PROMISES, promisesOf } from "./promises/all.ts";
import { BROKEN } from "./sabotage.ts";

/** The number of seeds within which a broken build must be detected. */
const SEEDS = 40;

for (const [promise, what, sabotage] of BROKEN) {
  test(`the promise of ${promise} fails for a build in which ${what}`, async () => {
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

test("the promises are kept by the correct build", async () => {
  const all = Object.keys(PROMISES);
  for (let seed = 1; seed <= SEEDS; seed++) await chaos(seed, promisesOf(seed, all));
});
