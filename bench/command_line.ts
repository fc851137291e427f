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

/** Parses the command line. With `--help`, prints the help and exits. */
export function readCommandLine(bench: string, help: string, defaults: Defaults): CommandLine {
  const options = parseArgs(givenArguments(), {
    boolean: ["help"],
    string: ["rounds", "seconds", "calm", "only"],
    collect: ["only"],
    default: { rounds: `${defaults.rounds}`, seconds: `${defaults.seconds}`, calm: "0" },
    unknown: (word) => refuse(bench, `no such option: ${word} (--help shows them)`),
  });
  if (options.help) {
    console.log(help);
    process.exit(0);
  }
  const number = (option: "rounds" | "seconds" | "calm", least: number, most: number): number => {
    const value = Number(options[option]);
    if (value >= least && value <= most) return value;
    const given = JSON.stringify(options[option]);
    return refuse(bench, `--${option} is from ${least} to ${most}, not ${given}`);
  };
  const only = (options.only as readonly string[]).filter(Boolean);
  return {
    rounds: number("rounds", 1, 50),
    seconds: number("seconds", defaults.secondsMin, 60),
    calm: number("calm", 0, 3600),
    wants: (name) => only.every((text) => name.includes(text)),
  };
}
