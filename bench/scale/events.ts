// deno-lint-ignore-file no-console -- prints a table
/**
 * Measures how long one event blocks the event loop that concerns 100,000 actors, calls, timers,
 * names or groups at once.
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
import { parseArgs } from "@std/cli/parse-args";
import { refuse } from "../command_line.ts";
import { givenArguments } from "../../scripts/command_arguments.ts";
import { collect, longestTurn } from "./turns.ts";
import { EVENTS } from "./event_list.ts";

const HELP = `deno run -A bench/scale/events.ts [options]

  --only TEXT   only events with TEXT in their name
  --count N     number of actors, calls, names and so on (default 100,000)
  --turns       prints the longest turns of each event
  --help        this text`;

const options = parseArgs(givenArguments(), {
  boolean: ["help", "turns", "here"],
  string: ["only", "count"],
  unknown: (word) => refuse("bench/scale/events.ts", `no such option: ${word} (--help lists them)`),
});
if (options.help) {
  console.log(HELP);
  process.exit(0);
}
const count = Number(options.count ?? 100_000);
const only = options.only ?? "";

for (const event of EVENTS) {
  if (!event.name.includes(only)) continue;
  if (!options.here) {
    const args = process.argv.slice(1).filter((word) => word !== "--here");
    const name = ["--here", "--only", event.name, "--count", `${count}`];
    const flags = (globalThis as { Deno?: { args: string[] } }).Deno === undefined ? [] : [
      "run",
      "-A",
      ...(process.env["V8_FLAGS"] ? [`--v8-flags=${process.env["V8_FLAGS"]}`] : []),
    ];
    const turns = options.turns ? ["--turns"] : [];
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
      (options.turns ? ` (${result.worst.map((ms) => ms.toFixed(1)).join(" ")})` : ""),
  );
  process.exit(0);
}
