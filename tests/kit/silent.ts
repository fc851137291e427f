/**
 * Servers that accept connections and never answer.
 */
import { createServer, type Socket } from "node:net";

/** A server that accepts connections and never answers. */
export interface SilentServer {
  readonly port: number;
  /** Number of accepted connections. */
  readonly count: number;
  close(): Promise<void>;
}

/** Listens on an address of this machine. */
export async function silentServer(hostname: string = "127.0.0.1"): Promise<SilentServer> {
  const open = new Set<Socket>();
  const silent = { port: 0, count: 0, close };
  const server = createServer((socket) => {
    silent.count++;
    open.add(socket);
    socket.on("error", () => {}).on("end", () => socket.destroy());
    socket.on("close", () => open.delete(socket)).resume();
  });
  await new Promise<void>((listening) => server.listen(0, hostname, listening));
  silent.port = (server.address() as { port: number }).port;

  function close(): Promise<void> {
    const closed = new Promise<void>((done) => server.close(() => done()));
    for (const socket of open) socket.destroy();
    return closed;
  }
  return silent;
}
