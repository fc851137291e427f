/** A server for WebSockets and plain HTTP, for the duration of a test. */
import { assertEquals } from "@std/assert";
import type { ServeOptions } from "../../lib/ws/options.ts";
import { serve, type Server } from "../../lib/ws/server.ts";
import { makeHost } from "../kit/host.ts";

/** Runs `body` with a server and its log, and stops the server afterwards. */
export async function serving<Data = undefined>(
  options: ServeOptions<Data>,
  body: (server: Server, log: string[]) => Promise<void>,
): Promise<void> {
  const log: string[] = [];
  const server = await serve(makeHost(), { log: ({ line }) => log.push(line), ...options });
  try {
    await body(server, log);
  } finally {
    await server.stop({ timeout: 500 });
    assertEquals(server.connections, 0);
  }
}
