// deno-lint-ignore-file no-console -- prints the results
/**
 * Question: what share of its CPU does a node spend on one scrape per second, by its number of
 * actors? A scrape runs in portions with pauses, so the CPU time of the process is measured, not
 * the elapsed time.
 *
 *     deno run -A bench/observe/scrape.ts        bun bench/observe/scrape.ts
 *
 * @module
 */
import process from "node:process";
import { readOptions } from "../command_line.ts";
import { Node } from "../../lib/node.ts";

readOptions("scrape", "deno run -A bench/observe/scrape.ts, without options", {});

const SCRAPES = 20;

const node = await Node.start({ cookie: "a cookie for benches on loopback", logLevel: "silent" });
let actors = 0;
for (const count of [1_000, 10_000, 100_000]) {
  for (; actors < count; actors++) node.spawn(() => () => {});
  for (let n = 0; n < 5; n++) await node.metrics();
  const before = process.cpuUsage();
  for (let n = 0; n < SCRAPES; n++) await node.metrics();
  const { user, system } = process.cpuUsage(before);
  const ms = (user + system) / 1_000 / SCRAPES;
  console.log(`${count} actors: ${ms.toFixed(2)} ms of CPU a scrape, ${(ms / 10).toFixed(2)} %`);
}
await node.stop();
