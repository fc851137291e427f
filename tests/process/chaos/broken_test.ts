/**
 * Tests the checkers on real processes: runs builds with deliberate defects, and expects that the
 * checkers detect them within a few seeds. With FIRN_LONG=1, each defect that the simulator detects
 * is tested in a separate build.
 */
import process from "node:process";
import { assertEquals } from "@std/assert";
import { runtime, test } from "../../kit/test.ts";
import { BROKEN } from "../../sim/sabotage.ts";
import { runChaos } from "./cluster.ts";

/** A broken build is detected with one of these seeds, usually the first. */
const SEEDS = [2, 3, 4, 5, 6];

/** A build with several defects, none of which hides another. */
const QUICK: readonly (readonly string[])[] = [[
  "a message is delivered twice",
  "monitors are not sent to the other node",
  "a peer's names are ignored",
  "a broadcast is delivered twice",
]];

const BUILDS = process.env["FIRN_LONG"] === "1" ? BROKEN.map(([, what]) => [what]) : QUICK;

for (const build of BUILDS) {
  const promises = BROKEN.filter(([, what]) => build.includes(what)).map(([promise]) => promise);
  test(`the checkers of ${promises.join(", ")} detect processes in which ${build.join(" or ")}`, {
    timeout: 200_000,
  }, async () => {
    const missing = new Set(promises);
    const others: string[] = [];
    for (const seed of SEEDS) {
      if (missing.size === 0) break;
      const { broken } = await runChaos({
        shorts: ["a", "b", "c"],
        runtimes: [runtime],
        seed,
        ms: 5_000,
        settleMs: 3_000,
        sabotage: build,
        progress: () => {},
      });
      for (const [promise, what] of broken) if (!missing.delete(promise)) others.push(what);
    }
    assertEquals([...missing], [], `only found: ${others.join("; ")}`);
  });
}
