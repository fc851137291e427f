// deno-lint-ignore-file no-console -- prints help and errors
/**
 * The command line of comparisons: number of rounds, duration, idle check, and selected runs.
 *
 * @module
 */
import process from "node:process";
import { parseArgs } from "@std/cli/parse-args";
import { givenArguments } from "../scripts/command_arguments.ts";

/** The parsed command line. */
export interface CommandLine {
  readonly rounds: number;
  readonly seconds: number;
  /** Maximum time in seconds to wait for an idle machine before each run. */
  readonly calm: number;
  /** Returns whether a run is selected: its name contains every `--only`. */
  wants(name: string): boolean;
}

/** Defaults of the command line. */
export interface Defaults {
  readonly rounds: number;
  readonly seconds: number;
  readonly secondsMin: number;
}

/** Prints why the command line is invalid, and exits. */
export function refuse(bench: string, why: string): never {
  console.error(`${bench}: ${why}`);
  process.exit(2);
}

/** The options of a bench by name. */
export interface Options {
  /** Options with a value, each with its default. */
  readonly values?: Readonly<Record<string, string | undefined>>;
  /** Options without a value. */
  readonly flags?: readonly string[];
  /**
   * Default of a number that is accepted in addition to the options. Without a default, a number is
   * rejected.
   */
  readonly count?: number;
}

/** The given options, or their defaults. */
export interface Given {
  /** Returns all values of an option, in the given order. */
  all(option: string): readonly string[];
  /** Returns the last value of an option; undefined if it has neither a value nor a default. */
  value(option: string): string | undefined;
  /** Returns the value of an option as a number. Exits if the value is not within the limits. */
  number(option: string, least: number, most: number): number;
  /** Returns the value of an option as an integer. Exits if the value is not within the limits. */
  integer(option: string, least: number, most: number): number;
  /** Returns whether an option without a value is given. */
  has(flag: string): boolean;
  /** The number given in addition to the options, or its default. */
  readonly count: number;
}

/**
 * Parses the command line. Exits with status 2 if an option is unknown, lacks its value or has one
 * that it does not take. With `--help`, prints the help and exits.
 */
export function readOptions(bench: string, help: string, options: Options): Given {
  const { values = {}, flags = [] } = options;
  const names = Object.keys(values);
  const booleans = ["help", ...flags];
  const given = givenArguments();
  for (const word of given) {
    const [, flag] = /^--([^=]+)=/.exec(word) ?? [];
    if (flag !== undefined && booleans.includes(flag)) refuse(bench, `--${flag} takes no value`);
  }
  const parsed = parseArgs(given, {
    boolean: booleans,
    string: [...names, "_"],
    collect: names,
    unknown: (word, option) => {
      if (option === undefined && options.count !== undefined) return true;
      return refuse(bench, `no such option: ${word} (--help shows them)`);
    },
  }) as unknown as Readonly<Record<string, boolean | readonly string[]>>;
  if (parsed["help"]) {
    console.log(help.trimEnd());
    process.exit(0);
  }
  const all = (option: string): readonly string[] => {
    const found = parsed[option] as readonly string[];
    const fallback = values[option];
    return found.length === 0 && fallback !== undefined ? [fallback] : found;
  };
  const number = (option: string, least: number, most: number, isInteger = false): number => {
    const text = all(option).at(-1)!;
    const value = /^\d+(\.\d+)?$/.test(text) ? Number(text) : NaN;
    if (value >= least && value <= most && !(isInteger && value % 1 !== 0)) return value;
    const kind = isInteger ? "an integer" : "a number";
    const range = most === Infinity ? `of at least ${least}` : `from ${least} to ${most}`;
    return refuse(bench, `--${option} is ${JSON.stringify(text)}: use ${kind} ${range}`);
  };
  for (const name of names) {
    if (all(name).includes("")) refuse(bench, `--${name} needs a value (--help)`);
  }
  const words = parsed["_"] as readonly string[];
  const [count = `${options.count ?? 0}`] = words;
  if (words.length > 1 || !/^\d+$/.test(count)) {
    refuse(bench, `not one integer: ${words.join(" ")} (--help)`);
  }
  return {
    all,
    value: (option) => all(option).at(-1),
    number: (option, least, most) => number(option, least, most),
    integer: (option, least, most) => number(option, least, most, true),
    has: (flag) => parsed[flag] === true,
    count: Number(count),
  };
}

/** Parses the command line of a bench with rounds. With `--help`, prints the help and exits. */
export function readCommandLine(bench: string, help: string, defaults: Defaults): CommandLine {
  const { rounds, seconds, secondsMin } = defaults;
  const given = readOptions(bench, help, {
    values: { rounds: `${rounds}`, seconds: `${seconds}`, calm: "0", only: undefined },
  });
  const only = given.all("only");
  return {
    rounds: given.integer("rounds", 1, 50),
    seconds: given.number("seconds", secondsMin, 60),
    calm: given.number("calm", 0, 3600),
    wants: (name) => only.every((text) => name.includes(text)),
  };
}
