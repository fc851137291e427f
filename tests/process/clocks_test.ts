/** Tests nodes whose clocks are wrong by days or years. */
import { assert, assertEquals } from "@std/assert";
import process from "node:process";
import { spawnChild } from "../../lib/host/system.ts";
import { atTime, hasFaketime } from "../kit/faketime.ts";
import { PAIRS, type Runtime, untilWhole, withNodes } from "../kit/process.ts";
import { test, until } from "../kit/test.ts";

/** Starts a process with another wall clock. Its monotonic clock is correct. */
function launchAt(time: string) {
  return (runtime: Runtime, file: string) => {
    const bin = process.env[runtime === "deno" ? "DENO_BIN" : "BUN_BIN"] ?? runtime;
    const run = runtime === "deno" ? ["run", "-A", "--no-check"] : [];
    const [program, ...args] = atTime(time);
    return spawnChild(program!, [...args, bin, ...run, file]);
  };
}

for (const [one, other] of PAIRS) {
  test(
    `nodes (${one}, ${other}) whose clocks differ by days and decades connect at once, and report the difference`,
    {
      ignore: !hasFaketime,
    },
    async () => {
      await withNodes(async (start) => {
        const a = await start(one, "a", {}, "member_child.ts");
        const seeds = [a.name];
        const [behind, ahead, unset] = await Promise.all([
          start(other, "behind", { seeds }, "member_child.ts", launchAt("-26h")),
          start(one, "ahead", { seeds }, "member_child.ts", launchAt("+400d")),
          start(other, "unset", { seeds }, "member_child.ts", launchAt("@1970-01-02 00:00:00")),
        ]);
        const wall = await behind.ask<number>("wall");
        assert(wall < Date.now() - 25 * 60 * 60 * 1000, "faketime has no effect");
        await untilWhole(a, behind, ahead, unset);
        await until("the skews are reported", () => a.count("clockskew") === 3);
        const skews = a.received.filter(({ event }) => event === "clockskew")
          .map(({ skew }) => Math.sign(Number(skew))).sort();
        assertEquals(skews, [-1, -1, 1]);
        assertEquals((await a.ask<{ clockSkews: number }>("membership")).clockSkews, 3);
        assertEquals(a.count("refused"), 0);
      });
    },
  );
}
