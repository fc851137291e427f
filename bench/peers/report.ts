/**
 * The table of the comparison of actors, in Markdown: medians, and ratios to Erlang. The result
 * depends only on the arguments.
 *
 * @module
 */
import type { Peer } from "./contenders.ts";
import { middle, type Results } from "./rounds.ts";
import { type Row, ROWS, type Run, timesAsGood, UNITS, written } from "./rows.ts";
import { draw } from "./table.ts";

/** Returns the rows of these runs. */
export function table(results: Results<Peer>, runs: readonly Run[]): string {
  const peers = [...results.keys()];
  const erlang = peers.find(({ name }) => name === "Erlang");
  const head = ["", "", ...peers.map(({ name }) => name), "must"];
  const lines = ROWS.filter(({ run }) => runs.includes(run)).map((row) => {
    const base = erlang && figure(results, erlang, row);
    const cells = peers.map((who) => cell(row, who, figure(results, who, row), base));
    return [row.title, row.unit, ...cells, must(row)];
  });
  return draw(head, lines);
}

/** Returns the result of a contender in a row, or undefined if it was not measured. */
function figure(results: Results<Peer>, who: Peer, { metric, peer }: Row): number | undefined {
  return middle(results, who, isOurs(who) ? metric : peer ?? metric);
}

function isOurs({ name }: Peer): boolean {
  return name.startsWith("Firn");
}

function cell(
  row: Row,
  who: Peer,
  value: number | undefined,
  base: number | undefined,
): string {
  if (value === undefined) return "";
  const text = written(row.unit, value);
  const times = base === undefined || base === value
    ? undefined
    : timesAsGood(row.unit, value, base);
  const ratio = times === undefined ? "" : ` (${times.toFixed(1)}×)`;
  return `${text}${ratio}${isOurs(who) && misses(row, value, times) ? " !" : ""}`;
}

/** Returns whether a result of Firn misses its target. */
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
