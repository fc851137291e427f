/**
 * The results of all rounds as a table: medians, and ratios to the plain handler.
 *
 * @module
 */
import { median } from "../spread.ts";
import { CONTENDERS, ENGINES, PLAIN, WAYS } from "./contenders.ts";
import type { Figures } from "./measure.ts";

const HEAD = [
  "",
  "",
  "accepted/s",
  "stored/s",
  "of plain",
  "CPU an event: server + PostgreSQL",
  "at a rate of",
  "of plain",
  "answered in, p50 / p99",
  "stored in, p50 / p99",
];

/** Returns lines of Markdown. `results` has the keys "database: way: contender". */
export function table(results: ReadonlyMap<string, readonly Figures[]>): string[] {
  const lines = [row(HEAD), `| --- | --- |${" --: |".repeat(HEAD.length - 2)}`];
  for (const { name: engine } of ENGINES) {
    for (const { name: way } of WAYS) {
      const plain = results.get(`${engine}: ${way}: ${PLAIN.name}`);
      for (const { name } of CONTENDERS) {
        const all = results.get(`${engine}: ${way}: ${name}`);
        if (all !== undefined) lines.push(row([`${engine}, ${way}`, name, ...cells(all, plain)]));
      }
    }
  }
  return lines;
}

function cells(all: readonly Figures[], plain: readonly Figures[] | undefined): string[] {
  const of = (name: keyof Figures): number => median(all.map((one) => one[name]));
  const base = plain === undefined ? NaN : median(plain.map(({ stored }) => stored));
  const times = (value: number): string =>
    Number.isNaN(base) ? "" : `${(value / base).toFixed(1)}×`;
  return [
    thousands(of("accepted")),
    range(all.map(({ stored }) => stored)),
    times(of("stored")),
    `${Math.round(of("cpu"))} + ${Math.round(of("cpuDatabase"))} µs`,
    thousands(of("rate")) + (of("held") < 0.97 * of("rate") ? " !" : ""),
    times(of("rate")),
    `${ms(of("answered50"))} / ${ms(of("answered99"))} ms`,
    `${ms(of("stored50"))} / ${ms(of("stored99"))} ms`,
  ];
}

/** Returns the median, and the minimum and maximum if they differ by more than a fifth. */
function range(values: readonly number[]): string {
  const [least, most] = [Math.min(...values), Math.max(...values)];
  const spread = most > 1.2 * least ? ` (${thousands(least)}–${thousands(most)})` : "";
  return thousands(median(values)) + spread;
}

function thousands(value: number): string {
  return Math.round(value).toLocaleString("en").replaceAll(",", " ");
}

function ms(value: number): string {
  return value.toFixed(value < 10 ? 1 : 0);
}

function row(cells: readonly string[]): string {
  return `| ${cells.join(" | ")} |`;
}
