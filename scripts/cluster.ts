/**
 * A demo cluster: nodes as processes on this machine, a page for each, and keys to break them.
 *
 *     deno task cluster             three nodes, until you quit
 *     deno task cluster --once      a check that ends by itself
 *     bun scripts/cluster.ts        the same on Bun
 *     deno task cluster --cores     a node for each core, on one port
 *     deno task cluster --help      the options
 *
 * @module
 */
import process from "node:process";
import { checkCluster } from "./cluster/check.ts";
import { Cluster } from "./cluster/cluster.ts";
import { runCores } from "./cluster/cores.ts";
import { CoresError } from "../lib/cores/cores.ts";
import { hasKeys, readKeys } from "./cluster/keys.ts";
import { HELP, type Options, readOptions } from "./cluster/options.ts";
import { makePlans } from "./cluster/plans.ts";
import { shortName } from "./cluster/report.ts";
import type { Round } from "./cluster/round.ts";
import { DemoError } from "./cluster/runtimes.ts";
import { Screen } from "./cluster/screen.ts";
import { Show } from "./cluster/show.ts";
import { givenArguments } from "./command_arguments.ts";
import { onRunnerGone } from "./runner.ts";

/**
 * Time limit in milliseconds for all nodes to be connected after the start, and for the whole run
 * with `--once`.
 */
const MS_MAX = 30_000;

/** Resolves when the user or a signal ends the demo. */
type Quit = PromiseWithResolvers<void>;

/** Exit status of the program if the demo fails. */
const FAILED = 1;
/** Exit status of the program if an option is invalid. */
const MISUSED = 2;

/** Starts the nodes, and waits until all are connected. */
async function begin(cluster: Cluster, screen: Screen, options: Options): Promise<void> {
  const startedAt = performance.now();
  const { nodes } = cluster;
  screen.title(`Firn demo cluster: ${nodes.length === 1 ? "1 node" : `${nodes.length} nodes`}`);
  cluster.onEvent = (event) => {
    // Does not print when nodes start and connect, because the table shows this.
    if (event.kind !== "started" && event.kind !== "met") screen.event(event);
  };
  for (const node of nodes) cluster.start(node);
  await cluster.until(() => cluster.running.length === nodes.length && cluster.isWhole);
  cluster.onEvent = (event) => screen.event(event);
  screen.nodes(nodes);
  screen.line();
  screen.good(
    `All nodes are connected, ${secondsSince(startedAt)} s after the first process was started.`,
  );
  if (options.json) printJson(cluster);
}

/** Runs one round of broadcasts, and prints which nodes received which broadcasts. */
async function talk(cluster: Cluster, screen: Screen): Promise<Round> {
  const round = await cluster.play();
  const { delivered, expected } = round;
  screen.good(`Each node has broadcast to one room: ${delivered} of ${expected} messages arrived.`);
  screen.line();
  screen.round(round);
  screen.line();
  return round;
}

/** Runs a round, kills and restarts a node, stops all nodes, and prints what was verified. */
async function once(cluster: Cluster, screen: Screen, startedAt: number): Promise<void> {
  const first = await talk(cluster, screen);
  const facts = await checkCluster(cluster, screen, first);
  await cluster.stop();
  screen.line();
  const seconds = secondsSince(startedAt);
  screen.good(`Verified in ${seconds} s: ${facts.join(", ")}; every process has ended.`);
}

/** Runs a round, unless a node is being killed. */
async function greet(cluster: Cluster, screen: Screen): Promise<void> {
  try {
    await talk(cluster, screen);
  } catch (error) {
    screen.bad(wordsOf(error));
    screen.line();
  }
}

/** Prints the meaning of each key, and runs until the user quits or a signal arrives. */
async function stay(cluster: Cluster, screen: Screen, quit: Quit): Promise<void> {
  const pages = cluster.nodes.length > 1 ? "two of the pages" : "the page twice";
  screen.line(`  Open ${pages}, side by side, and chat. Then kill or pause a node.`);
  screen.line();
  if (!hasKeys()) {
    screen.quiet("There is no keyboard: end the demo with SIGINT or SIGTERM.");
    return await quit.promise;
  }
  const show = new Show(cluster, screen, quit.resolve);
  screen.keys(cluster.nodes.length);
  const ignoreKeys = readKeys((key) => show.press(key));
  await quit.promise;
  ignoreKeys();
  screen.line();
}

/**
 * Runs a task. Resolves to false if the user quits first. Rejects if the task fails or takes too
 * long.
 */
async function inTime(
  work: Promise<unknown>,
  quit: Quit,
  cluster: Cluster,
  ms: number,
): Promise<boolean> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const late = new Promise<never>((_, failed) => {
    const why = (): string => `gave up after ${MS_MAX / 1000} s: ${cluster.inWords()}`;
    timer = setTimeout(() => failed(new DemoError(why())), ms);
  });
  try {
    return await Promise.race([work.then(() => true), late, quit.promise.then(() => false)]);
  } finally {
    clearTimeout(timer);
    // `work` may still reject after the user has quit or the time is up.
    work.catch(() => {});
  }
}

async function run(options: Options, quit: Quit): Promise<number> {
  const { plans, note } = await makePlans(options);
  const output = options.json ? process.stderr : process.stdout;
  const screen = new Screen(output, plans.map(({ name }) => shortName(name)));
  if (note !== undefined) screen.quiet(note);
  const cluster = new Cluster(plans);
  const startedAt = performance.now();
  const wait = (work: Promise<unknown>): Promise<boolean> =>
    inTime(work, quit, cluster, MS_MAX - (performance.now() - startedAt));
  try {
    const whole = await wait(begin(cluster, screen, options));
    if (options.once) {
      return whole && await wait(once(cluster, screen, startedAt)) ? 0 : FAILED;
    }
    if (whole && await wait(greet(cluster, screen))) await stay(cluster, screen, quit);
    await cluster.stop();
    screen.quiet("Every node has stopped, and every process has ended.");
    return 0;
  } finally {
    await cluster.stop();
  }
}

/** Prints one JSON line per node, for programs. */
function printJson(cluster: Cluster): void {
  for (const { plan, url, pid } of cluster.nodes) {
    const { name, page, runtime } = plan;
    const address = name.slice(name.indexOf("@") + 1);
    process.stdout.write(`${JSON.stringify({ name, address, url, page, pid, runtime })}\n`);
  }
}

function secondsSince(at: number): string {
  return ((performance.now() - at) / 1000).toFixed(2);
}

/** Returns the message of an expected error. Rethrows other errors. */
function wordsOf(error: unknown): string {
  if (error instanceof DemoError) return error.message;
  throw error;
}

/** Runs the demo with `--cores` until a signal ends it. */
async function stayOnCores(count: number, port: number | undefined): Promise<number> {
  try {
    await runCores(count || undefined, port);
  } catch (error) {
    if (!(error instanceof CoresError)) throw error;
    process.stderr.write(`cluster: ${error.message}\n`);
    return FAILED;
  }
  return await new Promise<never>(() => {});
}

async function main(): Promise<number> {
  const asked = readOptions(givenArguments());
  switch (asked.kind) {
    case "help":
      process.stdout.write(`${HELP}\n`);
      return 0;
    case "wrong":
      process.stderr.write(`cluster: ${asked.why} (--help shows the options)\n`);
      return MISUSED;
    case "run":
      break;
    default:
      asked satisfies never;
  }
  const { cores, port } = asked.options;
  if (cores !== undefined) return await stayOnCores(cores, port);
  const quit = Promise.withResolvers<void>();
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) process.on(signal, quit.resolve);
  onRunnerGone(quit.resolve);
  // Quits when the reader of the output has closed the pipe, as in `deno task cluster | head`.
  process.stdout.on("error", quit.resolve);
  try {
    return await run(asked.options, quit);
  } catch (error) {
    process.stderr.write(`cluster: ${wordsOf(error)}\n`);
    return FAILED;
  }
}

const status = await main();
// Waits until the output has been written, because it may be a pipe.
for (const output of [process.stdout, process.stderr]) {
  await new Promise<void>((flushed) => output.write("", () => flushed()));
}
process.exit(status);
