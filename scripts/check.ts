// deno-lint-ignore-file no-console
/**
 * Runs every check of CI from a clean clone, with only Deno installed:
 *
 *     deno task test                       all of it
 *     deno task test --quick               without Bun and without the benches
 *     deno task test --only fmt,lint,deno  these stages
 *     deno task test tests/otp             these tests, on both runtimes: the loop of editing and testing
 *     deno task test --std=jsr             with the genuine @std packages, in place of the local ones
 *
 * Stages run one after another, because they share the machine's cores; long stages that mostly wait
 * run two at a time. A stage that fails does not stop the later ones. The last line is
 * `N passed, N failed`.
 *
 * @module
 */
import { existsSync } from "node:fs";
import { parseArgs } from "@std/cli/parse-args";
import { run } from "./check/command.ts";
import { type Stage, STAGES, stagesOf } from "./check/stages.ts";
import { withGenuineStd } from "./check/std.ts";
import { complaintOf, sentence, sum, type Tally, tallyOf } from "./check/tally.ts";
import { findTools, type Tools } from "./check/tools.ts";
import { givenArguments } from "./given.ts";

const HELP = `Checks everything that CI checks.

Usage: deno task test [options] [path …]

  path              test files or folders: only these run, on Deno and on Bun

  --only <stage,…>  run these stages only
  --quick           leave out what takes long: Bun, mixed processes, benches
  --std=jsr         use the genuine @std packages (JSR must be reachable), on Deno
  --verbose         show what every stage prints, not only the failed ones
  --help            show this

Stages:
${STAGES.map(({ name, title }) => `  ${name.padEnd(10)} ${title}`).join("\n")}`;

const tty = Deno.stdout.isTerminal();
const colour = tty && !Deno.noColor;
const green = (text: string): string => colour ? `\x1b[32m${text}\x1b[0m` : text;
const red = (text: string): string => colour ? `\x1b[31m${text}\x1b[0m` : text;

/** Exits with a message about an invalid command line. */
function refuse(why: string): never {
  console.error(`${why}\n\n${HELP}`);
  Deno.exit(2);
}

function stagesAsked(): { stages: Stage[]; verbose: boolean; isGenuine: boolean } {
  const args = parseArgs(givenArguments(), {
    string: ["only", "std"],
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
  const paths = args._.map(String);
  for (const path of paths) {
    if (!existsSync(path)) refuse(`No such file or folder: ${path}`);
  }
  const wanted = (paths.length > 0 ? stagesOf(paths) : STAGES).filter(({ name, slow }) =>
    only.length > 0 ? only.includes(name) : !(args.quick && slow)
  );
  // Bun resolves @std by tsconfig.json, to the local packages.
  const stages = wanted.filter(({ needsBun }) => !(isGenuine && needsBun));
  return { stages, verbose: args.verbose, isGenuine };
}

/** Stages that run at the same time, in the order of the table. */
function groupsOf(stages: readonly Stage[]): Stage[][] {
  const groups: Stage[][] = [];
  for (const stage of stages) {
    const last = groups.at(-1);
    if (stage.beside && last !== undefined) last.push(stage);
    else groups.push([stage]);
  }
  return groups;
}

/**
 * Runs one stage, prints its progress, and adds its counts. `alone`: whether no other stage prints
 * at the same time.
 */
async function runStage(
  stage: Stage,
  tools: Tools,
  verbose: boolean,
  alone: boolean,
): Promise<Tally> {
  const title = stage.title.padEnd(38);
  if (stage.needsBun && tools.bun === undefined) {
    const failed = Deno.env.has("CI");
    console.log(`${title}        ${failed ? red("failed") : "skipped"}: no Bun, and npx gave none`);
    return { passed: 0, failed: failed ? 1 : 0, skipped: failed ? 0 : 1 };
  }
  const start = performance.now();
  const seconds = (): string => `${((performance.now() - start) / 1000).toFixed(1)} s`.padStart(7);
  const progress = tty && !verbose && alone
    ? setInterval(() => Deno.stdout.writeSync(bytesOf(`\r${title}${seconds()} `)), 100)
    : undefined;
  if (verbose) console.log(`\n── ${stage.title}`);

  const tallies: Tally[] = [];
  let failures = "";
  for (const [runtime, ...args] of stage.commands()) {
    const program = runtime === "deno" ? tools.deno : tools.bun!;
    const given = runtime === "deno" && genuine !== undefined ? genuine.args(args) : args;
    const result = await run(
      { program, args: given, env: { ...tools.env, ...stage.env } },
      verbose,
    );
    tallies.push(tallyOf(stage.counts, result));
    if (!result.ok) failures += `$ ${[runtime, ...args].join(" ")}\n${complaintOf(result)}\n`;
  }
  clearInterval(progress);
  const all = sum(tallies);
  const tally = stage.counts === "whole"
    ? { passed: all.failed > 0 ? 0 : 1, failed: all.failed > 0 ? 1 : 0, skipped: 0 }
    : all;
  const verdict = tally.failed > 0 ? red("failed") : green("ok");
  const counts = stage.counts === "whole" ? "" : `, ${sentence(tally)}`;
  console.log(`${tty && !verbose ? "\r" : ""}${title}${seconds()} ${verdict}${counts}`);
  if (failures !== "" && !verbose) console.log(failures);
  return tally;
}

function bytesOf(text: string): Uint8Array {
  return new TextEncoder().encode(text);
}

Deno.chdir(new URL("..", import.meta.url));
const { stages, verbose, isGenuine } = stagesAsked();
const genuine = isGenuine ? withGenuineStd() : undefined;
const tools = await findTools(stages.some((stage) => stage.needsBun));
console.log(tools.versions);
const tallies: Tally[] = [];
for (const group of groupsOf(stages)) {
  const runs = group.map((stage) => runStage(stage, tools, verbose, group.length === 1));
  tallies.push(...await Promise.all(runs));
}
genuine?.end();
const total = sum(tallies);
console.log(sentence(total));
Deno.exit(total.failed > 0 ? 1 : 0);
