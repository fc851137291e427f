/**
 * Interleaved rounds: each round executes each run with every contender in turn, so that other load
 * on the machine affects all of them alike.
 *
 * @module
 */
import { availableParallelism, cpus } from "node:os";
import process from "node:process";
import { parseArgs } from "@std/cli/parse-args";
import { givenArguments } from "../../scripts/command_arguments.ts";
import { Others } from "../cpu.ts";
import { calm } from "./calm.ts";
import { median, timesOf } from "../spread.ts";
import type { Figures } from "./programs.ts";

/** The part of the help that all comparisons share. */
export const ROUNDS_HELP =
  `  --calm <seconds>   maximum time to wait before each run until the machine is
                     idle (default 0)
  --json             print every figure as a line of JSON before the table
  --help             show this`;

/** The parsed command line. */
export interface Wanted<Run extends string> {
  readonly rounds: number;
  readonly runs: readonly Run[];
  readonly calmSeconds: number;
  readonly json: boolean;
  /** The given flags that are specific to this comparison. */
  readonly flags: ReadonlySet<string>;
}

/** Parses the command line. Exits if it is invalid, and after `--help`. */
export function readWanted<Run extends string>(
  task: string,
  help: string,
  runs: readonly Run[],
  flags: readonly string[] = [],
): Wanted<Run> {
  const fail = (words: string): never => {
    process.stderr.write(`${task}: ${words}\n`);
    process.exit(1);
  };
  const options = parseArgs(givenArguments(), {
    string: ["rounds", "only", "calm"],
    boolean: ["json", "help", ...flags],
    default: { rounds: "5", only: runs.join(","), calm: "0" },
    unknown: (arg) => fail(`no such option: ${arg} (--help shows them)`),
  }) as Record<string, unknown>;
  if (options["help"]) {
    process.stdout.write(help);
    process.exit(0);
  }
  const number = (name: string, least: number, most: number): number => {
    const text = String(options[name]);
    const value = /^\d{1,4}$/.test(text) ? Number(text) : NaN;
    if (value >= least && value <= most) return value;
    return fail(`--${name} is ${JSON.stringify(text)}: use ${least} to ${most}`);
  };
  const rounds = number("rounds", 1, 999);
  const calmSeconds = number("calm", 0, 9999);
  const wanted = String(options["only"]).split(",");
  const stranger = wanted.find((name) => !(runs as readonly string[]).includes(name));
  if (stranger !== undefined) {
    fail(`--only has ${JSON.stringify(stranger)}: use ${runs.join(", ")}`);
  }
  return {
    rounds,
    runs: runs.filter((run) => wanted.includes(run)),
    calmSeconds,
    json: options["json"] === true,
    flags: new Set(flags.filter((flag) => options[flag] === true)),
  };
}

/** A measured program. */
export interface Contender {
  readonly name: string;
  /** The name and the version of the program. */
  readonly title: string;
}

/** The results of each contender by metric, one per round. */
export type Results<Who> = ReadonlyMap<Who, Map<string, number[]>>;

/**
 * Executes the rounds. `measure` resolves to results, to the reason of a failure, or to undefined
 * if the contender does not support the run.
 */
export async function makeRounds<Who extends Contender, Run extends string>(
  contenders: readonly Who[],
  { rounds, runs, calmSeconds, json }: Omit<Wanted<Run>, "flags">,
  takesPart: (who: Who, run: Run) => boolean,
  measure: (who: Who, run: Run) => Promise<Figures | string>,
): Promise<Results<Who>> {
  const results = new Map(contenders.map((who) => [who, new Map<string, number[]>()]));
  for (let round = 1; round <= rounds; round++) {
    for (const run of runs) {
      say(`round ${round} of ${rounds}: ${run}`);
      for (const [who, all] of results) {
        if (!takesPart(who, run)) continue;
        await calm(calmSeconds);
        const others = new Others();
        const figures = await measure(who, run);
        const use = others.use();
        if (use > 0.1) say(`  ${who.name}: others use ${(use * 100).toFixed(0)} %`);
        if (typeof figures === "string") {
          say(`  ${who.name} failed: ${figures}`);
          continue;
        }
        for (const [metric, value] of figures) {
          all.set(metric, [...all.get(metric) ?? [], value]);
          if (json) print(JSON.stringify({ round, contender: who.name, metric, value }));
        }
      }
    }
  }
  return results;
}

/** Prints the machine, the contenders and the table. */
export function printResults(rounds: number, who: Iterable<Contender>, table: string): void {
  const titles = [...who].map(({ title }) => title).join(", ");
  const machine = `${cpus()[0]?.model.trim()}, ${availableParallelism()} cores`;
  print(`Medians of ${rounds} rounds on ${machine}: ${titles}.\n\n${table.trimEnd()}`);
}

/** Prints a line of progress. */
export function say(line: string): void {
  process.stderr.write(`${line}\n`);
}

function print(line: string): void {
  process.stdout.write(`${line}\n`);
}

/**
 * Returns a cell of a table: the median, and in brackets its ratio to `base` in the same rounds.
 */
export function cellOf(
  values: readonly number[] | undefined,
  base: readonly number[] | undefined,
  format: (value: number) => string,
): string {
  if (values === undefined) return "";
  const text = format(median(values));
  if (base === undefined || base === values) return text;
  return `${text} (${timesOf(values, base, (times) => times < 1 ? 2 : 1)})`;
}
