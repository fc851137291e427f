/**
 * A plain listener on a port that several processes share, on Deno.
 *
 * `Deno.listen` shares a port only with an unstable flag, so this listener uses `node:net`. Unlike
 * other listeners, it has no watchdog: a connection to its own address may reach another process.
 *
 * @module
 */
import { type AddressInfo, createServer, type ListenOptions, type Server } from "node:net";
import type { FlushPoint } from "./flush_point.ts";
import type { Listener } from "./host.ts";
import { listenError } from "./listen_error.ts";
import { NodeStream } from "./node_stream.ts";
import type { Address, Stream } from "./stream.ts";

/** Listens with `SO_REUSEPORT`. Rejects with a `ListenError`. */
export async function listenShared(
  point: FlushPoint,
  at: Address,
  accept: (stream: Stream) => void,
): Promise<Listener> {
  const server = createServer({ allowHalfOpen: true }, (socket) => {
    const remote = { hostname: socket.remoteAddress ?? "", port: socket.remotePort ?? 0 };
    accept(new NodeStream(point, socket, remote));
  });
  await new Promise<void>((listening, fail) => {
    server.once("error", (error) => fail(listenError(error, at)));
    const options: ListenOptions = { host: at.hostname, port: at.port, reusePort: true };
    server.listen(options, listening);
  });
  server.on("error", () => {});
  return new SharedListener(server);
}

class SharedListener implements Listener {
  readonly address: Address;
  readonly #server: Server;

  constructor(server: Server) {
    const { address, port } = server.address() as AddressInfo;
    this.address = { hostname: address, port };
    this.#server = server;
  }

  secure(): void {}

  close(): Promise<void> {
    // Not awaited, because its callback waits for every open connection.
    this.#server.close();
    return Promise.resolve();
  }
}
