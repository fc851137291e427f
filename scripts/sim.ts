/**
 * Runs the workloads that check Firn's guarantees in the simulator, for many seeds.
 *
 *     deno task sim                          200 seeds
 *     deno task sim --seeds 100000
 *     deno task sim --seed 17 --trace        one seed again, with all its events
 *
 * @module
 */
import process from "node:process";
import { parseArgs } from "@std/cli/parse-args";
import { SimulationError, traceText } from "../lib/simulate.ts";
import { chaos } from "../tests/sim/chaos.ts";
import { PROMISES, promisesOf } from "../tests/sim/promises/all.ts";
import { givenArguments } from "./command_arguments.ts";

const HELP = `Runs a random cluster under random faults for each seed, and looks at the promises.

Usage: deno task sim [options]

  --seeds <number>   how many seeds (default 200)
  --from <number>    the first of them (default 1)
  --seed <number>    only this one
  --only <promises>  some promises only, with commas between:
                     ${Object.keys(PROMISES).join(" ")}
  --ms <number>      how long the faults go on, in virtual milliseconds (default 20000)
  --calm             without faults
  --trace            print everything that happened, a column for each node
  --help             show this

A seed is one history: the same events on every machine, on Deno and on Bun. The last line has a hash of
all of them. Exit status 1: a promise was broken; what replays it is printed.
`;

function fail(words: string): never {
  process.stderr.write(`sim: ${words}\n`);
  process.exit(2);
}

function whole(name: string, text: string | undefined, most: number): number | undefined {
  if (text === undefined) return undefined;
  const value = /^\d{1,10}$/.test(text) ? Number(text) : NaN;
  if (value >= 1 && value <= most) return value;
  return fail(`--${name} is ${JSON.stringify(text)}: use 1 to ${most}`);
}

const args = parseArgs(givenArguments(), {
  string: ["seeds", "from", "seed", "only", "ms"],
  boolean: ["calm", "trace", "help"],
  unknown: (arg) => fail(`no such option: ${arg} (--help shows them)`),
});
if (args.help) {
  process.stdout.write(HELP);
  process.exit(0);
}
const one = whole("seed", args.seed, 2 ** 32);
const from = one ?? whole("from", args.from, 2 ** 32) ?? 1;
const count = one === undefined ? whole("seeds", args.seeds, 1e8) ?? 200 : 1;
const ms = whole("ms", args.ms, 86_400_000) ?? 20_000;
const wanted = args.only?.split(",") ?? Object.keys(PROMISES);
const stranger = wanted.find((name) => !Object.hasOwn(PROMISES, name));
if (stranger !== undefined) {
  fail(`--only has ${JSON.stringify(stranger)}: use ${Object.keys(PROMISES).join(", ")}`);
}

/** A hash of the hashes of all seeds so far. */
let hash = 0;
let steps = 0;
let virtualMs = 0;
let broken = 0;
const began = performance.now();
let received = began;
for (let seed = from; seed < from + count; seed++) {
  try {
    const result = await chaos(seed, promisesOf(seed, wanted), {
      ms,
      calm: args.calm,
      trace: args.trace,
    });
    for (const letter of result.hash) hash = Math.imul(hash ^ letter.charCodeAt(0), 0x01000193);
    steps += result.steps;
    virtualMs += result.ms;
    if (args.trace) process.stdout.write(`${traceText(result.trace)}\n`);
  } catch (error) {
    if (!(error instanceof SimulationError)) throw error;
    broken++;
    if (args.trace) process.stdout.write(`${traceText(error.trace)}\n`);
    const only = args.only === undefined ? "" : ` --only ${args.only}`;
    process.stdout.write(
      `${error.message}\n  replay: deno task sim --seed ${seed}${only} --trace\n`,
    );
  }
  const now = performance.now();
  if (now - received < 2_000) continue;
  received = now;
  const done = seed - from + 1;
  process.stderr.write(`sim: ${done} of ${count} seeds, ${broken} broken\n`);
}
const seconds = (performance.now() - began) / 1000;
process.stdout.write(
  `${count} seeds, ${broken} broken; ${steps} events, ${
    Math.round(virtualMs / 1000)
  } s of virtual ` +
    `time in ${seconds.toFixed(1)} s; hash ${(hash >>> 0).toString(16).padStart(8, "0")}\n`,
);
process.exit(broken > 0 ? 1 : 0);
