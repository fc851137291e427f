/**
 * A server of socket.io with its Redis Streams adapter and connection state recovery, for
 * `ws_pairs.ts` and `ws_kill.ts`, as in the adapter's documentation.
 *
 *     node ws_redis_socketio.mjs FOLDER REDIS-PORT
 *
 * FOLDER contains the installed npm packages. Prints its port on a line. Exits when its standard
 * input ends.
 */
import { createServer } from "node:http";
import { createRequire } from "node:module";
import process from "node:process";

const [, , folder, redis] = process.argv;
const require = createRequire(`${folder}/x.js`);
const { createAdapter } = require("@socket.io/redis-streams-adapter");
const { createClient } = require("redis");
const { Server } = require("socket.io");

const client = createClient({ url: `redis://127.0.0.1:${redis}` });
await client.connect();
const http = createServer();
const io = new Server(http, {
  transports: ["websocket"],
  perMessageDeflate: false,
  connectionStateRecovery: { maxDisconnectionDuration: 120_000 },
  adapter: createAdapter(client),
});
io.on("connection", (socket) => {
  if (socket.handshake.query.as === "/sub") socket.join("room");
  socket.on("m", (data) => io.to("room").emit("m", data));
});
process.stdin.on("end", () => process.exit(0)).resume();
http.listen(0, "127.0.0.1", () => process.stdout.write(`${http.address().port}\n`));
