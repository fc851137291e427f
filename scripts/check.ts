// deno-lint-ignore-file no-console
/**
 * Runs every check of CI from a clean clone, with only Deno installed:
 *
 *     deno task test                       all of it
 *     deno task test --quick               without Bun and without the benches
 *     deno task test --only fmt,lint,deno  these stages
 *     deno task test tests/otp             these tests, on both runtimes
 *     deno task test --std=jsr             with the genuine @std packages, in place of the local ones
 *
 * Each stage is a list of commands. Commands of all stages run at the same time: three more of them
 * than there are cores, because many of them wait. Tests that measure time run afterwards, alone. A
 * command that fails does not stop the others. A stage is reported when its last command has ended,
 * with the total time of its commands; the longest commands are printed at the end. The last line
 * is `N passed, N failed`.
 *
 * @module
 */
import { existsSync } from "node:fs";
import { parseArgs } from "@std/cli/parse-args";
import { run } from "./check/command.ts";
import { type Stage, STAGES, stagesOf } from "./check/stages.ts";
import { withGenuineStd } from "./check/std.ts";
import { runPool } from "./check/pool.ts";
import { complaintOf, sentence, sum, type Tally, tallyOf } from "./check/tally.ts";
import { findTools } from "./check/tools.ts";
import { givenArguments } from "./command_arguments.ts";

const HELP = `Checks everything that CI checks.

Usage: deno task test [options] [path …]

  path              test files or folders: only these run, on Deno and on Bun

  --only <stage,…>  run these stages only
  --quick           leave out what takes long: Bun, mixed processes, benches
  --jobs <number>   commands at the same time; default: the number of cores and three
  --std=jsr         use the genuine @std packages (JSR must be reachable), on Deno
  --verbose         show what every stage prints, not only the failed ones
  --help            show this

Stages:
${STAGES.map(({ name, title }) => `  ${name.padEnd(10)} ${title}`).join("\n")}`;

/** Number of the longest commands that are printed at the end. */
const SLOWEST_SHOWN = 8;
/** Maximum number of characters that are shown of each of these commands. */
const SLOWEST_CHARS_MAX = 100;

const tty = Deno.stdout.isTerminal();
const colour = tty && !Deno.noColor;
const green = (text: string): string => colour ? `\x1b[32m${text}\x1b[0m` : text;
const red = (text: string): string => colour ? `\x1b[31m${text}\x1b[0m` : text;

/** Exits with a message about an invalid command line. */
function refuse(why: string): never {
  console.error(`${why}\n\n${HELP}`);
  Deno.exit(2);
}

/** The parsed command line. */
interface CheckOptions {
  readonly stages: readonly Stage[];
  readonly jobs: number;
  readonly verbose: boolean;
  readonly isGenuine: boolean;
}

function readOptions(): CheckOptions {
  const args = parseArgs(givenArguments(), {
    string: ["only", "std", "jobs"],
    boolean: ["quick", "verbose", "help"],
    collect: ["only"],
    unknown: (arg) => !arg.startsWith("-") || refuse(`No such option: ${arg}`),
  });
  if (args.help) {
    console.log(HELP);
    Deno.exit(0);
  }
  const only = args.only.flatMap((names) => names.split(",")).filter(Boolean);
  for (const name of only) {
    if (!STAGES.some((stage) => stage.name === name)) refuse(`No such stage: ${name}`);
  }
  const isGenuine = args.std !== undefined;
  if (isGenuine && args.std !== "jsr") refuse(`--std is ${args.std}: there is only --std=jsr`);
  const jobs = args.jobs === undefined ? navigator.hardwareConcurrency + 3 : Number(args.jobs);
  if (!Number.isInteger(jobs) || jobs < 1) refuse(`--jobs is ${args.jobs}: use a number from 1`);
  const paths = args._.map(String);
  for (const path of paths) {
    if (!existsSync(path)) refuse(`No such file or folder: ${path}`);
  }
  const wanted = (paths.length > 0 ? stagesOf(paths) : STAGES).filter(({ name, slow }) =>
    only.length > 0 ? only.includes(name) : !(args.quick && slow)
  );
  // Bun resolves @std by tsconfig.json to the local packages.
  const stages = wanted.filter(({ needsBun }) => !(isGenuine && needsBun));
  return { stages, jobs, verbose: args.verbose, isGenuine };
}

/** A running stage with the results of its commands so far. */
interface Progress {
  readonly stage: Stage;
  readonly size: number;
  readonly tallies: Tally[];
  failures: string;
  ms: number;
}

/** Runs one command, counts its tests, and reports the stage after its last one. */
async function runCommand(progress: Progress, command: readonly string[]): Promise<void> {
  const { stage, tallies } = progress;
  const [runtime, ...args] = command;
  const program = runtime === "deno" ? tools.deno : tools.bun!;
  const given = runtime === "deno" && genuine !== undefined ? genuine.args(args) : args;
  const start = performance.now();
  const result = await run(
    { program, args: given, env: { ...tools.env, ...stage.env } },
    options.verbose,
  );
  const ms = performance.now() - start;
  progress.ms += ms;
  tallies.push(tallyOf(stage.counts, result));
  const line = command.join(" ");
  times.push({ ms, line });
  if (!result.ok) progress.failures += `$ ${line}\n${complaintOf(result)}\n`;
  if (tallies.length === progress.size) report(progress);
}

/** Prints the result of a stage. */
function report({ stage, tallies, failures, ms }: Progress): void {
  const all = sum(tallies);
  const tally = stage.counts === "whole"
    ? { passed: all.failed > 0 ? 0 : 1, failed: all.failed > 0 ? 1 : 0, skipped: 0 }
    : all;
  total.push(tally);
  const verdict = tally.failed > 0 ? red("failed") : green("ok");
  const counts = stage.counts === "whole" ? "" : `, ${sentence(tally)}`;
  print(`${stage.title.padEnd(38)}${seconds(ms)} ${verdict}${counts}`);
  if (failures !== "" && !options.verbose) print(failures);
}

/** Reports a stage that cannot run: as failed in CI, as skipped elsewhere. */
function reportWithoutBun(stage: Stage): void {
  const failed = Deno.env.has("CI");
  print(
    `${stage.title.padEnd(38)}  ${failed ? red("failed") : "skipped"}: no Bun, and npx gave none`,
  );
  total.push({ passed: 0, failed: failed ? 1 : 0, skipped: failed ? 0 : 1 });
}

/** Prints a text in place of the progress line. */
function print(text: string): void {
  console.log(showsProgress ? `\r\x1b[K${text}` : text);
}

function seconds(ms: number): string {
  return `${(ms / 1000).toFixed(1)} s`.padStart(8);
}

function bytesOf(text: string): Uint8Array {
  return new TextEncoder().encode(text);
}

Deno.chdir(new URL("..", import.meta.url));
const options = readOptions();
const genuine = options.isGenuine ? withGenuineStd() : undefined;
const tools = await findTools(options.stages.some((stage) => stage.needsBun));
console.log(tools.versions);
const start = performance.now();
const showsProgress = tty && !options.verbose;
const total: Tally[] = [];
const times: { ms: number; line: string }[] = [];
const canRun = (stage: Stage): boolean => !stage.needsBun || tools.bun !== undefined;
options.stages.filter((stage) => !canRun(stage)).forEach(reportWithoutBun);
const queuesOf = (stages: readonly Stage[]) =>
  stages.map((stage) => {
    const commands = stage.commands();
    const progress = { stage, size: commands.length, tallies: [], failures: "", ms: 0 };
    return commands.map((command) => () => runCommand(progress, command));
  });
const able = options.stages.filter(canRun);
const together = queuesOf(able.filter((stage) => !stage.alone));
const alone = queuesOf(able.filter((stage) => stage.alone));
const size = [...together, ...alone].flat().length;
const ticker = showsProgress
  ? setInterval(() => {
    const text = `${times.length} of ${size} commands, ${
      seconds(performance.now() - start).trim()
    }`;
    Deno.stdout.writeSync(bytesOf(`\r${text} `));
  }, 100)
  : undefined;
await runPool(together, options.jobs);
await runPool(alone, 1);
clearInterval(ticker);
genuine?.end();
print(`${"all of it".padEnd(38)}${seconds(performance.now() - start)}`);
if (size > options.jobs) {
  times.sort((a, b) => b.ms - a.ms);
  for (const { ms, line } of times.slice(0, SLOWEST_SHOWN)) {
    print(`${seconds(ms)}  ${line.slice(0, SLOWEST_CHARS_MAX)}`);
  }
}
const all = sum(total);
console.log(sentence(all));
Deno.exit(all.failed > 0 ? 1 : 0);
