// deno-lint-ignore-file no-console -- prints a table
/**
 * Measures our WebSocket server beside Bun's, Deno's, npm's `ws` and socket.io, by the CPU that each
 * server takes for a million deliveries:
 *
 *     deno run -A bench/peers/ws.ts --rounds 5 --seconds 3 --calm 60
 *
 * One server runs at a time, all in each round, so that a busy minute of the machine hits them alike.
 * The load client is a C program in a process of its own (`ws_load.c`, needs gcc); it asks for 20,000
 * deliveries a second, one message a turn, or for 100,000 in bursts of eight that come in one segment.
 *
 * @module
 */
import { spawn, spawnSync } from "node:child_process";
import { mkdtempSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { fileURLToPath } from "node:url";
import { parseArgs } from "@std/cli/parse-args";
import { calm } from "./calm.ts";

const options = parseArgs(process.argv.slice(2), {
  string: ["rounds", "seconds", "calm", "only"],
  default: { rounds: "5", seconds: "3", calm: "0", only: "" },
});

const here = (file: string): string => fileURLToPath(new URL(file, import.meta.url));
const OTHERS = here("ws_others.mjs");
const DENO = ["deno", "run", "-A", "-q", "--no-lock"];

/** Where the load client and npm's packages are. */
const folder = mkdtempSync(join(tmpdir(), "firn-ws-peers-"));

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

/** What the load client says. */
interface Figures {
  readonly cpuPerMillion: number;
  readonly perSecond: number;
  readonly server: number;
  readonly client: number;
  readonly p50: number;
  readonly p99: number;
}

function must(command: string, args: readonly string[]): void {
  const { status, stderr } = spawnSync(command, args, { cwd: folder, encoding: "utf8" });
  if (status === 0) return;
  console.error(`bench/peers/ws: ${command} ${args.join(" ")} failed\n${stderr}`);
  process.exit(1);
}

function prepare(): void {
  must("gcc", ["-O2", "-o", join(folder, "ws_load"), here("ws_load.c")]);
  writeFileSync(join(folder, "package.json"), "{}");
  must("npm", ["install", "--no-audit", "--no-fund", "--silent", "ws@8", "socket.io@4"]);
}

async function run(server: Server, { args }: Row): Promise<Figures | undefined> {
  const [program, ...rest] = server.command;
  const child = spawn(program!, rest, { stdio: ["ignore", "pipe", "inherit"] });
  try {
    const port = await new Promise<string>((ready, fail) => {
      child.stdout.once("data", (text) => ready(String(text).trim()));
      child.once("exit", () => fail(new Error(`${server.name} does not start`)));
      child.once("error", fail);
    });
    const all = [`port=${port}`, `pid=${child.pid}`, `seconds=${options.seconds}`, ...args];
    if (server.sio) all.push("sio=1");
    return await figures(all);
  } catch (error) {
    console.error(`${server.name}: ${error}`);
    return undefined;
  } finally {
    child.removeAllListeners("exit");
    child.kill("SIGKILL");
  }
}

function figures(args: readonly string[]): Promise<Figures> {
  return new Promise((done, fail) => {
    const child = spawn(join(folder, "ws_load"), args, { stdio: ["ignore", "pipe", "inherit"] });
    let text = "";
    child.stdout.on("data", (more) => text += more);
    child.on("close", (status) => {
      if (status === 0) done(JSON.parse(text));
      else fail(new Error(`ws_load ended with ${status}`));
    });
  });
}

function median(values: readonly number[]): number {
  return [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)] ?? NaN;
}

prepare();
const wanted = (name: string): boolean => name.includes(options.only);
const results = new Map<string, Figures[]>();
for (let round = 1; round <= Number(options.rounds); round++) {
  for (const row of ROWS) {
    for (const server of SERVERS) {
      const key = `${row.name}: ${server.name}`;
      if (!wanted(key)) continue;
      const used = await calm(Number(options.calm));
      const got = await run(server, row);
      if (got === undefined) continue;
      results.set(key, [...results.get(key) ?? [], got]);
      console.error(
        `${round} ${key}: ${JSON.stringify(got)}, others use ${Math.round(100 * used)} %`,
      );
    }
  }
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
