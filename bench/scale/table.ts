// deno-lint-ignore-file no-console -- prints a table
/**
 * Prints the scaling table in Markdown: what each operation costs at several sizes, how the cost
 * grows, and the longest time for which it blocks the event loop. Progress goes to standard error.
 *
 *     deno run -A bench/scale/table.ts --only children
 *     bun bench/scale/table.ts --most 100000
 *
 * The growth is the exponent between the first and the last size: 0 constant, 1 linear, 2
 * quadratic. It is marked with "!" if it exceeds the theoretical minimum by more than 0.5.
 *
 * @module
 */
import process from "node:process";
import { readOptions, refuse } from "../command_line.ts";
import { type Cost, type Growth, rows } from "./rows.ts";

const HELP = `deno run -A bench/scale/table.ts [options]

  --only TEXT   only groups of rows with TEXT in their name
  --most N      no size above N
  --tiny        smallest sizes, only to show that it runs
  --help        this text`;

const given = readOptions("bench/scale/table.ts", HELP, {
  values: { only: undefined, most: undefined },
  flags: ["tiny"],
});
const only = given.value("only") ?? "";
const most = given.value("most") === undefined ? Infinity : given.integer("most", 1, Infinity);
const groups = rows(given.has("tiny")).filter(({ name }) => name.includes(only));
if (groups.length === 0) {
  refuse("bench/scale/table.ts", `no group has ${only} in its name (--help)`);
}
const EXPONENTS: Readonly<Record<Growth, number>> = { constant: 0, n: 1, "n²": 2 };

interface Measured extends Cost {
  readonly size: number;
}

function grows(list: readonly Measured[]): string {
  const [first, last] = [list[0]!, list.at(-1)!];
  if (first === last || first.value === 0) return "";
  const exponent = Math.log(last.value / first.value) / Math.log(last.size / first.size);
  return `${exponent.toFixed(2)}${exponent > EXPONENTS[first.least] + 0.5 ? " !" : ""}`;
}

function cell(cost: Measured | undefined): string {
  if (cost === undefined) return "";
  const value = cost.value < 1000 ? cost.value.toPrecision(3) : Math.round(cost.value);
  return cost.blocked === undefined ? `${value}` : `${value} (${cost.blocked.toFixed(0)})`;
}

for (const row of groups) {
  const sizes = row.sizes.filter((size) => size <= most);
  if (sizes.length === 0) continue;
  const found = new Map<string, Measured[]>();
  for (const size of sizes) {
    console.error(`${new Date().toISOString().slice(11, 19)} ${row.name}: ${size}`);
    for (const cost of await row.measure(size)) {
      const key = `${cost.name}, ${cost.unit}`;
      found.set(key, [...found.get(key) ?? [], { ...cost, size }]);
    }
  }
  console.log(
    `\n| ${row.name} | ${
      sizes.map((size) => size.toLocaleString("en")).join(" | ")
    } | growth | least |`,
  );
  console.log(`| --- |${" ---: |".repeat(sizes.length)} ---: | --- |`);
  for (const [name, list] of found) {
    const cells = sizes.map((size) => cell(list.find((cost) => cost.size === size)));
    console.log(`| ${name} | ${cells.join(" | ")} | ${grows(list)} | ${list[0]!.least} |`);
  }
}
process.exit(0);
