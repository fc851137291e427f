/**
 * Adds members to rooms that are not connections of `serve`: sockets of `Deno.serve`, of
 * `Bun.serve` or of a framework, and streams of server-sent events.
 *
 *     rooms.broadcast ─▶ Rooms ─▶ RoomTerms.messages: decoded once a batch ─┬─▶ SocketMember ─▶ socket.send
 *                                                                          └─▶ EventStream  ─▶ data: …
 *
 * A member that does not read is limited like a connection of `serve`: at its `backpressureLimit`,
 * it is closed or loses messages. It never delays other members.
 *
 * @module
 */
import {
  type Backpressure,
  type BackpressureOptions,
  checkBackpressure,
  completeBackpressure,
} from "./backpressure.ts";
import { EventStream } from "./event_stream.ts";
import type { Rooms } from "./rooms.ts";
import { type Member, RoomError, type RoomMessage, type RoomTerms } from "./room.ts";

/** Default of `backpressureLimit` of a member, in bytes. */
const BYTES_MAX = 1024 * 1024;
const DEFAULTS: Backpressure = { bytesMax: BYTES_MAX, policy: "close" };

/** The value of `readyState` of a socket that can send. */
const OPEN = 1;
/** Close code of the IANA registry: try again later. */
const TRY_AGAIN_LATER = 1013;

/**
 * Idle time in milliseconds after which an event stream sends a comment. Proxies close a connection
 * that is idle for 60 s.
 */
const KEEP_ALIVE_MS = 20_000;

/**
 * A WebSocket of another server: the standard class (`Deno.upgradeWebSocket`, Hono's `WSContext`),
 * or Bun's `ServerWebSocket`.
 */
export interface MessageSocket {
  /** Sends a text or binary message. */
  send(message: string | Uint8Array<ArrayBuffer>): unknown;
  /** Ends the connection. */
  close(code?: number, reason?: string): void;
  /** 1 while the socket can send. If the property is absent, the socket can always send. */
  readonly readyState?: number;
  /** Number of queued bytes (standard class). */
  readonly bufferedAmount?: number;
  /** Returns the number of queued bytes (Bun). */
  getBufferedAmount?(): number;
  /** The runtime's own socket inside a framework's wrapper (Hono). */
  readonly raw?: unknown;
}

/**
 * Returns a member of rooms that sends through a WebSocket of another server. Join it when the
 * socket opens, and call `rooms.leaveAll(member)` when it closes.
 *
 * `backpressureLimit` (default 1 MiB) bounds the bytes that wait in the socket, where the runtime
 * reports them; a message beyond it closes the socket with 1013, or is lost by the policy `"drop"`
 * (and `"latest"`, which needs a connection of `serve`). A room's own limits (`rooms.limit`) take
 * precedence.
 *
 * @example
 * ```ts
 * import { serve } from "@firn/firn";
 * import { roomMember } from "@firn/firn/ws";
 * import { assertEquals } from "@std/assert";
 *
 * await using server = await serve({});
 * const sent: unknown[] = [];
 * // In a program: Deno.upgradeWebSocket(request).socket, or the `ws` of Bun's and Hono's handlers.
 * const socket = { send: (message: unknown) => sent.push(message), close() {} };
 * const member = roomMember(socket);
 * server.rooms.join("lobby", member);
 * server.rooms.broadcast("lobby", "hello");
 * while (sent.length === 0) await new Promise((wake) => setTimeout(wake, 1));
 * assertEquals(sent, ["hello"]);
 * server.rooms.leaveAll(member);
 * ```
 */
export function roomMember(socket: MessageSocket, options: BackpressureOptions = {}): Member {
  return new SocketMember(socket, complete(options));
}

class SocketMember implements Member {
  readonly #socket: MessageSocket;
  readonly #limits: Backpressure;

  constructor(socket: MessageSocket, limits: Backpressure) {
    this.#socket = socket;
    this.#limits = limits;
  }

  sendShared(frames: Uint8Array, room: RoomTerms): void {
    const { bytesMax, policy } = completeBackpressure(room.backpressure, this.#limits);
    for (const message of room.messages(frames)) {
      const socket = this.#socket;
      if (socket.readyState !== undefined && socket.readyState !== OPEN) return;
      const waiting = buffered(socket) ?? 0;
      try {
        if (waiting === 0 || waiting + lengthOf(message) <= bytesMax) {
          socket.send(message as Uint8Array<ArrayBuffer>);
        } else if (policy === "close") {
          socket.close(TRY_AGAIN_LATER, "it does not read fast enough");
          return;
        }
      } catch {
        // Some sockets throw after they are closed, which must not affect other members.
        return;
      }
    }
  }
}

/** Options of {@linkcode eventStream}. */
export interface EventStreamOptions extends BackpressureOptions {
  /** Headers of the response, in addition to those of an event stream. Default: none. */
  readonly headers?: HeadersInit | undefined;
  /**
   * Milliseconds without a message after which a comment is sent, so that proxies keep the
   * connection. With 0, no comments are sent. Default 20000.
   */
  readonly keepAlive?: number | undefined;
}

/**
 * Returns a response of server-sent events (WHATWG HTML, section 9.2) that is a member of these
 * rooms until the client disconnects. A text message is sent as `data:`, a binary one in base64
 * with `event: binary`.
 *
 * `backpressureLimit` (default 1 MiB) bounds the bytes that wait for the client; a message beyond
 * it ends the stream (browsers reconnect by themselves), or is lost by the policy `"drop"`. A
 * room's own limits take precedence. Throws {@linkcode RoomError} if a room cannot be joined.
 *
 * @example
 * ```ts
 * import { serve, type Server } from "@firn/firn";
 * import { eventStream } from "@firn/firn/ws";
 * import { assertEquals } from "@std/assert";
 *
 * await using server: Server = await serve({ fetch: () => eventStream(server.rooms, ["news"]) });
 * const response = await fetch(`http://127.0.0.1:${server.port}/`);
 * server.rooms.broadcast("news", "snow");
 * const reader = response.body!.pipeThrough(new TextDecoderStream()).getReader();
 * assertEquals((await reader.read()).value, "data: snow\n\n");
 * await reader.cancel();
 * ```
 */
export function eventStream(
  rooms: Rooms,
  names: readonly string[],
  options: EventStreamOptions = {},
): Response {
  const { keepAlive = KEEP_ALIVE_MS } = options;
  if (!(keepAlive === 0 || keepAlive >= 10 && keepAlive < 2 ** 31)) {
    throw new RoomError("badoption", `option keepAlive is ${keepAlive}: use 0, or 10 ms or more`);
  }
  let timer: ReturnType<typeof setInterval> | undefined = undefined;
  const stream = new EventStream(complete(options), () => {
    clearInterval(timer);
    rooms.leaveAll(stream);
  });
  if (keepAlive > 0) timer = setInterval(() => stream.beat(), keepAlive);
  try {
    for (const name of names) rooms.join(name, stream);
  } catch (error) {
    stream.end();
    throw error;
  }
  return stream.response(options.headers);
}

/** Returns the bytes queued in a socket, or undefined if this is unknown. */
function buffered(socket: MessageSocket): number | undefined {
  if (socket.bufferedAmount !== undefined) return socket.bufferedAmount;
  if (socket.getBufferedAmount !== undefined) return socket.getBufferedAmount();
  const { raw } = socket;
  return typeof raw === "object" && raw !== null ? buffered(raw as MessageSocket) : undefined;
}

/** Returns an upper bound of a message's length in bytes of UTF-8. */
function lengthOf(message: RoomMessage): number {
  return typeof message === "string" ? message.length * 3 : message.length;
}

function complete(options: BackpressureOptions): Backpressure {
  checkBackpressure(options, (words) => new RoomError("badoption", words));
  return completeBackpressure(options, DEFAULTS);
}
