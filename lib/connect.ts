/**
 * `connect`: a WebSocket client for programs on Deno and Bun.
 *
 * @module
 */
import { systemHost } from "./start.ts";
import type { Client, ClientOptions, PerAttempt } from "./ws/client.ts";
import { connect as connectOn } from "./ws/websocket_client.ts";

/**
 * Connects to a WebSocket server, and reconnects when the connection is lost. Limits, compression,
 * backpressure and handlers are the same as those of the server. The URL, `headers` and `protocols`
 * may be functions, which are called for each attempt. When the client gives up, its `state` is
 * "failed", `error` is the reason, `ended` resolves with it, and `stateChange` is called.
 *
 * @throws {OptionError} `code` "badoption": the URL or an option is invalid.
 * @throws {ConnectError} `code` is the reason: "refused", "timeout", "untrusted", …
 * @throws {HandshakeError} `code` "handshake": the server rejects the WebSocket; `status` is the
 * status of its response.
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
