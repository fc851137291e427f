// deno-lint-ignore-file no-console -- prints the results
/**
 * Question: how much more load do two workers of `cores` carry than one?
 *
 * The load client is a separate process (`bench/peers/ws_load.c`, needs gcc). On a machine with two
 * cores it uses a part of them, so messages per second cannot be compared. Instead, the CPU time of
 * the workers per message is compared at the same load, in turns: two cores carry 2 × (CPU time
 * with one worker) / (CPU time with two workers) times the load of one. In `echo`, each socket has
 * one message in flight; in `room`, all sockets are members of one room that spans the workers.
 *
 *     deno run -A bench/cores/capacity.ts        bun bench/cores/capacity.ts
 *
 * @module
 */
import process from "node:process";
import { fileURLToPath } from "node:url";
import { cores } from "../../lib/cores/cores.ts";
import { readCommandLine } from "../command_line.ts";
import { temporaryFolder } from "../peers/packages.ts";
import { type Load, printTurns, type Server, takeTurns } from "../peers/turns.ts";
import { median, ratios } from "../spread.ts";

const HELP = `deno run -A bench/cores/capacity.ts [options]

  --seconds N   measured of each at each load, in turns of 0.25 s (5; at most 60)
  --rounds N    how often this is done (1; at most 50)
  --calm N      wait at most N seconds for an idle machine before each load (0)
  --only TEXT   only "load: workers" with TEXT in it
  --help        this text

Needs gcc.`;

const LOADS: readonly Load[] = [
  { name: "echo", args: ["mode=echo", "members=400", "bytes=64"] },
  { name: "room", args: ["members=1000", "bytes=64", "rate=150000"] },
];

const options = readCommandLine("capacity", HELP, { rounds: 1, seconds: 5, secondsMin: 0.1 });
const stops: (() => Promise<void>)[] = [];

/** Returns `count` workers of `cores`, which listen on ports chosen by the system. */
function workers(count: number, name: string, beside?: string): Server {
  return {
    name,
    ...beside === undefined ? {} : { beside },
    async start() {
      const worker = fileURLToPath(new URL("worker.ts", import.meta.url));
      const group = await cores(worker, { count, signals: false });
      stops.push(() => group.stop());
      const pids = group.workers().flatMap(({ pid }) => pid === undefined ? [] : [pid]);
      return { args: [`port=${group.port}`], pids };
    },
  };
}

const [one, two] = [workers(1, "one worker"), workers(2, "two workers", "one worker")];
try {
  const folder = temporaryFolder("cores");
  const turns = await takeTurns("capacity", folder, [one, two], LOADS, options);
  printTurns("capacity", turns, [one, two], "CPU seconds of the workers for a million messages.");
  for (const [load, by] of turns) {
    const costs = [two, one].map((server) =>
      (by.get(server) ?? []).map(({ cpuPerMillion }) => cpuPerMillion)
    );
    const times = 2 / median(ratios(costs[0]!, costs[1]!));
    console.log(`${load.name}: two cores carry ${times.toFixed(2)} times the load`);
  }
} finally {
  await Promise.all(stops.map((stop) => stop()));
}
process.exit(0);
