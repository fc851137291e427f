/**
 * socket.io for `ws_pairs.ts`: a primary and two workers, connected by its cluster adapter as in
 * the adapter's documentation, except that each worker has its own port.
 *
 *     node ws_pairs_socketio.mjs FOLDER
 *
 * FOLDER contains the installed npm packages. The primary prints the ports and the process ids of
 * the workers on a line. All exit when its standard input ends.
 */
import cluster from "node:cluster";
import { createServer } from "node:http";
import { createRequire } from "node:module";
import process from "node:process";

const require = createRequire(`${process.argv[2]}/x.js`);
const { createAdapter, setupPrimary } = require("@socket.io/cluster-adapter");

function primary() {
  setupPrimary();
  const workers = [cluster.fork(), cluster.fork()];
  const ports = new Map();
  const end = (code) => {
    for (const worker of workers) worker.process.kill("SIGKILL");
    process.exit(code);
  };
  for (const worker of workers) {
    worker.on("message", ({ port }) => {
      if (port === undefined || ports.size === 2) return;
      ports.set(worker, port);
      if (ports.size < 2) return;
      const said = workers.map((each) => ({ port: ports.get(each), pid: each.process.pid }));
      process.stdout.write(`${JSON.stringify({ pid: process.pid, workers: said })}\n`);
    });
    worker.on("exit", () => end(1));
  }
  process.stdin.on("end", () => end(0)).resume();
}

function worker() {
  const { Server } = require("socket.io");
  const http = createServer();
  const io = new Server(http, { transports: ["websocket"], perMessageDeflate: false });
  io.adapter(createAdapter());
  io.on("connection", (socket) => {
    if (socket.handshake.query.as === "/sub") socket.join("room");
    socket.on("m", (data) => io.to("room").emit("m", data));
  });
  http.listen(
    { port: 0, host: "127.0.0.1", exclusive: true },
    () => process.send({ port: http.address().port }),
  );
}

if (cluster.isPrimary) primary();
else worker();
