/**
 * Compares broadcasts to a room whose members are on another node: two Firn nodes on loopback, on
 * Deno and on Bun, with two workers of socket.io on Node with its cluster adapter, with two of its
 * servers connected by Redis, and with two Firn nodes on Deno connected by NATS. The last two are
 * left out without redis-server and nats-server. "bare" is the floor of each runtime: two processes
 * that only write each message to all members.
 *
 *     deno run -A bench/peers/ws_pairs.ts --seconds 5
 *
 * The publisher is connected with the first node, all members with the second. All pairs run and
 * take turns (`turns.ts`). socket.io uses its own protocol over a plain WebSocket. The CPU time of
 * what is between the two servers (the adapter's primary, Redis, NATS) is printed separately.
 *
 * @module
 */
import { type ChildProcess, spawn } from "node:child_process";
import { connect } from "node:net";
import process from "node:process";
import { freePorts } from "../../scripts/cluster/ports.ts";
import { readCommandLine } from "../command_line.ts";
import { isTiny } from "../kit.ts";
import { startServer } from "./processes.ts";
import { install, temporaryFolder } from "./packages.ts";
import { bun, deno, path, version } from "./programs.ts";
import { say } from "./rounds.ts";
import { type Load, printTurns, type Server, takeTurns } from "./turns.ts";

const HELP = `deno run -A bench/peers/ws_pairs.ts [options]

  --seconds N   measured of each pair at each load, in turns of 0.25 s (5; at most 60)
  --rounds N    how often this is done (1; at most 50)
  --calm N      wait at most N seconds for an idle machine before each load (0)
  --only TEXT   only loads and pairs, "load: pair", with TEXT in their name
  --help        this text

Needs gcc. Peers that are not installed are left out: Bun, Node, redis-server,
nats-server, and packages, which npm installs into a temporary folder.`;

const CLUSTER = ["socket.io@4", "@socket.io/cluster-adapter@0.3"];
const REDIS = ["socket.io@4", "@socket.io/redis-streams-adapter@0.3", "redis@5"];
const NATS = ["@nats-io/transport-node@3"];

const options = readCommandLine("ws_pairs", HELP, {
  rounds: 1,
  seconds: isTiny() ? 0.1 : 5,
  secondsMin: 0.1,
});
const folder = temporaryFolder("ws-pairs");
const packages = install(folder, [...new Set([...CLUSTER, ...REDIS, ...NATS])]);
const denoRun = [deno, "run", "-A", "-q", "--no-lock"];

type Started = (child: ChildProcess) => void;

/** Returns the arguments of the load client for two servers, of which one has all members. */
function ports(near: string | number, far: string | number): string[] {
  return [`port=${far}`, `pub=${near}`];
}

/** Starts a process. Resolves to its first line and its id. */
async function startOne(
  command: readonly string[],
  started: Started,
): Promise<{ readonly line: string; readonly pid: number }> {
  let pid = 0;
  const line = await startServer(command, (child) => {
    pid = child.pid!;
    started(child);
  });
  return { line, pid };
}

/** Returns two Firn nodes: connected with each other, or by NATS if `natsFolder` is given. */
function ours(name: string, runtime: readonly string[], natsFolder?: string): Server {
  const command = [...runtime, path("ws_pairs_firn.ts")];
  return {
    name,
    beside: natsFolder === undefined ? "socket.io, Node" : "Firn, Deno",
    async start(started) {
      const nats = natsFolder === undefined
        ? undefined
        : await broker(started, "nats-server", (port) => ["-a", "127.0.0.1", "-p", `${port}`]);
      const relay = nats && `nats=${nats.port},${natsFolder}`;
      const near = await startOne([...command, "near", ...relay ? [relay] : []], started);
      const { port, name } = JSON.parse(near.line);
      const far = await startOne([...command, "far", relay ?? name], started);
      return {
        args: ports(port, JSON.parse(far.line).port),
        pids: [near.pid, far.pid, ...nats ? [nats.pid] : []],
      };
    },
  };
}

/**
 * Returns the floor: two processes with the sockets of a runtime, without rooms, limits and queues.
 */
function bare(name: string, runtime: readonly string[]): Server {
  const command = [...runtime, path("ws_pairs_bare.mjs")];
  return {
    name,
    beside: "socket.io, Node",
    async start(started) {
      const near = await startOne([...command, "near"], started);
      const { port, link } = JSON.parse(near.line);
      const far = await startOne([...command, "far", `${link}`], started);
      return { args: ports(port, JSON.parse(far.line).port), pids: [near.pid, far.pid] };
    },
  };
}

/** Two workers of socket.io with its cluster adapter. Their primary is between them. */
const socketIo: Server = {
  name: "socket.io, Node",
  async start(started) {
    const command = ["node", path("ws_pairs_socketio.mjs"), folder];
    const { pid, workers: [near, far] } = JSON.parse(await startServer(command, started));
    return { args: [...ports(near.port, far.port), "sio=1"], pids: [near.pid, far.pid, pid] };
  },
};

/** Two servers of socket.io with its Redis Streams adapter and connection state recovery. */
const socketIoRedis: Server = {
  name: "socket.io + Redis, Node",
  beside: "Firn, Deno",
  async start(started) {
    const redis = await broker(started, "redis-server", (port) => [
      ...["--port", `${port}`, "--bind", "127.0.0.1", "--save", "", "--appendonly", "no"],
    ]);
    const command = ["node", path("ws_redis_socketio.mjs"), folder, `${redis.port}`];
    const near = await startOne(command, started);
    const far = await startOne(command, started);
    return {
      args: [...ports(near.line, far.line), "sio=1"],
      pids: [near.pid, far.pid, redis.pid],
    };
  },
};

/** Starts a broker on a free port, and waits until it accepts connections. */
async function broker(
  started: Started,
  program: string,
  args: (port: number) => string[],
): Promise<{ readonly pid: number; readonly port: number }> {
  const port = (await freePorts(1))[0]!;
  const child = spawn(program, args(port), { stdio: ["pipe", "ignore", "ignore"] });
  started(child);
  for (let attempt = 0; attempt < 100; attempt++) {
    const isUp = await new Promise<boolean>((answered) => {
      const socket = connect(port, "127.0.0.1", () => {
        socket.destroy();
        answered(true);
      }).on("error", () => answered(false));
    });
    if (isUp) return { pid: child.pid!, port };
    await new Promise((again) => setTimeout(again, 50));
  }
  throw new Error(`${program} does not start`);
}

/** Returns the pairs that can run here. */
function pairs(): Server[] {
  const all = [ours("Firn, Deno", denoRun), bare("bare, Deno", denoRun)];
  const has = (needed: readonly string[]): boolean => needed.every((one) => packages.includes(one));
  const add = (server: Server, programs: readonly string[], needed: readonly string[]): void => {
    const missing = programs.filter((program) => version(program, "--version") === undefined);
    if (!has(needed)) missing.push(...needed);
    if (missing.length === 0) all.push(server);
    else say(`${server.name} is left out; not installed: ${missing.join(", ")}`);
  };
  add(ours("Firn, Bun", [bun]), [bun], []);
  add(bare("bare, Bun", [bun]), [bun], []);
  add(socketIo, ["node"], CLUSTER);
  add(socketIoRedis, ["node", "redis-server"], REDIS);
  add(ours("Firn + NATS, Deno", denoRun, folder), ["nats-server"], NATS);
  return all;
}

const LOADS: readonly Load[] = [
  { name: "200 × 64 B", args: ["members=200", "bytes=64", "rate=20000"] },
  { name: "200 × 64 B, eights", args: ["members=200", "bytes=64", "rate=100000", "burst=8"] },
  { name: "one member, 100 a second", args: ["members=1", "bytes=64", "rate=100"] },
  { name: "one member, 1000 a second", args: ["members=1", "bytes=64", "rate=1000"] },
];

const all = pairs();
const turns = await takeTurns("ws_pairs", folder, all, isTiny() ? [LOADS[1]!] : LOADS, options);
printTurns(
  "ws_pairs",
  turns,
  all,
  "CPU seconds of both servers for a million deliveries; + is what is between them.",
  ({ each }) => [each[0]! + each[1]!, each[2] ?? 0],
);
process.exit(0);
