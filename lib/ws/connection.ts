/**
 * The public interface of one WebSocket: its states, methods, handlers and errors. Implemented by
 * `websocket_connection.ts`.
 *
 * @module
 */
import type { Address } from "../host/stream.ts";
import type { Pid } from "../term/pid.ts";
import type { Self } from "../actor/self.ts";
import type { SendResult } from "./outbox.ts";
import type { Member } from "./room.ts";

/**
 * The states of a connection.
 *
 * @example
 * ```ts
 * import { CONNECTION_STATES, type ConnectionState } from "@firn/firn/ws";
 * import { assertEquals } from "@std/assert";
 *
 * const counts = new Map<ConnectionState, number>(CONNECTION_STATES.map((state) => [state, 0]));
 * assertEquals(counts.get("open"), 0);
 * ```
 */
export const CONNECTION_STATES = ["open", "closing", "closed"] as const;

/** One of {@linkcode CONNECTION_STATES}. */
export type ConnectionState = (typeof CONNECTION_STATES)[number];

/**
 * The error for a ping payload that is too long.
 *
 * @example
 * ```ts
 * import { connect, Node } from "@firn/firn";
 * import { PingError } from "@firn/firn/ws";
 * import { assertThrows } from "@std/assert";
 *
 * await using node = await Node.start({ logLevel: "silent" });
 * const server = await node.serve({});
 * await using client = await connect(server.url);
 * assertThrows(() => client.connection.ping(new Uint8Array(126)), PingError);
 * ```
 */
export class PingError extends RangeError {
  /** The name of the class. */
  override readonly name = "PingError";
  /** Stable code: `"badping"`. */
  readonly code = "badping";
}

/** One WebSocket: the public interface of a connection. */
export interface Connection<Data = undefined> extends Member {
  /** A number that is unique within the server. */
  readonly id: number;
  /** The peer's address, or the client's address behind a trusted proxy. */
  readonly remoteAddress: Address;
  /** The negotiated subprotocol. */
  readonly protocol: string | undefined;
  /** Data of the application; its initial value is returned by the upgrade hook. */
  data: Data;
  /**
   * The connection as an actor, which any actor in the cluster can send to, link to and monitor.
   * Its messages are passed to the `info` handler. The actor exits when the socket closes, with the
   * reason `{ shutdown: { code, reason } }`. If the actor exits first, the socket is closed: with
   * 1001 for a normal reason or a shutdown, otherwise with 1011. `undefined` on a server without a
   * node.
   */
  readonly pid: Pid<unknown> | undefined;
  /** The actor's `self`, for links, monitors and calls. `undefined` without a pid. */
  readonly self: Self | undefined;
  /**
   * Aborted when nothing more can be sent: either side has closed, or the connection is lost. For
   * long-running handlers: `await fetch(url, { signal: conn.signal })`.
   */
  readonly signal: AbortSignal;
  /** The state of the connection. */
  readonly state: ConnectionState;
  /** Number of queued bytes that the system has not accepted yet. */
  readonly buffered: number;
  /** The rooms that the connection has joined. */
  readonly rooms: ReadonlySet<string>;
  /** Sends a string as text or bytes as binary; bytes are copied. Never blocks. */
  send(data: string | Uint8Array): SendResult;
  /** Sends a ping of at most 125 bytes. Throws {@linkcode PingError} if the payload is longer. */
  ping(payload?: string | Uint8Array): SendResult;
  /**
   * Sends a close frame, and waits for the peer's close frame. Earlier messages are still
   * delivered. The reason is truncated to 123 bytes. Has no effect unless the connection is open.
   */
  close(code?: number, reason?: string): void;
  /**
   * Joins a room of the connection's server. Has no effect unless the connection is open. Throws a
   * `RoomError` if the name is invalid or the connection has joined too many rooms. Other nodes are
   * informed shortly after: see `Rooms.join`.
   */
  join(room: string): void;
  /** Leaves a room. */
  leave(room: string): void;
}

/**
 * The handlers of connections. A returned promise is awaited before the next message is handled;
 * other results are ignored. A handler that throws closes its own connection with 1011.
 */
export interface ConnectionHandlers<Data> {
  /** Called when the connection has opened. */
  open?(conn: Connection<Data>): unknown;
  /** Called with each message: a string if it was sent as text. */
  message?(conn: Connection<Data>, data: string | Uint8Array): unknown;
  /**
   * Called with each message to the connection's `pid`, and with `Exit` and `Down`. Messages are
   * handled one at a time.
   */
  info?(conn: Connection<Data>, message: unknown): unknown;
  /**
   * Called when the connection has ended. Code 1005: the peer's close frame had no code. 1006: no
   * close frame arrived.
   */
  close?(conn: Connection<Data>, code: number, reason: string): unknown;
  /** Called when all queued bytes were sent, after a send returned "behind" or "dropped". */
  drain?(conn: Connection<Data>): unknown;
}
