/**
 * Measures the latency between two nodes. The check runs this file when nothing else is running,
 * because it measures milliseconds.
 */
import { assert } from "@std/assert";
import { PAIRS, untilWhole, withNodes } from "../kit/process.ts";
import { test, until } from "../kit/test.ts";

/** The maximum number of rounds. The test passes when one of them is fast enough. */
const ROUNDS_MAX = 20;

for (const [one, other] of PAIRS) {
  test(`a session (${one}, ${other}) delivers 99 % of small messages in less than 5 ms`, async () => {
    await withNodes(async (start) => {
      const a = await start(one, "a");
      const b = await start(other, "b", { seeds: [a.name] });
      await untilWhole(a, b);
      for (const [from, to] of [[a, b], [b, a]] as const) {
        // A delay caused by Nagle's algorithm appears in every round; one of a busy machine does
        // not.
        const rounds: number[] = [];
        while (rounds.length < ROUNDS_MAX && !rounds.some((ms) => ms < 5)) {
          const room = `spaced ${rounds.length}`;
          await to.ask("listen", { room });
          await from.ask("saySpaced", { room, count: 200, everyMs: 3 });
          const all = async (): Promise<number[]> =>
            (await to.ask<{ at: number[] }>("received", { room })).at;
          await until("all messages have arrived", async () => (await all()).length === 200);
          rounds.push((await all()).sort((x, y) => x - y)[197]!);
        }
        assert(rounds.some((ms) => ms < 5), `p99 of the rounds: ${rounds.join(", ")} ms`);
      }
    });
  });
}
