// deno-lint-ignore-file no-console -- prints a table
/**
 * Question: which messages does a client miss when its server is killed?
 *
 *     deno run -A bench/peers/ws_kill.ts --rounds 3 --seconds 6
 *
 * Three servers: a client publishes 100 messages a second at the first; another receives at the
 * second, which is killed with SIGKILL after a third of the time, and reconnects to the third. Firn
 * uses a channel with history in two copies, and its own client. socket.io uses its Redis Streams
 * adapter, connection state recovery and its own client. Needs redis-server, Node and npm.
 *
 * @module
 */
import { type ChildProcess, spawn } from "node:child_process";
import process from "node:process";
import { Socket } from "../../lib/client/socket.ts";
import { freePorts } from "../../scripts/cluster/ports.ts";
import { readCommandLine, refuse } from "../command_line.ts";
import { startServer } from "./processes.ts";
import { install, temporaryFolder } from "./packages.ts";
import { bun, deno, path, version } from "./programs.ts";
import { say } from "./rounds.ts";

const HELP = `deno run -A bench/peers/ws_kill.ts [options]

  --rounds N    rounds (3; at most 50)
  --seconds N   duration of each (6; 3 to 60)
  --only TEXT   only runs with TEXT in their name: Firn, Deno · Firn, Bun · socket.io + Redis
  --help        this text`;

interface Result {
  readonly count: number;
  readonly received: readonly number[];
  readonly isRecovered: boolean;
}

const pause = (ms: number): Promise<void> => new Promise((over) => setTimeout(over, ms));

async function firn(runtime: readonly string[], seconds: number, add: (c: ChildProcess) => void) {
  const children: ChildProcess[] = [];
  const servers: { port: number; name: string }[] = [];
  for (const name of ["near", "middle", "far"]) {
    const seeds = servers.map(({ name }) => name);
    const line = await startServer(
      [...runtime, path("ws_kill_firn.ts"), name, ...seeds],
      (child) => {
        add(child);
        children.push(child);
      },
    );
    servers.push(JSON.parse(line));
  }
  await pause(1000);
  const [near, middle, far] = servers.map(({ port }) => `ws://127.0.0.1:${port}/socket`);
  const publisher = new Socket(near!);
  const receiver = new Socket([middle!, far!]);
  const room = publisher.channel("room:1");
  const there = receiver.channel("room:1");
  const received: number[] = [];
  let [joined, isRecovered] = [0, false];
  there.on("said", (n) => void received.push(n as unknown as number));
  there.when("joined", (details) => {
    joined++;
    isRecovered = (details as { recovered?: boolean }).recovered === true;
  });
  while (room.state !== "joined" || there.state !== "joined") await pause(20);
  const count = seconds * 100;
  for (let i = 0; i < count; i++) {
    room.push("say", i).catch(() => {});
    if (i === Math.floor(count / 3)) children[1]!.kill("SIGKILL");
    await pause(10);
  }
  await pause(2000);
  publisher.close();
  receiver.close();
  return { count, received, isRecovered: joined > 1 && isRecovered };
}

async function socketIo(folder: string, seconds: number, add: (c: ChildProcess) => void) {
  const port = (await freePorts(1))[0]!;
  const redis = ["--port", `${port}`, "--bind", "127.0.0.1", "--save", ""];
  add(spawn("redis-server", redis, { stdio: ["pipe", "ignore", "ignore"] }));
  await pause(500);
  const servers: { port: string; pid: number }[] = [];
  for (let i = 0; i < 3; i++) {
    let pid = 0;
    const command = ["node", path("ws_redis_socketio.mjs"), folder, `${port}`];
    const line = await startServer(command, (child) => {
      add(child);
      pid = child.pid!;
    });
    servers.push({ port: line, pid });
  }
  const ports = servers.map(({ port }) => port);
  const args = [...ports, `${servers[1]!.pid}`, `${seconds}`];
  return JSON.parse(
    await startServer(
      ["node", path("ws_kill_socketio.mjs"), folder, ...args],
      add,
      seconds * 2000 + 10_000,
    ),
  );
}

async function measure(run: (add: (child: ChildProcess) => void) => Promise<Result>) {
  const children: ChildProcess[] = [];
  try {
    return await run((child) => children.push(child));
  } finally {
    for (const child of children) child.kill("SIGKILL");
  }
}

const options = readCommandLine("ws_kill", HELP, { rounds: 3, seconds: 6, secondsMin: 3 });
const PACKAGES = [
  "socket.io@4",
  "socket.io-client@4",
  "@socket.io/redis-streams-adapter@0.3",
  "redis@5",
];
const folder = temporaryFolder("ws-kill");
const hasSocketIo = version("redis-server", "--version") !== undefined &&
  version("node", "--version") !== undefined &&
  install(folder, PACKAGES).length === PACKAGES.length;
if (!hasSocketIo) say("socket.io is left out: it needs redis-server, Node and its packages.");
const onDeno = [deno, "run", "-A", "-q", "--no-lock"];
const runs = ["Firn, Deno", "Firn, Bun", "socket.io + Redis, Node"].filter(options.wants);
if (runs.length === 0) refuse("ws_kill", "no run has each --only in its name (--help)");
console.log("| system | sent | lost | received twice | out of order | recovered |");
console.log("|---|--:|--:|--:|--:|---|");
for (let round = 1; round <= options.rounds; round++) {
  for (const name of runs) {
    if (name.startsWith("socket") && !hasSocketIo) continue;
    say(`round ${round} of ${options.rounds}: ${name}`);
    const { count, received, isRecovered } = await measure((add) =>
      name.startsWith("socket")
        ? socketIo(folder, options.seconds, add)
        : firn(name.endsWith("Bun") ? [bun] : onDeno, options.seconds, add)
    );
    const lost = count - new Set(received).size;
    const twice = received.length - new Set(received).size;
    const disorder = received.filter((n, i) => i > 0 && n < received[i - 1]!).length;
    console.log(`| ${name} | ${count} | ${lost} | ${twice} | ${disorder} | ${isRecovered} |`);
  }
}
process.exit(0);
