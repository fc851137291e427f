/**
 * Tests real processes over TLS on loopback, under kill -9, SIGSTOP, stops, restarts and a network
 * that holds data back, with the checkers of the simulator.
 *
 * Runs 20 seconds of faults, or 2 minutes with FIRN_LONG=1. FIRN_SEED sets the seed.
 */
import process from "node:process";
import { assert, assertEquals } from "@std/assert";
import { PAIRS } from "../../kit/process.ts";
import { test } from "../../kit/test.ts";
import { runChaos } from "./cluster.ts";
import { FAULTS } from "./plan.ts";

const LONG = process.env["FIRN_LONG"] === "1";
const MS = LONG ? 120_000 : 20_000;

/** The short run is reproducible; the long run searches for new failures. */
const SEED = Number(process.env["FIRN_SEED"] ?? (LONG ? Date.now() % 1_000_000 : 9));

const SHORTS = ["a", "b", "c", "d"];

// One pair is sufficient: each incarnation runs on a random one of the two runtimes.
for (const [one, other] of PAIRS.slice(0, 1)) {
  test(
    `Node keeps its promises (${one}, ${other}) while its processes are killed, suspended and cut off`,
    {
      timeout: 600_000,
    },
    async () => {
      const progress = (line: string) => void process.stderr.write(`chaos ${SEED}: ${line}\n`);
      const { broken, faults, counts } = await runChaos({
        shorts: SHORTS,
        runtimes: [one, other],
        seed: SEED,
        ms: MS,
        settleMs: 45_000,
        sabotage: [],
        progress,
      }).catch((error) => {
        throw new Error(replay(one, other, error.message), { cause: error });
      });
      progress(JSON.stringify({ faults, counts }));
      const text = [...broken].map(([promise, what]) => `${promise}: ${what}`).join("\n");
      assertEquals(text, "", replay(one, other, text));
      // Every kind of fault has occurred at least once.
      assertEquals(FAULTS.filter((kind) => !(kind in faults)), []);
      for (const what of ["messages arrived", "signals", "lines received", "children started"]) {
        assert(counts[what]! > 50, `${counts[what]} ${what}`);
      }
    },
  );
}

function replay(one: string, other: string, what: string): string {
  const mixed = one === other ? "" : "FIRN_PAIRS=mixed ";
  const run = one === "bun" && other === "bun" ? "bun test" : "deno test -A";
  return `${what}\n  the same faults again: FIRN_SEED=${SEED} ${LONG ? "FIRN_LONG=1 " : ""}` +
    `${mixed}${run} ./tests/process/chaos/chaos_test.ts`;
}
