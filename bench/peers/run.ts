/**
 * Compares the actors of Firn, Erlang/OTP, nact, Effect, actor-ts and noex, in interleaved rounds,
 * and prints tables of medians. `bench/RECORD.md` has the results.
 *
 *     deno task bench:peers
 *
 * Each run is a separate process.
 *
 * @module
 */
import { isTiny } from "../kit.ts";
import { measure, prepare } from "./contenders.ts";
import { tables } from "./report.ts";
import { makeRounds, printResults, readWanted, ROUNDS_HELP, say } from "./rounds.ts";
import { RUNS } from "./rows.ts";

const HELP = `Compares actors with Erlang's, nact's and others on this machine.

Usage: deno task bench:peers [options]

  --rounds <number>  how often each is run (default 5)
  --only <runs>      some runs only, by name, with commas between:
                     ${RUNS.slice(0, 7).join(" ")}
                     ${RUNS.slice(7).join(" ")}
${ROUNDS_HELP}

A round takes about four minutes. ERL, ERLC, BUN_BIN and DENO_BIN name the
programs, where they are not on the PATH. nact and Effect are fetched from the
npm registry into a temporary folder. actor-ts and noex are not in it: ACTOR_TS
and NOEX name folders with their sources, in which their packages are installed.
`;

const wanted = readWanted("bench:peers", HELP, RUNS);
const { contenders, absent } = prepare();
absent.forEach(say);
const rounds = isTiny() ? { ...wanted, rounds: 1, runs: wanted.runs.slice(0, 1) } : wanted;
const results = await makeRounds(
  contenders,
  rounds,
  (who, run) => who.command(run) !== undefined,
  measure,
);
printResults(rounds.rounds, contenders, tables(results, rounds.runs));
