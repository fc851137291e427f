// deno-lint-ignore-file no-console -- answers who asks
/**
 * What a bench beside servers was asked for: how many rounds, how long, how quiet, and which runs.
 *
 * @module
 */
import process from "node:process";
import { parseArgs } from "@std/cli/parse-args";
import { givenArguments } from "../scripts/given.ts";

/** The command line of a bench. */
export interface Asked {
  readonly rounds: number;
  readonly seconds: number;
  /** Seconds to wait at most for a quiet machine before each run. */
  readonly calm: number;
  /** True for a run that is wanted, by its name: the name has every `--only` in it. */
  wants(name: string): boolean;
}

/** What holds unless it is said otherwise. */
export interface Defaults {
  readonly rounds: number;
  readonly seconds: number;
  readonly secondsMin: number;
}

/** Ends the bench: what was asked for cannot be. */
export function refuse(bench: string, why: string): never {
  console.error(`${bench}: ${why}`);
  process.exit(2);
}

/** Reads the command line; prints the help and ends, if that is asked for. */
export function readAsked(bench: string, help: string, defaults: Defaults): Asked {
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
