/**
 * The tables of the comparison of actors, in Markdown: medians, and ratios to Erlang, or to Firn on
 * the same runtime. The result depends only on the arguments.
 *
 * @module
 */
import { isNoise, median, NOISE_RULE, ratios } from "../spread.ts";
import type { Peer } from "./contenders.ts";
import type { Results } from "./rounds.ts";
import { type Row, ROWS, type Run, UNITS, written } from "./rows.ts";
import { draw } from "./table.ts";

/** Returns a table of Firn and Erlang, and one of the libraries for each runtime. */
export function tables(results: Results<Peer>, runs: readonly Run[]): string {
  const peers = [...results.keys()];
  const ofKind = (kind: Peer["kind"]): Peer[] => peers.filter((peer) => peer.kind === kind);
  const [erlang] = ofKind("erlang");
  const parts = [
    "In brackets how many times as good as Erlang in the same rounds; !: misses the target.\n" +
    `${NOISE_RULE}\n\n${table(results, runs, [...ofKind("firn"), ...ofKind("erlang")], erlang)}`,
  ];
  for (const firn of ofKind("firn")) {
    const libraries = ofKind("library").filter(({ runtime }) => runtime === firn.runtime);
    if (libraries.length === 0) continue;
    const text = table(results, runs, [firn, ...libraries], firn);
    parts.push(`In brackets how many times as good as Firn, on ${firn.runtime}:\n\n${text}`);
  }
  return parts.join("\n");
}

/**
 * Returns a table of `peers`. Omits a row that was measured for none of them or, in a table with
 * ratios to Firn, only for Firn.
 */
function table(
  results: Results<Peer>,
  runs: readonly Run[],
  peers: readonly Peer[],
  base: Peer | undefined,
): string {
  const hasErlang = base?.kind === "erlang";
  const lines = ROWS.filter(({ run }) => runs.includes(run)).flatMap((row) => {
    const all = peers.map((peer) => measured(results, peer, row));
    const others = base?.kind === "firn" ? all.slice(1) : all;
    if (others.every((values) => values === undefined)) return [];
    const against = base && measured(results, base, row);
    const cells = peers.map((peer, i) =>
      cell(row, peer, all[i], peer === base ? undefined : against)
    );
    return [[row.title, row.unit, ...cells, ...hasErlang ? [must(row)] : []]];
  });
  return draw(["", "", ...peers.map(({ name }) => name), ...hasErlang ? ["must"] : []], lines);
}

/** Returns the results of a contender in a row, or undefined if it was not measured. */
function measured(
  results: Results<Peer>,
  who: Peer,
  { metric, peer }: Row,
): readonly number[] | undefined {
  return results.get(who)!.get(who.kind === "firn" ? metric : peer ?? metric);
}

function cell(
  row: Row,
  who: Peer,
  values: readonly number[] | undefined,
  base: readonly number[] | undefined,
): string {
  if (values === undefined) return "";
  const text = written(row.unit, median(values));
  let times: number | undefined;
  let ratio = "";
  if (base !== undefined) {
    times = median(UNITS[row.unit].more ? ratios(values, base) : ratios(base, values));
    ratio = ` (${isNoise(values, base) ? "≈ " : ""}${times.toFixed(times < 1 ? 2 : 1)}×)`;
  }
  const isShort = who.kind === "firn" && misses(row, median(values), times);
  return `${text}${ratio}${isShort ? " !" : ""}`;
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
