/**
 * The table of a comparison, in Markdown: medians, and how many times as good as Erlang's. Quiet.
 *
 * @module
 */
import type { Contender } from "./contenders.ts";
import { median } from "./measure.ts";
import type { Results } from "./run.ts";
import { type Row, ROWS, type Run, timesAsGood, UNITS, written } from "./rows.ts";

/** The rows of these runs. */
export function table(results: Results, runs: readonly Run[]): string {
  const contenders = [...results.keys()];
  const erlang = contenders.find(({ name }) => name === "Erlang");
  const head = ["", "", ...contenders.map(({ name }) => name), "must"];
  const lines = ROWS.filter(({ run }) => runs.includes(run)).map((row) => {
    const base = erlang && middle(results, erlang, row);
    const cells = contenders.map((who) => cell(row, who, middle(results, who, row), base));
    return [row.title, row.unit, ...cells, must(row)];
  });
  const widths = head.map((_, i) => Math.max(...[head, ...lines].map((line) => line[i]!.length)));
  const draw = (line: readonly string[]): string =>
    `| ${
      line.map((text, i) => i < 2 ? text.padEnd(widths[i]!) : text.padStart(widths[i]!)).join(" | ")
    } |\n`;
  const rule = widths.map((width, i) => i < 2 ? "-".repeat(width) : `${"-".repeat(width - 1)}:`);
  return draw(head) + draw(rule) + lines.map(draw).join("");
}

/** The median; `undefined` if it was not measured. */
function middle(results: Results, who: Contender, row: Row): number | undefined {
  const ours = isOurs(who);
  const values = results.get(who)!.get(ours ? row.metric : row.peer ?? row.metric);
  return values && median(values);
}

function isOurs({ name }: Contender): boolean {
  return name.startsWith("Firn");
}

function cell(
  row: Row,
  who: Contender,
  value: number | undefined,
  base: number | undefined,
): string {
  if (value === undefined) return "";
  const figure = written(row.unit, value);
  const times = base === undefined || base === value
    ? undefined
    : timesAsGood(row.unit, value, base);
  const ratio = times === undefined ? "" : ` (${times.toFixed(1)}×)`;
  return `${figure}${ratio}${isOurs(who) && misses(row, value, times) ? " !" : ""}`;
}

/** Whether a figure of ours is not what it has to be. */
function misses({ times, limit, unit }: Row, value: number, reached: number | undefined): boolean {
  if (times !== undefined && reached !== undefined && reached < times) return true;
  if (limit === undefined) return false;
  return UNITS[unit].more ? value < limit : value > limit;
}

function must({ times, limit, unit }: Row): string {
  if (times !== undefined) return `${times}×`;
  if (limit === undefined) return "";
  return UNITS[unit].more ? `≥ ${limit}` : `≤ ${limit}`;
}
