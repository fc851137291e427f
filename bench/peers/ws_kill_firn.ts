/**
 * One of the three Firn nodes for `ws_kill.ts`, with a channel with history in two copies.
 *
 *     deno run -A bench/peers/ws_kill_firn.ts NAME [SEED]
 *
 * Prints its WebSocket port and its name on a line. Exits when its standard input ends.
 *
 * @module
 */
import process from "node:process";
import { channel } from "../../lib/exports/channels.ts";
import { Node } from "../../mod.ts";

const [short, ...seeds] = process.argv.slice(2);
const node = await Node.start({
  name: `${short}@127.0.0.1:0`,
  cookie: "the benches' own",
  seeds,
  logLevel: "error",
});
const room = channel("room:*", {
  history: { size: 1_000, copies: 2 },
  on: { say: (payload: unknown, socket) => void socket.broadcast("said", payload) },
});
const server = await node.serve({ channels: [room] });
process.stdout.write(`${JSON.stringify({ port: server.port, name: node.name })}\n`);
process.stdin.on("end", () => process.exit(0)).resume();
