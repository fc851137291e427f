/**
 * Compares two Firn nodes, in separate processes on loopback over TLS, with two nodes of
 * Erlang/OTP, in interleaved rounds, and prints a table of medians. `bench/RECORD.md` has the
 * results.
 *
 *     deno task bench:mesh
 *
 * Both nodes of a pair share the machine: with two cores, each may use one.
 *
 * @module
 */
import process from "node:process";
import { endAll, measurePair, preparePairs } from "./mesh_pairs.ts";
import { distTable } from "./mesh_report.ts";
import { DIST_RUNS } from "./mesh_rows.ts";
import { makeRounds, printResults, readWanted, ROUNDS_HELP, say } from "./rounds.ts";

const HELP = `Compares actors on two nodes with Erlang's over TLS and TCP, on this machine.

Usage: deno task bench:mesh [options]

  --rounds <number>  how often each is run (default 5)
  --only <runs>      some runs only, by name, with commas between:
                     ${DIST_RUNS.join(" ")}
  --mixed            also with one node on Deno and the other on Bun
  --own              ours too with certificates on both sides; otherwise the
                     acceptor shows one, and both prove that they hold the cookie
${ROUNDS_HELP}

A round takes about three minutes. ERL, ERLC, EPMD, BUN_BIN and DENO_BIN name
the programs, where they are not on the PATH. Erlang needs its ssl application.
`;

const wanted = readWanted("bench:mesh", HELP, DIST_RUNS, ["mixed", "own"]);
const { flags } = wanted;
const { pairs, absent, clear } = await preparePairs(flags.has("mixed"), flags.has("own"));
for (const signal of ["SIGINT", "SIGTERM"] as const) {
  process.on(signal, () => {
    endAll();
    clear();
    process.exit(130);
  });
}
absent.forEach(say);
try {
  const results = await makeRounds(
    pairs,
    wanted,
    ({ runs }, run) => runs?.includes(run) ?? true,
    measurePair,
  );
  printResults(wanted.rounds, pairs, distTable(results, wanted.runs));
} finally {
  endAll();
  clear();
}
