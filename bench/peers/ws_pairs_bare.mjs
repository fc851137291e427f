/**
 * The floor for `ws_pairs.ts`: two processes with the sockets of this runtime, and no more.
 *
 *     deno run -A ws_pairs_bare.mjs near
 *     bun ws_pairs_bare.mjs far PORT-OF-THE-LINK
 *
 * The near process unmasks a publisher's message and writes it, as a frame for members, to a
 * connection of `node:tls` with the far one, which writes each chunk that it reads to all members.
 * There are no rooms, limits, queues, pings or messages between nodes. Each prints its ports on a
 * line, and exits when its standard input ends.
 */
import { Buffer } from "node:buffer";
import { createHash } from "node:crypto";
import process from "node:process";
import tls from "node:tls";
import { makeAuthority, makeLeaf } from "../../lib/mesh/certificate.ts";

const [role, link] = process.argv.slice(2);
let members = [];
/** The connection of the near process to the far process. */
let other;

const GUID = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";

/** Returns the response to an upgrade request. */
function upgrade(head) {
  const key = /^sec-websocket-key: *(\S+)/im.exec(head)[1];
  const accept = createHash("sha1").update(key + GUID).digest("base64");
  return Buffer.from(
    "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n" +
      `Sec-WebSocket-Accept: ${accept}\r\n\r\n`,
  );
}

/** Returns a frame of at most 125 bytes, unmasked. */
function unmasked(bytes) {
  const length = bytes[1] & 127;
  const frame = new Uint8Array(2 + length);
  frame[0] = bytes[0];
  frame[1] = length;
  for (let i = 0; i < length; i++) frame[2 + i] = bytes[6 + i] ^ bytes[2 + (i & 3)];
  return frame;
}

/** Handles the bytes of a client. `write` writes to it. */
function received(socket, bytes, write) {
  if (socket.isOpen) {
    if (socket.isPublisher) other?.write(unmasked(bytes));
    return;
  }
  socket.isOpen = true;
  const head = Buffer.from(bytes).toString("latin1");
  socket.isPublisher = head.startsWith("GET /pub");
  write(socket, upgrade(head));
  if (head.startsWith("GET /sub")) members.push(socket);
}

/** Removes a client that has disconnected. */
function closed(socket) {
  members = members.filter((each) => each !== socket);
}

/** Connects the two processes, and prints the ports. */
async function connect(port, toAll) {
  if (role === "near") {
    const authority = await makeAuthority(crypto.getRandomValues(new Uint8Array(32)));
    const serial = crypto.getRandomValues(new Uint8Array(16));
    const server = tls.createServer(await makeLeaf(authority, "near@127.0.0.1:1", serial));
    server.on("secureConnection", (socket) => other = socket.setNoDelay(true));
    await new Promise((listening) => server.listen(0, "127.0.0.1", listening));
    ready(port, server.address().port);
  } else {
    const at = { port: Number(link), host: "127.0.0.1", rejectUnauthorized: false };
    const socket = tls.connect(at, () => ready(port));
    socket.on("data", toAll);
  }
}

function ready(port, linkPort) {
  process.stdout.write(`${JSON.stringify({ port, link: linkPort })}\n`);
}

function onDeno() {
  const write = (socket, bytes) => void socket.conn.write(bytes).catch(() => {});
  /** Maximum number of concurrent writes: with more, each costs more (`lib/host/deno_stream.ts`). */
  const WRITES = 32;
  const toAll = (frame) => {
    let next = 0;
    const go = () => {
      if (next < members.length) members[next++].conn.write(frame).then(go, go);
    };
    for (let i = 0; i < WRITES; i++) go();
  };
  const serve = async (conn) => {
    conn.setNoDelay(true);
    const socket = { conn };
    const buffer = new Uint8Array(4096);
    try {
      for (let n; (n = await conn.read(buffer)) !== null;) {
        received(socket, buffer.subarray(0, n), write);
      }
    } catch {
      // Ignores the error: the client has reset the connection.
    }
    closed(socket);
  };
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  (async () => {
    for await (const conn of listener) serve(conn);
  })();
  return connect(listener.addr.port, toAll);
}

function onBun() {
  const write = (socket, bytes) => void socket.write(bytes);
  const data = (socket, bytes) => received(socket, bytes, write);
  const { port } = Bun.listen({
    hostname: "127.0.0.1",
    port: 0,
    socket: { data, close: closed },
  });
  return connect(port, (frame) => {
    for (let i = 0; i < members.length; i++) members[i].write(frame);
  });
}

process.stdin.on("end", () => process.exit(0)).resume();
await (globalThis.Bun === undefined ? onDeno() : onBun());
