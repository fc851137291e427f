/**
 * Compares global names of two Firn nodes, in separate processes on loopback over TLS, with those
 * of Erlang/OTP over TLS, in interleaved rounds, and prints a table of medians.
 *
 *     deno run -A bench/peers/global.ts --rounds 3
 *
 * @module
 */
import { execFileSync } from "node:child_process";
import process from "node:process";
import { endAll, measurePair, type Pair, preparePairs } from "./mesh_pairs.ts";
import { path } from "./programs.ts";
import {
  cellOf,
  makeRounds,
  printResults,
  readWanted,
  type Results,
  ROUNDS_HELP,
  say,
} from "./rounds.ts";
import { NOISE_RULE } from "../spread.ts";
import { draw } from "./table.ts";

/**
 * The compared metrics. `least` and `most` are the required minimum and maximum ratio to Erlang,
 * `limit` is the required maximum.
 */
const ROWS = [
  { metric: "whereis", title: "whereis", unit: "M/s", scale: 1e-6, least: 2 },
  { metric: "register.p50", title: "register, median", unit: "ms", scale: 1, most: 1 / 3 },
  { metric: "register.p99", title: "register, 99 of 100", unit: "ms", scale: 1, most: 1 / 3 },
  {
    metric: "sync",
    title: "100,000 names to a node that joins",
    unit: "ms",
    scale: 1,
    limit: 2000,
  },
  { metric: "sync.stall.near", title: "… longest stall, joining node", unit: "ms", scale: 1 },
  { metric: "sync.stall.far", title: "… longest stall, other node", unit: "ms", scale: 1 },
] as const;

/** Returns a pair of nodes with the command lines of this comparison. */
function ofNames(pair: Pair): Pair {
  const file = (word: string): string =>
    word.replace("mesh_firn.ts", "global_firn.ts").replace(/^mesh_actors$/, "global_names");
  return {
    ...pair,
    far: (turn) => pair.far(turn).map(file),
    near: (turn, run, far, farProcess) => pair.near(turn, run, far, farProcess).map(file),
  };
}

/** Compiles the Erlang program into the folder of the pair. */
function compile(pair: Pair): void {
  const line = pair.far(0);
  const folder = line[line.indexOf("-pa") + 1]!;
  const source = path("global_names.erl");
  execFileSync(process.env["ERLC"] ?? "erlc", ["-o", folder, source], { stdio: "inherit" });
}

const HELP = `Compares global names with Erlang's over TLS.

Usage: deno run -A bench/peers/global.ts [options]

  --rounds <number>  how often each is run (default 5)
${ROUNDS_HELP}
`;

const wanted = readWanted("global", HELP, ["trip"]);
const { pairs: all, absent, clear } = await preparePairs(false, false);
const pairs = all.filter(({ name }) => name !== "Erlang TCP").map(ofNames);
let results: Results<Pair>;
try {
  for (const pair of pairs) if (!pair.isOurs) compile(pair);
  results = await makeRounds(pairs, wanted, () => true, measurePair);
} finally {
  endAll();
  clear();
}

const erlang = pairs.find(({ isOurs }) => !isOurs);
const lines = ROWS.map((row) => {
  const { metric, title, unit, scale } = row;
  const theirs = erlang && results.get(erlang)!.get(metric);
  const must = "least" in row
    ? `≥ ${row.least}×`
    : "most" in row
    ? `≤ ${row.most.toFixed(2)}×`
    : "limit" in row
    ? `< ${row.limit}`
    : "";
  const texts = pairs.map((pair) => {
    const base = pair.isOurs ? theirs : undefined;
    return cellOf(results.get(pair)!.get(metric), base, (value) => (value * scale).toFixed(2));
  });
  return [title, unit, ...texts, must];
});
const table = draw(["", "", ...pairs.map(({ name }) => name), "must"], lines);
absent.forEach(say);
const note = `In brackets the ratio to Erlang's figure.\n${NOISE_RULE}`;
printResults(wanted.rounds, pairs, `${note}\n\n${table}`);
