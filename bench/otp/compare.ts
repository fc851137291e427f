/**
 * Compares restarts of Firn and Erlang, in interleaved rounds, each in a separate process, and
 * prints the medians. `bench/RECORD.md` has the results.
 *
 *     deno run -A bench/otp/compare.ts --rounds 5
 *
 * A burst ends a hundred children at once: by `kill`, or by an error that each throws, whose stack
 * is then part of the report. The supervisor counts the restarts of one burst only. "Sustained" is
 * one burst after another, with ten thousand restarts of killed children. Measured is the time from
 * the first exit until the last child runs again, divided by the number of restarts, in
 * microseconds.
 *
 * @module
 */
import { execFileSync } from "node:child_process";
import process from "node:process";
import { fileURLToPath } from "node:url";
import { report, seconds } from "../peers/measure.ts";
import { temporaryFolder } from "../peers/packages.ts";
import { bun, deno, runProgram, version } from "../peers/programs.ts";
import {
  cellOf,
  type Contender,
  makeRounds,
  printResults,
  readWanted,
  ROUNDS_HELP,
  say,
} from "../peers/rounds.ts";
import { draw } from "../peers/table.ts";
import { median, NOISE_RULE } from "../spread.ts";
import { Restarts } from "./restarts.ts";

const CHILDREN = 100;
const BURSTS = 9;
const SUSTAINED = 100;

/** Measures Firn in this process. */
async function ours(): Promise<void> {
  for (const end of ["kill", "throw"] as const) {
    const times: number[] = [];
    // The first half warms up the compiler.
    for (let i = 0; i < 2 * BURSTS; i++) {
      const restarts = await Restarts.start(CHILDREN, "service");
      await restarts.burst(end);
      const time = await seconds(() => restarts.burst(end));
      if (i >= BURSTS) times.push(time);
      restarts.stop();
    }
    report(end, median(times) * 1e6 / CHILDREN);
  }
  const restarts = await Restarts.start(CHILDREN, "service");
  const sustained = await seconds(async () => {
    for (let i = 0; i < SUSTAINED; i++) await restarts.burst("kill");
  });
  report("sustained", sustained * 1e6 / (CHILDREN * SUSTAINED));
  restarts.stop();
}

/** A contender of this comparison. */
interface Peer extends Contender {
  readonly line: readonly string[];
}

const ROWS = { kill: "killed", throw: "threw an error", sustained: "killed, 10,000 in a row" };

const HELP = `Compares restarts with Erlang's, in microseconds.

Usage: deno run -A bench/otp/compare.ts [options]

  --rounds <number>  how often each is run (default 5)
${ROUNDS_HELP}
`;

async function compare(): Promise<void> {
  const wanted = readWanted("otp/compare", HELP, ["restarts"]);
  const here = (name: string): string => fileURLToPath(new URL(name, import.meta.url));
  const own = [here("compare.ts"), "ours"];
  const peers: Peer[] = [];
  const add = (name: string, version: string | undefined, line: readonly string[]): void => {
    if (version === undefined) say(`${name} is left out: it is not on the PATH.`);
    else peers.push({ name, title: `${name} ${version}`, line });
  };
  add("Firn Deno", version(deno, "--version"), [deno, "run", "-A", "--no-check", ...own]);
  add("Firn Bun", version(bun, "--version"), [bun, ...own]);
  const erl = process.env["ERL"] ?? "erl";
  const print = 'io:format("~s", [erlang:system_info(otp_release)]), halt().';
  const release = version(erl, "-noshell", "-eval", print);
  const folder = temporaryFolder("restart");
  if (release !== undefined) {
    execFileSync(process.env["ERLC"] ?? "erlc", ["-o", folder, here("restart.erl")]);
  }
  add("Erlang", release, [
    erl,
    ..."-noshell -noinput -start_epmd false -pa".split(" "),
    folder,
    ..."-s restart main -extra".split(" "),
    ...[CHILDREN, BURSTS, SUSTAINED].map(String),
  ]);
  const results = await makeRounds(peers, wanted, () => true, ({ line }) => runProgram(line));
  const erlang = peers.find(({ name }) => name === "Erlang");
  const lines = Object.entries(ROWS).map(([metric, title]) => {
    const base = erlang && results.get(erlang)!.get(metric);
    const cells = peers.map((peer) => {
      return cellOf(results.get(peer)!.get(metric), base, (value) => value.toFixed(1));
    });
    return [title, "µs", ...cells];
  });
  const table = draw(["", "", ...peers.map(({ name }) => name)], lines);
  const note = `In brackets the ratio to Erlang's figure.\n${NOISE_RULE}`;
  printResults(wanted.rounds, peers, `${note}\n\n${table}`);
}

if (process.argv[2] === "ours") await ours();
else await compare();
