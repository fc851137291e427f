/**
 * One of the two Firn nodes for `ws_pairs.ts`, on this runtime.
 *
 *     deno run -A bench/peers/ws_pairs_firn.ts near
 *     bun bench/peers/ws_pairs_firn.ts far NAME-OF-THE-NEAR-NODE
 *
 * Each prints its WebSocket port and its name on a line, the far node after it has connected.
 * With `nats=PORT,FOLDER` it has a relay over NATS, by the package that is installed in FOLDER.
 * Members use /sub, publishers /pub. Exits when its standard input ends.
 *
 * @module
 */
import { createRequire } from "node:module";
import process from "node:process";
import { natsRelay, type RelayTransport } from "../../lib/exports/cluster.ts";
import { Node } from "../../mod.ts";

const [short, ...given] = process.argv.slice(2);
const seeds = given.filter((name) => !name.startsWith("nats="));
const [nats, folder] = given.find((name) => name.startsWith("nats="))?.slice(5).split(",") ?? [];
const relay = nats === undefined ? undefined : await relayOver(nats, folder!);
const node = await Node.start({
  name: `${short}@127.0.0.1:0`,
  cookie: "the benches' own",
  seeds,
  logLevel: "warn",
  relay,
});
const server = await node.serve<string>({
  idleTimeout: 0,
  upgrade: (request) => ({ data: new URL(request.url).pathname }),
  open: (conn) => {
    if (conn.data === "/sub") conn.join("room");
  },
  message: (_conn, data) => node.rooms.broadcast("room", data),
});
if (node.peers().length < seeds.length) {
  await new Promise<unknown>((up) => node.on("nodeup", up));
}
process.stdout.write(`${JSON.stringify({ port: server.port, name: node.name })}\n`);
process.stdin.on("end", () => process.exit(0)).resume();

async function relayOver(port: string, folder: string): Promise<RelayTransport> {
  const { connect } = createRequire(`${folder}/x.js`)("@nats-io/transport-node");
  return natsRelay(await connect({ servers: `127.0.0.1:${port}` }));
}
