/**
 * Sends realistic events at a rate, and prints a summary.
 *
 *     deno task mesher:load --key mshr_… --rate 500 --seconds 10
 *
 * @module
 */
import process from "node:process";
import { givenArguments } from "../scripts/command_arguments.ts";
import { sampleEvent } from "./load/sample.ts";
import { LOAD_HELP, type LoadOptions, readLoadOptions } from "./load/options.ts";
import { Tally } from "./load/tally.ts";

/** Maximum number of concurrent requests. Further requests wait, which the summary reports. */
const REQUESTS_MAX = 64;
/** Interval at which due events are sent, in milliseconds. */
const TICK_MS = 20;

/** Sends one batch to one of the nodes. */
async function send(
  { urls, key }: LoadOptions,
  turn: number,
  count: number,
  tally: Tally,
): Promise<void> {
  const url = urls[turn % urls.length]!;
  const events = Array.from({ length: count }, () => sampleEvent(Math.random));
  const began = performance.now();
  try {
    const response = await fetch(`${url}/api/v1/events/bulk`, {
      method: "POST",
      headers: { "content-type": "application/json", "x-api-key": key },
      body: JSON.stringify(events),
    });
    const answer = await response.json();
    const accepted = response.status === 202 ? answer.accepted as number : 0;
    tally.answered(response.status, count, accepted, performance.now() - began);
  } catch {
    tally.answered(0, count, 0, performance.now() - began);
  }
}

/**
 * Returns why the load cannot succeed and what to do, if no server answers or the key is unknown;
 * otherwise undefined.
 */
function failureReason({ urls }: LoadOptions, { onlyStatus }: Tally): string | undefined {
  if (onlyStatus === 0) {
    return `nothing answers at ${urls.join(", ")}: start Mesher (deno task mesher), or give --url`;
  }
  return onlyStatus === 401
    ? "the key is not known there: use the one in mesher-first-login.txt, or make one on the page, " +
      "in Settings"
    : undefined;
}

async function run(options: LoadOptions): Promise<number> {
  const { rate, seconds, batch } = options;
  const tally = new Tally();
  const total = Math.round(rate * seconds);
  const began = performance.now();
  const underWay = new Set<Promise<void>>();
  let [sent, turn, shownAt] = [0, 0, 0];
  while (true) {
    const elapsed = (performance.now() - began) / 1000;
    while (underWay.size < REQUESTS_MAX) {
      // The last request may have fewer events.
      const count = Math.min(batch, total - sent);
      if (count <= 0 || sent + count > rate * elapsed) break;
      const one = send(options, turn++, count, tally).finally(() => underWay.delete(one));
      underWay.add(one);
      sent += count;
    }
    if (elapsed >= seconds) break;
    if (elapsed - shownAt >= 1) {
      shownAt = elapsed;
      const problem = failureReason(options, tally);
      if (problem !== undefined) {
        process.stderr.write(`mesher:load: ${problem}\n`);
        return 1;
      }
      const [before, after] = process.stderr.isTTY ? ["\r", "   "] : ["", "\n"];
      process.stderr.write(before + tally.progress(elapsed) + after);
    }
    await new Promise((wake) => setTimeout(wake, TICK_MS));
  }
  await Promise.all(underWay);
  const elapsed = (performance.now() - began) / 1000;
  if (process.stderr.isTTY) process.stderr.write("\r" + " ".repeat(78) + "\r");
  process.stdout.write(tally.summary(rate * seconds, elapsed));
  return tally.failed === 0 ? 0 : 1;
}

const options = readLoadOptions(givenArguments(), process.env);
if ("help" in options) {
  process.stdout.write(LOAD_HELP);
  process.exit(0);
}
if ("problem" in options) {
  process.stderr.write(`mesher:load: ${options.problem}\n`);
  process.exit(2);
}
process.exit(await run(options));
