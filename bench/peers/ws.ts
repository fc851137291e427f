// deno-lint-ignore-file no-console -- prints a table
/**
 * Compares the WebSocket servers of Firn, Bun and Deno, `npm:ws` and socket.io, by the CPU time of
 * the server per million deliveries:
 *
 *     deno run -A bench/peers/ws.ts --rounds 5 --seconds 3 --calm 60
 *
 * One server runs at a time, all of them in each round, so that other load on the machine affects
 * them alike. The load client is a C program in a separate process (`ws_load.c`, needs gcc). It
 * causes 20,000 deliveries per second, one message per turn, or 100,000 in bursts of eight that
 * arrive in one segment.
 *
 * @module
 */
import type { ChildProcess } from "node:child_process";
import process from "node:process";
import { readAsked, refuse } from "../asked.ts";
import { calm } from "./calm.ts";
import { type Figures, here, load, median, prepare, startServer } from "./ws_client.ts";

const HELP = `deno run -A bench/peers/ws.ts [options]

  --rounds N    rounds, of all rows and servers each (5; at most 50)
  --seconds N   measured in each, after as long to warm up (3; at most 60)
  --calm N      wait so many seconds at most for a quiet machine before each (0)
  --only TEXT   only rows and servers, "row: server", with TEXT in their name
  --help        this text

Needs gcc, bun, node and npm.`;

const asked = readAsked("ws", HELP, { rounds: 5, seconds: 3, secondsMin: 0.5 });

const OTHERS = here("ws_others.mjs");
const DENO = ["deno", "run", "-A", "-q", "--no-lock"];

/** The folder of the load client and the npm packages. */
const folder = prepare(["ws@8", "socket.io@4"]);

interface Server {
  readonly name: string;
  readonly command: readonly string[];
  readonly sio?: boolean;
}

const OTHER = (
  runtime: readonly string[],
  what: string,
): string[] => [...runtime, OTHERS, what, folder];

const SERVERS: readonly Server[] = [
  { name: "Firn, Bun", command: ["bun", here("ws_firn.ts")] },
  { name: "Bun publish", command: OTHER(["bun"], "publish") },
  { name: "ws, Bun", command: OTHER(["bun"], "ws") },
  { name: "Firn, Deno", command: [...DENO, here("ws_firn.ts")] },
  { name: "Deno native", command: OTHER([...DENO, "--no-config"], "native") },
  { name: "ws, Deno", command: OTHER([...DENO, "--no-config"], "ws") },
  { name: "ws, Node", command: OTHER(["node"], "ws") },
  { name: "socket.io, Node", command: OTHER(["node"], "socketio"), sio: true },
];

interface Row {
  readonly name: string;
  readonly args: readonly string[];
}

const ROWS: readonly Row[] = [
  ...[200, 1000].flatMap((members) =>
    [64, 1024].flatMap((bytes) => [
      {
        name: `${members} × ${bytes} B`,
        args: [`members=${members}`, `bytes=${bytes}`, "rate=20000"],
      },
      {
        name: `${members} × ${bytes} B, eights`,
        args: [`members=${members}`, `bytes=${bytes}`, "rate=100000", "burst=8"],
      },
    ])
  ),
  { name: "echo 64 B", args: ["members=50", "bytes=64", "mode=echo"] },
  { name: "echo 16 KiB", args: ["members=50", "bytes=16384", "mode=echo"] },
];

async function run(server: Server, { args }: Row): Promise<Figures | undefined> {
  let child: ChildProcess | undefined;
  try {
    const port = await startServer(server.command, (it) => child = it);
    const all = [`port=${port}`, `pid=${child!.pid}`, ...args];
    if (server.sio) all.push("sio=1");
    return await load(folder, asked.seconds, all);
  } catch (error) {
    console.error(`${server.name}: ${error}`);
    return undefined;
  } finally {
    child?.kill("SIGKILL");
  }
}

const results = new Map<string, Figures[]>();
for (let round = 1; round <= asked.rounds; round++) {
  for (const row of ROWS) {
    for (const server of SERVERS) {
      const key = `${row.name}: ${server.name}`;
      if (!asked.wants(key)) continue;
      const used = await calm(asked.calm);
      const got = await run(server, row);
      if (got === undefined) continue;
      results.set(key, [...results.get(key) ?? [], got]);
      console.error(
        `${round} ${key}: ${JSON.stringify(got)}, others use ${Math.round(100 * used)} %`,
      );
    }
  }
}

if (results.size === 0) {
  refuse("ws", "nothing was measured; a run's name must have each --only in it");
}
console.log("| | " + SERVERS.map(({ name }) => name).join(" | ") + " |");
console.log("|---|" + SERVERS.map(() => "--:|").join(""));
for (const row of ROWS) {
  const cells = SERVERS.map((server) => {
    const all = results.get(`${row.name}: ${server.name}`) ?? [];
    if (all.length === 0) return "";
    const cpu = median(all.map(({ cpuPerMillion }) => cpuPerMillion)).toFixed(2);
    return `${cpu} (p50 ${median(all.map(({ p50 }) => p50))} µs)`;
  });
  console.log(`| ${row.name} | ${cells.join(" | ")} |`);
}
process.exit(0);
