/**
 * Measures two nodes of ours, processes of their own on loopback over TLS, beside two of Erlang/OTP, in
 * interleaved rounds, and prints the table of medians. `bench/RECORD.md` keeps what came of it.
 *
 *     deno task bench:dist
 *
 * A round makes each run with every pair in turn, so that a busy minute of the machine hits them all
 * alike. Both nodes of a pair share the machine; where it has two cores, each may have one.
 *
 * @module
 */
import { availableParallelism, cpus } from "node:os";
import process from "node:process";
import { parseArgs } from "@std/cli/parse-args";
import { calm } from "./calm.ts";
import { endAll, measurePair, type Pair, preparePairs } from "./dist_pairs.ts";
import { distTable } from "./dist_report.ts";
import { DIST_RUNS, type DistRun } from "./dist_rows.ts";

const HELP = `Compares actors on two nodes with Erlang's over TLS and TCP, on this machine.

Usage: deno task bench:dist [options]

  --rounds <number>  how often each is run (default 5)
  --only <runs>      some runs only, by name, with commas between:
                     ${DIST_RUNS.join(" ")}
  --mixed            also with one node on Deno and the other on Bun
  --own              ours too with certificates on both sides; otherwise the
                     acceptor shows one, and both prove that they hold the cookie
  --calm <seconds>   before each run, wait so long at the most for a machine that
                     has nothing else to do (default 0)
  --json             print every figure as a line of JSON before the table
  --help             show this

A round takes about three minutes. ERL, ERLC, EPMD, BUN_BIN and DENO_BIN name
the programs, where they are not on the PATH. Erlang needs its ssl application.
`;

function fail(words: string): never {
  process.stderr.write(`bench:dist: ${words}\n`);
  process.exit(1);
}

interface Options {
  readonly rounds: number;
  readonly runs: readonly DistRun[];
  readonly mixed: boolean;
  readonly own: boolean;
  readonly calmSeconds: number;
  readonly json: boolean;
}

function readOptions(): Options {
  const options = parseArgs(process.argv.slice(2), {
    string: ["rounds", "only", "calm"],
    boolean: ["mixed", "own", "json", "help"],
    default: { rounds: "5", only: DIST_RUNS.join(","), calm: "0" },
    unknown: (arg) => fail(`no such option: ${arg} (--help shows them)`),
  });
  if (options.help) {
    process.stdout.write(HELP);
    process.exit(0);
  }
  const rounds = /^\d{1,2}$/.test(options.rounds) ? Number(options.rounds) : 0;
  if (rounds < 1) fail(`--rounds is ${JSON.stringify(options.rounds)}: use 1 to 99`);
  const calmSeconds = /^\d{1,4}$/.test(options.calm) ? Number(options.calm) : NaN;
  if (Number.isNaN(calmSeconds)) fail(`--calm is ${JSON.stringify(options.calm)}: use 0 to 9999`);
  const wanted = options.only.split(",");
  const stranger = wanted.find((name) => !(DIST_RUNS as readonly string[]).includes(name));
  if (stranger !== undefined) {
    fail(`--only has ${JSON.stringify(stranger)}: use ${DIST_RUNS.join(", ")}`);
  }
  const { mixed, own, json } = options;
  const runs = DIST_RUNS.filter((run) => wanted.includes(run));
  return { rounds, runs, mixed, own, calmSeconds, json };
}

async function main(): Promise<void> {
  const { rounds, runs, mixed, own, calmSeconds, json } = readOptions();
  const { pairs, absent, clear } = await preparePairs(mixed, own);
  const say = (line: string): void => void process.stderr.write(`${line}\n`);
  for (const signal of ["SIGINT", "SIGTERM"] as const) {
    process.on(signal, () => {
      endAll();
      clear();
      process.exit(130);
    });
  }
  for (const line of absent) say(line);
  const results = new Map<Pair, Map<string, number[]>>();
  for (const pair of pairs) results.set(pair, new Map());
  try {
    for (let round = 1; round <= rounds; round++) {
      for (const run of runs) {
        say(`round ${round} of ${rounds}: ${run}`);
        for (const pair of pairs) {
          if (pair.runs !== undefined && !pair.runs.includes(run)) continue;
          const busy = await calm(calmSeconds);
          if (busy > 0.1) say(`  ${pair.name}: ${(busy * 100).toFixed(0)} % used by others`);
          const figures = await measurePair(pair, run);
          if (typeof figures === "string") {
            say(`  ${pair.name} failed: ${figures}`);
            continue;
          }
          for (const [metric, value] of figures) {
            const all = results.get(pair)!;
            all.set(metric, [...all.get(metric) ?? [], value]);
            if (!json) continue;
            const line = JSON.stringify({ round, pair: pair.name, metric, value });
            process.stdout.write(`${line}\n`);
          }
        }
      }
    }
  } finally {
    endAll();
    clear();
  }
  const machine = `${cpus()[0]?.model.trim()}, ${availableParallelism()} cores`;
  process.stdout.write(`\nMedians of ${rounds} on ${machine}\n`);
  for (const { title } of pairs) process.stdout.write(`  ${title}\n`);
  process.stdout.write(`\n${distTable(results, runs)}`);
}

await main();
