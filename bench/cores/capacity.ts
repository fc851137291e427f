// deno-lint-ignore-file no-console -- prints the results
/**
 * Question: how much more load do two workers of `cores` carry than one?
 *
 * The load client is a separate process (`bench/peers/ws_load.c`, needs gcc). On a machine with two
 * cores it uses a part of them, so messages per second cannot be compared. Instead, the CPU time of
 * the workers per message is compared at the same load, in turns: two cores carry 2 × (CPU time
 * with one worker) / (CPU time with two workers) times the load of one. In `echo`, each socket has
 * one message in flight; in the rooms, all sockets are members of one room that spans the workers.
 * "two apart" are two servers that do not know each other, each with half of the members and with a
 * publisher of its own: what two processes cost without messages between them.
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
  ...[[1000, 150_000], [400, 60_000], [400, 200_000]].map(([members, rate]) => ({
    name: `room of ${members}, ${rate!.toLocaleString("en")} deliveries/s`,
    args: [`members=${members}`, "bytes=64", `rate=${rate}`],
  })),
];

const options = readCommandLine("capacity", HELP, { rounds: 1, seconds: 5, secondsMin: 0.1 });
const stops: (() => Promise<void>)[] = [];

/** Returns a server of groups of workers of `cores`, each group with a port of its own. */
function workers(name: string, counts: readonly number[], beside?: string): Server {
  return {
    name,
    ...beside === undefined ? {} : { beside },
    async start() {
      const worker = fileURLToPath(new URL("worker.ts", import.meta.url));
      const groups = [];
      for (const count of counts) {
        const group = await cores(worker, { count, signals: false });
        stops.push(() => group.stop());
        groups.push(group);
      }
      const [first, second] = groups.map(({ port }) => port);
      const pids = groups.flatMap((group) => group.workers()).flatMap(({ pid }) => pid ?? []);
      return {
        args: [`port=${first}`, ...second === undefined ? [] : [`second=${second}`]],
        pids,
      };
    },
  };
}

const one = workers("one worker", [1]);
const two = workers("two workers", [2], one.name);
const apart = workers("two apart", [1, 1], one.name);
const servers = [one, two, apart];
try {
  const folder = temporaryFolder("cores");
  const turns = await takeTurns("capacity", folder, servers, LOADS, options);
  printTurns("capacity", turns, servers, "CPU seconds of the workers for a million messages.");
  for (const [load, by] of turns) {
    const costs = (server: Server) =>
      (by.get(server) ?? []).map(({ cpuPerMillion }) => cpuPerMillion);
    const [times, most] = [two, apart].map((server) => {
      return (2 / median(ratios(costs(server), costs(one)))).toFixed(2);
    });
    const client = median([...by.values()].flat().map(({ client }) => client)).toFixed(2);
    console.log(
      `${load.name}: two cores carry ${times} times the load, two servers apart ${most}; ` +
        `the client used ${client} cores`,
    );
  }
} finally {
  await Promise.all(stops.map((stop) => stop()));
}
process.exit(0);
