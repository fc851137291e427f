/**
 * The floor for round trips in `mesh.ts`: two processes with a TLS connection of this runtime, and
 * no more. The far process writes back what it reads. A message is as long as a call's frame.
 *
 *     deno run -A bench/peers/mesh_bare.ts far
 *     bun bench/peers/mesh_bare.ts near call <port of the far process>
 *
 * Deno uses `node:tls`, and Bun its own sockets, as nodes do. The far process prints its port and
 * its process id on a line, and exits when its standard input ends.
 *
 * @module
 */
import process from "node:process";
import tls from "node:tls";
import { makeAuthority, makeLeaf } from "../../lib/mesh/certificate.ts";
import { eachTimed, reportTimes, TRIPS, WARM_TRIPS } from "./measure_trips.ts";

/** Length of the frame of a call with a number, and of its reply: 46 bytes as a TLS record. */
const MESSAGE_BYTES = 24;

/** The used part of Bun's sockets. */
interface BunSocket {
  write(bytes: Uint8Array): number;
}
interface BunHandlers {
  handshake?(socket: BunSocket): void;
  data(socket: BunSocket, bytes: Uint8Array): void;
}
interface BunSockets {
  listen(
    options: Readonly<Record<string, unknown>> & { socket: BunHandlers },
  ): { readonly port: number };
  connect(options: Readonly<Record<string, unknown>> & { socket: BunHandlers }): Promise<unknown>;
}
const bun = (globalThis as { Bun?: BunSockets }).Bun;

/** Listens, and writes back what arrives. Resolves to the port. */
async function listen(): Promise<number> {
  const authority = await makeAuthority(crypto.getRandomValues(new Uint8Array(32)));
  const serial = crypto.getRandomValues(new Uint8Array(16));
  const leaf = await makeLeaf(authority, "far@127.0.0.1:1", serial);
  if (bun !== undefined) {
    const socket: BunHandlers = { data: (socket, bytes) => void socket.write(bytes) };
    return bun.listen({ hostname: "127.0.0.1", port: 0, tls: leaf, socket }).port;
  }
  const server = tls.createServer({ ...leaf });
  server.on("secureConnection", (socket) => {
    socket.setNoDelay(true).on("data", (bytes) => socket.write(bytes));
  });
  await new Promise<void>((listening) => server.listen(0, "127.0.0.1", listening));
  return (server.address() as { port: number }).port;
}

/** Connects. Resolves to a function that sends a message. `received` is called for each reply. */
function connect(port: number, received: () => void): Promise<() => void> {
  const message = new Uint8Array(MESSAGE_BYTES);
  return new Promise((connected, failed) => {
    if (bun !== undefined) {
      const handshake = (socket: BunSocket): void => connected(() => void socket.write(message));
      bun.connect({
        hostname: "127.0.0.1",
        port,
        tls: { rejectUnauthorized: false },
        socket: { handshake, data: received },
      }).catch(failed);
      return;
    }
    const socket = tls.connect({ port, host: "127.0.0.1", rejectUnauthorized: false }, () => {
      socket.setNoDelay(true);
      connected(() => void socket.write(message));
    }).on("data", received).on("error", failed);
  });
}

const [side, run, port] = process.argv.slice(2);
if (side === "far") {
  process.stdout.write(
    `${JSON.stringify({ name: String(await listen()), process: process.pid })}\n`,
  );
  process.stdin.on("end", () => process.exit(0)).resume();
} else if (run === "call") {
  let replied = (): void => {};
  const send = await connect(Number(port), () => replied());
  await eachTimed("call", WARM_TRIPS, TRIPS, () => {
    return new Promise<void>((resolve) => {
      replied = resolve;
      send();
    });
  });
  process.exit(0);
} else {
  const times: number[] = [];
  let count = 0;
  let start = 0;
  const send = await connect(Number(port), () => {
    if (++count > WARM_TRIPS) times.push(performance.now() - start);
    if (times.length === TRIPS) {
      reportTimes("trip", times);
      process.exit(0);
    }
    start = performance.now();
    send();
  });
  send();
}
