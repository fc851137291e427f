// deno-lint-ignore-file no-console -- prints a table
/**
 * Measures how long the event loop is blocked by one event that concerns 100,000 actors, calls,
 * timers, names or groups at once.
 *
 *     deno run -A bench/scale/events.ts [options]
 *     bun bench/scale/events.ts [options]
 *
 * A turn is what runs between two callbacks of `setImmediate`. No socket and no timer is handled
 * during a turn. Its cost is the CPU time of the main thread, so a busy machine does not change it.
 * Garbage collections that stop the main thread are part of it. To measure without them, give the
 * young generation of V8 room for the whole event:
 *
 *     deno run -A --v8-flags=--expose-gc,--semi-space-growth-factor=1,--min-semi-space-size=512,--max-semi-space-size=512 bench/scale/events.ts
 *
 * Each event runs in a separate process.
 *
 * @module
 */
import { spawnSync } from "node:child_process";
import process from "node:process";
import { readOptions, refuse } from "../command_line.ts";
import { collect, longestTurn } from "./turns.ts";
import { EVENTS } from "./event_list.ts";

const HELP = `deno run -A bench/scale/events.ts [options]

  --only TEXT   only events with TEXT in their name
  --count N     number of actors, calls, names and so on (default 100,000)
  --turns       prints the longest turns of each event
  --help        this text`;

const given = readOptions("bench/scale/events.ts", HELP, {
  values: { only: undefined, count: "100000" },
  flags: ["turns", "here"],
});
const count = given.integer("count", 1, Infinity);
const only = given.value("only") ?? "";
const events = EVENTS.filter(({ name }) => name.includes(only));
if (events.length === 0) {
  refuse("bench/scale/events.ts", `no event has ${only} in its name (--help)`);
}

for (const event of events) {
  if (!given.has("here")) {
    const args = process.argv.slice(1).filter((word) => word !== "--here");
    const name = ["--here", "--only", event.name, "--count", `${count}`];
    const flags = (globalThis as { Deno?: { args: string[] } }).Deno === undefined ? [] : [
      "run",
      "-A",
      ...(process.env["V8_FLAGS"] ? [`--v8-flags=${process.env["V8_FLAGS"]}`] : []),
    ];
    const turns = given.has("turns") ? ["--turns"] : [];
    spawnSync(process.execPath, [...flags, args[0]!, ...name, ...turns], { stdio: "inherit" });
    continue;
  }
  if (event.name !== only) continue;
  const prepared = await event.prepare(count);
  collect();
  const result = await longestTurn(prepared.run);
  console.log(
    `${event.name}: longest turn ${result.longest.toFixed(1)} ms, all ${
      result.total.toFixed(0)
    } ms in ${result.turns} turns` +
      (given.has("turns") ? ` (${result.worst.map((ms) => ms.toFixed(1)).join(" ")})` : ""),
  );
  process.exit(0);
}
