/**
 * Compares the actors of Firn, Erlang/OTP and nact, in interleaved rounds, and prints a table of
 * medians. `bench/RECORD.md` has the results.
 *
 *     deno task bench:peers
 *
 * Each run is a separate process.
 *
 * @module
 */
import process from "node:process";
import { measure, prepare } from "./contenders.ts";
import { table } from "./report.ts";
import { makeRounds, printResults, readWanted, ROUNDS_HELP, say } from "./rounds.ts";
import { RUNS } from "./rows.ts";

const HELP = `Compares actors with Erlang's and nact's on this machine.

Usage: deno task bench:peers [options]

  --rounds <number>  how often each is run (default 5)
  --only <runs>      some runs only, by name, with commas between:
                     ${RUNS.slice(0, 7).join(" ")}
                     ${RUNS.slice(7).join(" ")}
${ROUNDS_HELP}

A round takes about two minutes. ERL, ERLC, BUN_BIN and DENO_BIN name the
programs, where they are not on the PATH. nact is fetched from the npm registry
into a temporary folder.
`;

const wanted = readWanted("bench:peers", HELP, RUNS);
const { contenders, absent, clear } = prepare();
process.on("SIGINT", () => {
  clear();
  process.exit(130);
});
absent.forEach(say);
try {
  const results = await makeRounds(
    contenders,
    wanted,
    (who, run) => who.command(run) !== undefined,
    measure,
  );
  printResults(wanted.rounds, contenders, table(results, wanted.runs));
} finally {
  clear();
}
