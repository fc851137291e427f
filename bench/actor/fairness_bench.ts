/**
 * Question: when actors are never idle, how long does a socket wait, and what share of the time is
 * left to the actors, by the way in which the scheduler yields?
 *
 * It does not measure a rate: each bench prints its own line, and the reported time is that of the
 * whole run. A thousand actors each send themselves messages, so that one is always due; a separate
 * process sends 64 bytes to an echo server after random pauses, and waits for each echo.
 *
 * Results for light actors on a busy machine, where the shares are more reliable than the times
 * (echo p50 and p99 in ms, share left to the actors):
 *
 * | way                         | Deno 2.9.6             | Bun 1.4.5              |
 * | --------------------------- | ---------------------- | ---------------------- |
 * | 61 × setImmediate           | 0.1, 1.8 to 5.9, 91 %  | not needed             |
 * | 1 × setImmediate            | starved                | 2.0, 6.0, 95 %         |
 * | 16 × setImmediate           | 2.1, 6.6 to 32, 85 %   | not needed             |
 * | crypto.subtle.digest        | 1.1, 3.0 to 36, 92 %   | starved                |
 * | a byte through its own socket | 2.0, 17 to 54, 87 %  | not measured           |
 * | setTimeout(0)               | 1.1, 2.1 to 3.6, 32 %  | 1.0, 4.9, 46 %         |
 * | MessageChannel              | starved                | starved                |
 *
 * The cheapest way is one `setImmediate` on Bun, and 61 of them on Deno, which polls sockets in
 * about every 61st turn of its loop. The hosts use these. On an idle machine p99 was 2.1 and 2.8
 * ms, with 93 % and 99 % left to the actors (`bench/RECORD.md`).
 *
 * @module
 */
import process from "node:process";
import { systemHost } from "../../lib/start.ts";
import { bench, benches, isTiny } from "../kit.ts";
import { measureFairness } from "./fairness.ts";
import { waysOf } from "./ways.ts";

const host = systemHost();

/** Loop rounds per message, one to two nanoseconds each. */
const LOADS: readonly (readonly [string, number])[] = [
  ["light", 10],
  ["5 µs", 4_000],
  ["0.3 ms", 250_000],
];

await benches("bench/actor/fairness_bench.ts", ["net", "read", "run"], () => {
  for (const [load, rounds] of isTiny() ? LOADS.slice(0, 1) : LOADS) {
    for (const way of isTiny() ? waysOf(host).slice(0, 1) : waysOf(host)) {
      bench(`${way.name} (${load})`, { group: load, n: 1, warmup: 0 }, async () => {
        const opened = await way.open();
        const { p50Ms, p99Ms, share, yields, starved } = await measureFairness(
          host,
          (task) => opened.yieldToIo(task),
          rounds,
        );
        opened.close();
        const line = starved
          ? "starved until the actors stopped"
          : `p50 ${p50Ms} ms, p99 ${p99Ms} ms, ${(share * 100).toFixed(1)} % left to the actors, ` +
            `${yields.toFixed(0)} yields/s`;
        process.stdout.write(`${way.name} (${load}): ${line}\n`);
      });
    }
  }
});
