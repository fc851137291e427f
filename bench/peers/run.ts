/**
 * Measures actors of ours beside Erlang/OTP's and nact's, in interleaved rounds, and prints the table
 * of medians. `bench/RECORD.md` keeps what came of it.
 *
 *     deno task bench:peers
 *
 * A round makes each run with every contender in turn, each in a process of its own, so that a busy
 * minute of the machine hits them all alike.
 *
 * @module
 */
import { availableParallelism, cpus } from "node:os";
import process from "node:process";
import { parseArgs } from "@std/cli/parse-args";
import { calm } from "./calm.ts";
import { type Contender, measure, prepare } from "./contenders.ts";
import { table } from "./report.ts";
import { type Run, RUNS } from "./rows.ts";

const HELP = `Compares actors with Erlang's and nact's on this machine.

Usage: deno task bench:peers [options]

  --rounds <number>  how often each is run (default 5)
  --only <runs>      some runs only, by name, with commas between:
                     ${RUNS.slice(0, 7).join(" ")}
                     ${RUNS.slice(7).join(" ")}
  --calm <seconds>   before each run, wait so long at the most for a machine that
                     has nothing else to do (default 0)
  --json             print every figure as a line of JSON before the table
  --help             show this

A round takes about two minutes. ERL, ERLC, BUN_BIN and DENO_BIN name the
programs, where they are not on the PATH. nact is fetched from the npm registry
into a temporary folder.
`;

function fail(words: string): never {
  process.stderr.write(`bench:peers: ${words}\n`);
  process.exit(1);
}

interface Options {
  readonly rounds: number;
  readonly runs: readonly Run[];
  readonly calmSeconds: number;
  readonly json: boolean;
}

function readOptions(): Options {
  const options = parseArgs(process.argv.slice(2), {
    string: ["rounds", "only", "calm"],
    boolean: ["json", "help"],
    default: { rounds: "5", only: RUNS.join(","), calm: "0" },
    unknown: (arg) => fail(`no such option: ${arg} (--help shows them)`),
  });
  if (options.help) {
    process.stdout.write(HELP);
    process.exit(0);
  }
  const rounds = /^\d{1,3}$/.test(options.rounds) ? Number(options.rounds) : 0;
  if (rounds < 1) fail(`--rounds is ${JSON.stringify(options.rounds)}: use 1 to 999`);
  const calmSeconds = /^\d{1,4}$/.test(options.calm) ? Number(options.calm) : NaN;
  if (Number.isNaN(calmSeconds)) fail(`--calm is ${JSON.stringify(options.calm)}: use 0 to 9999`);
  const wanted = options.only.split(",");
  const stranger = wanted.find((name) => !(RUNS as readonly string[]).includes(name));
  if (stranger !== undefined) {
    fail(`--only has ${JSON.stringify(stranger)}: use ${RUNS.join(", ")}`);
  }
  return {
    rounds,
    runs: RUNS.filter((run) => wanted.includes(run)),
    calmSeconds,
    json: options.json,
  };
}

/** Figures of a contender by metric, one of each round. */
export type Results = Map<Contender, Map<string, number[]>>;

async function main(): Promise<void> {
  const { rounds, runs, calmSeconds, json } = readOptions();
  const field = prepare();
  process.on("SIGINT", () => {
    field.clear();
    process.exit(130);
  });
  const say = (line: string): void => void process.stderr.write(`${line}\n`);
  for (const line of field.absent) say(line);
  const results: Results = new Map();
  for (const contender of field.contenders) results.set(contender, new Map());
  try {
    for (let round = 1; round <= rounds; round++) {
      for (const run of runs) {
        say(`round ${round} of ${rounds}: ${run}`);
        for (const contender of field.contenders) {
          if (contender.command(run) === undefined) continue;
          const busy = await calm(calmSeconds);
          if (busy > 0.1) say(`  ${contender.name}: ${(busy * 100).toFixed(0)} % used by others`);
          const figures = await measure(contender, run);
          if (typeof figures === "string") {
            say(`  ${contender.name} failed: ${figures}`);
            continue;
          }
          for (const [metric, value] of figures) {
            const all = results.get(contender)!;
            all.set(metric, [...all.get(metric) ?? [], value]);
            if (!json) continue;
            const { name } = contender;
            process.stdout.write(`${JSON.stringify({ round, contender: name, metric, value })}\n`);
          }
        }
      }
    }
  } finally {
    field.clear();
  }
  const machine = `${cpus()[0]?.model.trim()}, ${availableParallelism()} cores`;
  process.stdout.write(`\nMedians of ${rounds} on ${machine}\n`);
  for (const { title } of field.contenders) process.stdout.write(`  ${title}\n`);
  process.stdout.write(`\n${table(results, runs)}`);
}

await main();
