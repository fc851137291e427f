/**
 * `connect`: a WebSocket client for a program of Deno's or Bun's.
 *
 * @module
 */
import { systemHost } from "./start.ts";
import {
  type Client,
  type ClientOptions,
  connect as connectOn,
  type PerAttempt,
} from "./ws/client.ts";

/**
 * Connects to a WebSocket server, and connects again when the connection is lost. It has what the server
 * has: limits, compression, backpressure, the same handlers. The URL, `headers` and `protocols` may be
 * functions, which are called for each attempt. When the client gives up, its `state` is "failed", `error`
 * is why, `ended` resolves with it, and `stateChange` is called.
 *
 * @throws {OptionError} `code` "badoption": the URL or an option cannot be.
 * @throws {ConnectError} `code` says why there is no connection: "refused", "timeout", "untrusted", …
 * @throws {HandshakeError} `code` "handshake": the server opens no WebSocket; `status` is its answer.
 *
 * @example Ask an echo server
 * ```ts
 * import { connect, serve } from "@firn/firn";
 * import { assertEquals } from "@std/assert";
 *
 * await using server = await serve({ message: (conn, data) => conn.send(data) });
 * const { promise, resolve } = Promise.withResolvers<string | Uint8Array>();
 * await using client = await connect(server.url, { message: (_conn, data) => resolve(data) });
 * client.send("hello");
 * assertEquals(await promise, "hello");
 * ```
 */
export function connect<Data = undefined>(
  url: PerAttempt<string | URL>,
  options: ClientOptions<Data> = {},
): Promise<Client<Data>> {
  return connectOn(systemHost(), url, options);
}
