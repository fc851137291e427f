/**
 * The other servers for `ws.ts`, in plain JavaScript, so that Node can run them too:
 *
 *     ws_others.mjs publish | native | ws | socketio [FOLDER]
 *
 * FOLDER contains the installed npm packages.
 */
import { createRequire } from "node:module";
import process from "node:process";

const [what, folder] = process.argv.slice(2);
const room = new Set();
const ready = (port) => process.stdout.write(`${port}\n`);
const require = createRequire(`${folder ?? process.cwd()}/x.js`);

/** Starts Bun's server, which broadcasts with `publish`. */
function publish() {
  const server = Bun.serve({
    port: 0,
    hostname: "127.0.0.1",
    fetch: (request, server) =>
      server.upgrade(request, { data: new URL(request.url).pathname })
        ? undefined
        : new Response("", { status: 400 }),
    websocket: {
      idleTimeout: 0,
      open: (socket) => socket.data === "/sub" && socket.subscribe("room"),
      message: (socket, data) =>
        socket.data === "/pub" ? server.publish("room", data) : socket.send(data),
    },
  });
  ready(server.port);
}

/** Starts Deno's server, which broadcasts in a loop. */
function native() {
  Deno.serve(
    { port: 0, hostname: "127.0.0.1", onListen: ({ port }) => ready(port) },
    (request) => {
      const { socket, response } = Deno.upgradeWebSocket(request, { idleTimeout: 0 });
      const { pathname } = new URL(request.url);
      socket.onopen = () => pathname === "/sub" && room.add(socket);
      socket.onclose = () => room.delete(socket);
      socket.onmessage = ({ data }) => {
        if (pathname === "/pub") { for (const each of room) each.send(data); }
        else socket.send(data);
      };
      return response;
    },
  );
}

/** Starts a server of `npm:ws`, which broadcasts in a loop, as in its documentation. */
function ws() {
  const { WebSocketServer } = require(`${folder}/node_modules/ws/index.js`);
  const server = new WebSocketServer({ port: 0, host: "127.0.0.1", perMessageDeflate: false });
  server.on("connection", (socket, { url }) => {
    if (url === "/sub") room.add(socket);
    socket.on("close", () => room.delete(socket));
    socket.on("message", (data, binary) => {
      if (url === "/pub") { for (const each of room) each.send(data, { binary }); }
      else socket.send(data, { binary });
    });
  });
  server.on("listening", () => ready(server.address().port));
}

/** Starts a server of socket.io, with WebSockets only. */
function socketio() {
  const { Server } = require("socket.io");
  const http = require("node:http").createServer();
  const io = new Server(http, { transports: ["websocket"], perMessageDeflate: false });
  io.on("connection", (socket) => {
    const { as } = socket.handshake.query;
    if (as === "/sub") socket.join("room");
    socket.on(
      "m",
      (data) => as === "/pub" ? io.to("room").emit("m", data) : socket.emit("m", data),
    );
  });
  http.listen(0, "127.0.0.1", () => ready(http.address().port));
}

({ publish, native, ws, socketio })[what]();
