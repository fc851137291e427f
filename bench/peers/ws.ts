/**
 * Compares the WebSocket servers of Firn, Bun and Deno, `npm:ws` and socket.io, by the CPU time of
 * the server per million deliveries:
 *
 *     deno run -A bench/peers/ws.ts --seconds 5 --calm 60
 *
 * All servers run and take turns (`turns.ts`). A room has 20,000 deliveries per second, one message
 * per turn, or 100,000 in bursts of eight that arrive in one segment.
 *
 * @module
 */
import process from "node:process";
import { readCommandLine } from "../command_line.ts";
import { isTiny } from "../kit.ts";
import { install, temporaryFolder } from "./packages.ts";
import { bun, deno, path, version } from "./programs.ts";
import { say } from "./rounds.ts";
import { type Load, oneServer, printTurns, type Server, takeTurns } from "./turns.ts";

const HELP = `deno run -A bench/peers/ws.ts [options]

  --seconds N   measured of each server at each load, in turns of 0.25 s (5; at most 60)
  --rounds N    how often this is done (1; at most 50)
  --calm N      wait at most N seconds for an idle machine before each load (0)
  --only TEXT   only loads and servers, "load: server", with TEXT in their name
  --help        this text

Needs gcc. Peers that are not installed are left out: Bun, Node, and the packages
ws and socket.io, which npm installs into a temporary folder.`;

const options = readCommandLine("ws", HELP, {
  rounds: 1,
  seconds: isTiny() ? 0.1 : 5,
  secondsMin: 0.1,
});
const folder = temporaryFolder("ws");
const packages = install(folder, ["ws@8", "socket.io@4"]);

const others = path("ws_others.mjs");
const denoRun = [deno, "run", "-A", "-q", "--no-lock"];
const plainDeno = [...denoRun, "--no-config", others];

/** Returns the servers that can run here. */
function servers(): Server[] {
  const all: Server[] = [oneServer("Firn, Deno", [...denoRun, path("ws_firn.ts")])];
  const hasWs = packages.includes("ws@8");
  const [onDeno, onBun] = [{ beside: "Firn, Deno" }, { beside: "Firn, Bun" }];
  all.push(oneServer("Deno native", [...plainDeno, "native"], onDeno));
  if (hasWs) all.push(oneServer("ws, Deno", [...plainDeno, "ws", folder], onDeno));
  if (version(bun, "--version") !== undefined) {
    all.push(oneServer("Firn, Bun", [bun, path("ws_firn.ts")]));
    all.push(oneServer("Bun publish", [bun, others, "publish"], onBun));
    if (hasWs) all.push(oneServer("ws, Bun", [bun, others, "ws", folder], onBun));
  } else say("Bun is not on the PATH (BUN_BIN can name it): it is left out.");
  if (version("node", "--version") === undefined) say("Node is not on the PATH: it is left out.");
  else {
    if (hasWs) all.push(oneServer("ws, Node", ["node", others, "ws", folder], onDeno));
    if (packages.includes("socket.io@4")) {
      const command = ["node", others, "socketio", folder];
      all.push(oneServer("socket.io, Node", command, { ...onDeno, args: ["sio=1"] }));
    }
  }
  if (packages.length < 2) say("Packages that are not installed are left out: ws, socket.io.");
  return all;
}

const LOADS: readonly Load[] = [
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

const all = servers();
const loads = isTiny() ? [LOADS[1]!] : LOADS;
const turns = await takeTurns("ws", folder, all, loads, options);
printTurns("ws", turns, all, "CPU seconds of the server for a million deliveries.");
process.exit(0);
