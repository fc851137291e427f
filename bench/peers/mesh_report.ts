/**
 * The table of the comparison between nodes, in Markdown: medians, and their ratio to Erlang's over
 * TLS. The result depends only on the arguments.
 *
 * @module
 */
import type { Pair } from "./mesh_pairs.ts";
import { DIST_ROWS, DIST_UNITS, type DistRow, type DistRun } from "./mesh_rows.ts";
import { median, NOISE_RULE } from "../spread.ts";
import { cellOf, type Results } from "./rounds.ts";
import { draw } from "./table.ts";

/** Returns a table with the metrics of these runs. */
export function distTable(results: Results<Pair>, runs: readonly DistRun[]): string {
  const pairs = [...results.keys()];
  const called = (name: string): Pair | undefined => pairs.find((pair) => pair.name === name);
  const tls = called("Erlang TLS");
  const tcp = called("Erlang TCP");
  const head = ["", "", ...pairs.map(({ name }) => name), "must"];
  const lines = DIST_ROWS.filter(({ run }) => runs.includes(run)).map((row) => {
    const base = tls && results.get(tls)!.get(row.metric);
    const overTcp = tcp && results.get(tcp)!.get(row.metric);
    const cells = pairs.map((pair) => {
      return cell(row, pair, results.get(pair)!.get(row.metric), base, overTcp && median(overTcp));
    });
    return [row.title, row.unit, ...cells, must(row)];
  });
  const note = "In brackets the ratio to Erlang's figure over TLS; !: misses the target.";
  return `${note}\n${NOISE_RULE}\n\n${draw(head, lines)}`;
}

function cell(
  row: DistRow,
  pair: Pair,
  values: readonly number[] | undefined,
  overTls: readonly number[] | undefined,
  overTcp: number | undefined,
): string {
  if (values === undefined) return "";
  const { scale, digits } = DIST_UNITS[row.unit];
  const text = cellOf(values, pair.isOurs ? overTls : undefined, (value) => {
    return (value * scale).toFixed(digits);
  });
  const isShort = pair.isOurs && misses(row, median(values), overTls && median(overTls), overTcp);
  return `${text}${isShort ? " !" : ""}`;
}

/** Returns whether a result of Firn misses its target. */
function misses(
  { unit, tls, tcp, limit }: DistRow,
  value: number,
  overTls: number | undefined,
  overTcp: number | undefined,
): boolean {
  const isShort = (bound: number): boolean => DIST_UNITS[unit].more ? value < bound : value > bound;
  return (tls !== undefined && overTls !== undefined && isShort(tls * overTls)) ||
    (tcp !== undefined && overTcp !== undefined && isShort(tcp * overTcp)) ||
    (limit !== undefined && isShort(limit));
}

function must({ unit, tls, tcp, limit }: DistRow): string {
  const sign = DIST_UNITS[unit].more ? "≥" : "≤";
  const parts: string[] = [];
  if (tls !== undefined) parts.push(`${sign} ${tls}×`);
  if (tcp !== undefined) parts.push(`${sign} ${tcp === 1 ? "" : `${tcp}× `}TCP`);
  if (limit !== undefined) parts.push(`${sign} ${limit}`);
  return parts.join(", ");
}
