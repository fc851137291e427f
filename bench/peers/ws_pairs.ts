// deno-lint-ignore-file no-console -- prints a table
/**
 * Compares broadcasts to a room whose members are on another node: two Firn nodes on loopback, on
 * Deno and on Bun, with two workers of socket.io on Node with its cluster adapter, with two of its
 * servers connected by Redis, and with two Firn nodes on Deno connected by NATS. The last two are
 * left out without redis-server and nats-server.
 *
 *     deno run -A bench/peers/ws_pairs.ts --rounds 5 --seconds 3
 *
 * The publisher is connected with the first node, all members with the second. One pair runs at a
 * time, all of them in each round. socket.io uses its own protocol over a plain WebSocket. The CPU
 * time of the adapter's primary, which forwards every broadcast, is printed separately.
 *
 * @module
 */
import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { connect, createServer } from "node:net";
import process from "node:process";
import { readAsked, refuse } from "../asked.ts";
import { calm } from "./calm.ts";
import { type Figures, here, load, median, prepare, startServer } from "./ws_client.ts";

const HELP = `deno run -A bench/peers/ws_pairs.ts [options]

  --rounds N    rounds, of all rows and pairs each (3; at most 50)
  --seconds N   measured in each, after as long to warm up (3; at most 60)
  --calm N      wait so many seconds at most for a quiet machine before each (0)
  --only TEXT   only rows and pairs, "row: pair", with TEXT in their name
  --help        this text

Needs gcc, bun, node and npm.`;

/** A running pair of servers. */
interface Running {
  /** The ports of the servers of the publisher and of the members. */
  readonly near: number;
  readonly far: number;
  readonly pids: readonly number[];
  /** The process that forwards between the two, if any. */
  readonly between?: number;
}

interface Pair {
  readonly name: string;
  readonly isSocketIo: boolean;
  start(started: (child: ChildProcess) => void): Promise<Running>;
}

function ours(name: string, runtime: readonly string[]): Pair {
  const command = [...runtime, here("ws_pairs_firn.ts")];
  return {
    name,
    isSocketIo: false,
    async start(started) {
      const pids: number[] = [];
      const add = (child: ChildProcess): void => {
        started(child);
        pids.push(child.pid!);
      };
      const near = JSON.parse(await startServer([...command, "near"], add));
      const far = JSON.parse(await startServer([...command, "far", near.name], add));
      return { near: near.port, far: far.port, pids };
    },
  };
}

function socketIo(folder: string): Pair {
  return {
    name: "socket.io, Node",
    isSocketIo: true,
    async start(started) {
      const command = ["node", here("ws_pairs_socketio.mjs"), folder];
      const { pid, workers } = JSON.parse(await startServer(command, started));
      const [near, far] = workers;
      return { near: near.port, far: far.port, pids: [near.pid, far.pid], between: pid };
    },
  };
}

/** Returns the pair for socket.io with its Redis Streams adapter and connection state recovery. */
function socketIoRedis(folder: string): Pair {
  return {
    name: "socket.io + Redis, Node",
    isSocketIo: true,
    async start(started) {
      const { child, port } = await broker(started, "redis-server", (port) => [
        ...["--port", `${port}`, "--bind", "127.0.0.1", "--save", "", "--appendonly", "no"],
      ]);
      const command = ["node", here("ws_redis_socketio.mjs"), folder, `${port}`];
      const pids: number[] = [];
      const add = (child: ChildProcess): void => {
        started(child);
        pids.push(child.pid!);
      };
      const near = Number(await startServer(command, add));
      const far = Number(await startServer(command, add));
      return { near, far, pids, between: child.pid! };
    },
  };
}

/** Returns the pair of two Firn nodes without a mesh, connected by NATS. */
function oursNats(name: string, folder: string): Pair {
  return {
    name,
    isSocketIo: false,
    async start(started) {
      const { child, port } = await broker(started, "nats-server", (port) => [
        ...["-a", "127.0.0.1", "-p", `${port}`],
      ]);
      const command = ["deno", "run", "-A", "-q", "--no-lock", here("ws_pairs_firn.ts")];
      const pids: number[] = [];
      const add = (child: ChildProcess): void => {
        started(child);
        pids.push(child.pid!);
      };
      const nats = `nats=${port},${folder}`;
      const near = JSON.parse(await startServer([...command, "near", nats], add));
      const far = JSON.parse(await startServer([...command, "far", nats], add));
      return { near: near.port, far: far.port, pids, between: child.pid! };
    },
  };
}

/** Starts a broker on a free port, and waits until it accepts connections. */
async function broker(
  started: (child: ChildProcess) => void,
  program: string,
  args: (port: number) => string[],
): Promise<{ child: ChildProcess; port: number }> {
  const port = await new Promise<number>((found) => {
    const server = createServer().listen(0, "127.0.0.1", () => {
      const { port } = server.address() as { port: number };
      server.close(() => found(port));
    });
  });
  const child = spawn(program, args(port), { stdio: ["pipe", "ignore", "ignore"] });
  started(child);
  for (let attempt = 0; attempt < 100; attempt++) {
    const isUp = await new Promise<boolean>((answered) => {
      const socket = connect(port, "127.0.0.1", () => {
        socket.destroy();
        answered(true);
      }).on("error", () => answered(false));
    });
    if (isUp) return { child, port };
    await new Promise((again) => setTimeout(again, 50));
  }
  throw new Error(`${program} does not start`);
}

function isInstalled(program: string): boolean {
  return spawnSync(program, ["--version"]).status === 0;
}

interface Row {
  readonly name: string;
  readonly args: readonly string[];
}

const ROWS: readonly Row[] = [
  { name: "200 × 64 B", args: ["members=200", "bytes=64", "rate=20000"] },
  { name: "200 × 64 B, eights", args: ["members=200", "bytes=64", "rate=100000", "burst=8"] },
  { name: "one member, 100 a second", args: ["members=1", "bytes=64", "rate=100"] },
  { name: "one member, 1000 a second", args: ["members=1", "bytes=64", "rate=1000"] },
];

/** Closes the input of a process, and kills it after a timeout. */
async function end(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const gone = new Promise((exit) => child.once("exit", exit));
  const force = setTimeout(() => child.kill("SIGKILL"), 1000);
  child.stdin!.end();
  await gone;
  clearTimeout(force);
}

async function measure(pair: Pair, { args }: Row, seconds: number): Promise<Figures | undefined> {
  const children: ChildProcess[] = [];
  try {
    const { near, far, pids, between } = await pair.start((child) => children.push(child));
    const all = [`port=${far}`, `pub=${near}`, ...args];
    for (const pid of between === undefined ? pids : [...pids, between]) all.push(`pid=${pid}`);
    if (pair.isSocketIo) all.push("sio=1");
    return await load(folder, seconds, all);
  } catch (error) {
    console.error(`${pair.name}: ${error}`);
    return undefined;
  } finally {
    await Promise.all(children.map(end));
  }
}

/**
 * Returns the CPU seconds per million deliveries, of both nodes and of the process between them.
 */
function cpu({ each }: Figures): { readonly nodes: number; readonly between: number } {
  return { nodes: (each[0] ?? NaN) + (each[1] ?? NaN), between: each[2] ?? 0 };
}

const asked = readAsked("ws_pairs", HELP, { rounds: 3, seconds: 3, secondsMin: 0.5 });

const folder = prepare([
  "socket.io@4",
  "@socket.io/cluster-adapter@0.3",
  "@socket.io/redis-streams-adapter@0.3",
  "redis@5",
  "@nats-io/transport-node@3",
]);
const PAIRS: readonly Pair[] = [
  ours("Firn, Deno", ["deno", "run", "-A", "-q", "--no-lock"]),
  ours("Firn, Bun", ["bun"]),
  socketIo(folder),
  ...(isInstalled("redis-server") ? [socketIoRedis(folder)] : []),
  ...(isInstalled("nats-server") ? [oursNats("Firn + NATS, Deno", folder)] : []),
];

const results = new Map<string, Figures[]>();
for (let round = 1; round <= asked.rounds; round++) {
  for (const row of ROWS) {
    for (const pair of PAIRS) {
      const key = `${row.name}: ${pair.name}`;
      if (!asked.wants(key)) continue;
      const used = await calm(asked.calm);
      const got = await measure(pair, row, asked.seconds);
      if (got === undefined) continue;
      results.set(key, [...results.get(key) ?? [], got]);
      const others = `others use ${Math.round(100 * used)} %`;
      console.error(`${round} ${key}: ${JSON.stringify(got)}, ${others}`);
    }
  }
}

if (results.size === 0) {
  refuse("ws_pairs", "nothing was measured; a run's name must have each --only in it");
}
console.log("| | " + PAIRS.map(({ name }) => name).join(" | ") + " |");
console.log("|---|" + PAIRS.map(() => "--:|").join(""));
for (const row of ROWS) {
  const cells = PAIRS.map((pair) => {
    const all = results.get(`${row.name}: ${pair.name}`) ?? [];
    if (all.length === 0) return "";
    const nodes = median(all.map((each) => cpu(each).nodes)).toFixed(2);
    const between = median(all.map((each) => cpu(each).between));
    const primary = between === 0 ? "" : ` + ${between.toFixed(2)}`;
    const [p50, p99] = [median(all.map(({ p50 }) => p50)), median(all.map(({ p99 }) => p99))];
    return `${nodes}${primary} (p50 ${p50} µs, p99 ${p99} µs)`;
  });
  console.log(`| ${row.name} | ${cells.join(" | ")} |`);
}
process.exit(0);
