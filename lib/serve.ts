/**
 * `serve` for programs without a node: WebSockets with local rooms.
 *
 * @module
 */
import { systemHost } from "./start.ts";
import type { ServeOptions } from "./ws/options.ts";
import { serve as serveOn, type Server } from "./ws/server.ts";

/**
 * Serves WebSockets, and plain HTTP on the same port. The rooms are local to this server; with
 * `node.serve`, rooms span the cluster.
 *
 * @throws {OptionError} `code` "badoption": an option is invalid.
 * @throws {ListenError} `code` of the system: the port is in use, or not permitted.
 *
 * @example An echo server
 * ```ts
 * import { serve } from "@firn/firn";
 *
 * await using server = await serve({
 *   message: (conn, data) => conn.send(data),
 *   fetch: () => new Response("a WebSocket lives here"),
 * });
 * const socket = new WebSocket(server.url);
 * socket.onopen = () => socket.send("hello");
 * await new Promise((came) => socket.onmessage = came);
 * socket.close();
 * ```
 */
export function serve<Data = undefined>(options: ServeOptions<Data> = {}): Promise<Server> {
  return serveOn(systemHost(), options);
}
