/**
 * Interleaved rounds: each round executes each run with every contender in turn, so that other load
 * on the machine affects all of them alike.
 *
 * @module
 */
import { availableParallelism, cpus } from "node:os";
import process from "node:process";
import { readOptions, refuse } from "../command_line.ts";
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
  const given = readOptions(task, help, {
    values: { rounds: "5", only: undefined, calm: "0" },
    flags: ["json", ...flags],
  });
  const rounds = given.integer("rounds", 1, 999);
  const calmSeconds = given.number("calm", 0, 3600);
  const wanted = namesIn(task, given.value("only"), runs);
  return {
    rounds,
    runs: runs.filter((run) => wanted.includes(run)),
    calmSeconds,
    json: given.has("json"),
    flags: new Set(flags.filter((flag) => given.has(flag))),
  };
}

/**
 * Returns the names in a list with commas, or all names if the list is undefined. Exits if a name
 * is unknown.
 */
export function namesIn(
  task: string,
  list: string | undefined,
  names: readonly string[],
): readonly string[] {
  const wanted = list?.split(",").map((name) => name.trim()) ?? names;
  const unknown = wanted.find((name) => !names.includes(name));
  if (unknown !== undefined) {
    refuse(task, `--only has ${JSON.stringify(unknown)}: use ${names.join(", ")}`);
  }
  return wanted;
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
  const count = rounds === 1 ? "One round, a first look," : `Medians of ${rounds} rounds`;
  print(`${count} on ${machine}: ${titles}.\n\n${table.trimEnd()}`);
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
