/**
 * Creates the terms of a connection with default values, so that a test sets only the values that
 * it needs.
 */
import type { ConnectionTerms } from "../../lib/ws/websocket_connection.ts";
import { Rooms } from "../../lib/ws/rooms.ts";
import { Scratch } from "../../lib/ws/scratch.ts";

/**
 * Returns a server's terms: the clock stands still, compression is off, and deferred tasks run at
 * once.
 */
export function termsWith(
  given: Partial<ConnectionTerms<undefined>>,
): ConnectionTerms<undefined> {
  return {
    handlers: {},
    rooms: new Rooms({ atFlush: (task) => task() }),
    log: () => {},
    input: new Scratch(),
    output: new Scratch(),
    payloadBytesMax: 1000,
    incomplete: undefined,
    backpressure: { bytesMax: 100_000, policy: "close" },
    createActor: undefined,
    role: "server",
    masker: undefined,
    closeTimeoutMs: 1000,
    sendMs: 1000,
    deflate: undefined,
    silence: undefined,
    tickMs: 1000,
    now: () => 0,
    later: (task) => task(),
    yieldToIo: (task) => task(),
    ended: () => {},
    ...given,
  };
}
