// deno-lint-ignore-file no-console -- prints a table
/**
 * Prints the scaling table: what each operation costs at several sizes, how that grows, and the
 * longest time for which it blocks the event loop.
 *
 *     deno run -A bench/scale/table.ts --only children
 *     bun bench/scale/table.ts --most 100000
 *
 * Growth is the exponent between the first and the last size: 0 constant, 1 linear, 2 quadratic.
 *
 * @module
 */
import process from "node:process";
import { parseArgs } from "@std/cli/parse-args";
import { refuse } from "../asked.ts";
import { givenArguments } from "../../scripts/command_arguments.ts";
import { rows } from "./rows.ts";

const HELP = `deno run -A bench/scale/table.ts [options]

  --only TEXT   only rows with TEXT in their name
  --most N      no size above N
  --tiny        smallest sizes, only to show that it runs
  --help        this text`;

const options = parseArgs(givenArguments(), {
  boolean: ["help", "tiny"],
  string: ["only", "most"],
  unknown: (word) => refuse("bench/scale/table.ts", `no such option: ${word} (--help lists them)`),
});
if (options.help) {
  console.log(HELP);
  process.exit(0);
}
const only = options.only ?? "";
const most = Number(options.most ?? Infinity);

for (const row of rows(options.tiny)) {
  if (!row.name.includes(only)) continue;
  console.log(`\n## ${row.name} (CPU in µs per ${row.per}; least: ${row.least})`);
  const found = new Map<string, { size: number; cpu: number; blocked: number }[]>();
  for (const size of row.sizes) {
    if (size > most) continue;
    for (const { name, cpu, blocked } of await row.measure(size)) {
      const list = found.get(name) ?? [];
      found.set(name, [...list, { size, cpu, blocked }]);
    }
  }
  for (const [name, list] of found) {
    const [first, last] = [list[0]!, list.at(-1)!];
    const growth = Math.log(last.cpu / first.cpu) / Math.log(last.size / first.size);
    const cells = list.map(({ size, cpu, blocked }) =>
      `${size.toLocaleString("en")}: ${cpu.toPrecision(3)} (${blocked.toFixed(0)} ms)`
    );
    const grows = list.length > 1 ? `; growth ${growth.toFixed(2)}` : "";
    console.log(`- ${name}: ${cells.join(", ")}${grows}`);
  }
}
process.exit(0);
