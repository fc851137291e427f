/**
 * The public interface of a WebSocket client: its options, states, methods and errors. Implemented
 * by `websocket_client.ts`.
 *
 * @module
 */
import type { LogSink } from "../base/log.ts";
import type { BackpressureOptions } from "./backpressure.ts";
import type { Connection, ConnectionHandlers } from "./connection.ts";
import type { DeflateOptions } from "./options.ts";
import type { SendResult } from "./outbox.ts";
import type { ReconnectOptions } from "./reconnect.ts";

/**
 * A value, or a function that is called for each attempt to connect and returns the value, such as
 * a fresh token or the URL of another server.
 */
export type PerAttempt<Value> = Value | (() => Value | Promise<Value>);

/** Describes a change of a client's state. */
export interface ClientChange {
  /** The new state of the client. */
  readonly state: ClientState;
  /** The previous state of the client. */
  readonly previous: ClientState;
  /** Number of consecutive failed attempts to connect. */
  readonly failures: number;
  /** Milliseconds until the next attempt, if the new state is "waiting"; otherwise `undefined`. */
  readonly delay: number | undefined;
  /**
   * The reason why the last connection or attempt ended; for "failed" a {@linkcode ReconnectError}.
   */
  readonly error: Error | undefined;
}

/** Options of a client. */
export interface ClientOptions<Data = undefined>
  extends ConnectionHandlers<Data>, BackpressureOptions {
  /** The initial `data` of each connection. Default: undefined. */
  readonly data?: Data;
  /**
   * Subprotocols to offer, in order of preference; a function is called for each attempt. Default:
   * none.
   */
  readonly protocols?: PerAttempt<readonly string[]> | undefined;
  /**
   * Further headers of the request; a function is called for each attempt. Headers of the
   * handshake itself are rejected. Default: none.
   */
  readonly headers?: PerAttempt<HeadersInit> | undefined;
  /**
   * Closes the client when this signal is aborted. A pending `connect` then rejects with the
   * signal's reason. Default: none.
   */
  readonly signal?: AbortSignal | undefined;
  /**
   * Maximum number of bytes that `send` queues while there is no connection. Default 0: nothing is
   * queued.
   */
  readonly sendBufferLimit?: number | undefined;
  /** Called when the client's state has changed. */
  stateChange?(client: Client<Data>, change: ClientChange): unknown;
  /**
   * TLS options for `wss:` URLs. `ca`: certificates of the trusted authorities (default:
   * `rootCertificates` of `node:tls`); `cert` and `key`: certificate and key of the client
   * (default: none); each as PEM. `serverName`: the name that the server's certificate must contain
   * (default: the host of the URL).
   */
  readonly tls?: {
    readonly ca?: string | undefined;
    readonly serverName?: string | undefined;
    readonly cert?: string | undefined;
    readonly key?: string | undefined;
  } | undefined;
  /** Whether to offer compression of messages to the server, and its options. Default false. */
  readonly perMessageDeflate?: boolean | DeflateOptions | undefined;
  /** Maximum length of a message, in bytes. Default 16 MiB. */
  readonly maxPayloadLength?: number | undefined;
  /**
   * Seconds without data from the server after which the connection is aborted; a ping is sent
   * after half of this time. 0 means no limit. Default 30.
   */
  readonly idleTimeout?: number | undefined;
  /**
   * Time limit in milliseconds for each step of an attempt: the promise of an option that is a
   * function, the connection, and the server's response. Default 10000.
   */
  readonly handshakeTimeout?: number | undefined;
  /**
   * Milliseconds to wait for the server's close frame after this side's close frame was sent; then
   * the connection is aborted. Default 5000.
   */
  readonly closeTimeout?: number | undefined;
  /** Whether and how to reconnect when a connection ends. Default true. */
  readonly reconnect?: boolean | ReconnectOptions | undefined;
  /** Receives log entries, for example about failed handlers. Default: the host's log. */
  readonly log?: LogSink | undefined;
}

/**
 * The error of `connect` if no WebSocket was opened: the server rejected it, or did not answer in
 * time.
 *
 * @example
 * ```ts
 * import { connect, Node } from "@firn/firn";
 * import { HandshakeError } from "@firn/firn/ws";
 * import { assertEquals, assertRejects } from "@std/assert";
 *
 * await using node = await Node.start({ logLevel: "silent" });
 * const server = await node.serve({ upgrade: () => new Response(null, { status: 401 }) });
 * const error = await assertRejects(() => connect(server.url), HandshakeError);
 * assertEquals(error.status, 401);
 * ```
 */
export class HandshakeError extends Error {
  /** The name of the class. */
  override readonly name = "HandshakeError";
  /** Stable code: `"handshake"`. */
  readonly code = "handshake";
  /** The status of the server's answer; 0 if there was none. */
  readonly status: number;
  /** The delay in the server's Retry-After header, in milliseconds; 0 if there is none. */
  readonly retryAfter: number;

  /** Creates the error from the status and the message. */
  constructor(status: number, message: string, retryAfter: number = 0) {
    super(message);
    this.status = status;
    this.retryAfter = retryAfter;
  }
}

/**
 * The states of a {@linkcode Client}.
 *
 * - `"connecting"`: an attempt to connect is in progress;
 * - `"open"`: the client is connected;
 * - `"waiting"`: the client waits for the next attempt;
 * - `"closed"`: the client was closed, and does not connect again;
 * - `"failed"`: the client has given up.
 *
 * @example
 * ```ts
 * import { CLIENT_STATES, type ClientState } from "@firn/firn/ws";
 * import { assertEquals } from "@std/assert";
 *
 * const isOver = (state: ClientState) => state === "closed" || state === "failed";
 * assertEquals(CLIENT_STATES.filter((state) => !isOver(state)), ["connecting", "open", "waiting"]);
 * ```
 */
export const CLIENT_STATES = ["connecting", "open", "waiting", "closed", "failed"] as const;

/** One of {@linkcode CLIENT_STATES}. */
export type ClientState = (typeof CLIENT_STATES)[number];

/** A WebSocket client. */
export interface Client<Data = undefined> extends AsyncDisposable {
  /** The address of the last attempt, without credentials. */
  readonly url: string;
  /** The state of the client. */
  readonly state: ClientState;
  /**
   * The error that ended the last connection or attempt; `undefined` while the connection is open.
   * A {@linkcode ReconnectError} once the client has given up.
   */
  readonly error: Error | undefined;
  /** Resolves with `error` when the client is closed or has failed. Never rejects. */
  readonly ended: Promise<Error | undefined>;
  /** The current connection, or the last one. */
  readonly connection: Connection<Data>;
  /**
   * Sends over the connection. Without a connection, it returns "held" if the message fits into
   * `sendBufferLimit`, "dropped" if it does not, and "closed" if that limit is 0 or the client has
   * ended.
   */
  send(data: string | Uint8Array): SendResult;
  /** Closes the connection and does not reconnect. Resolves when it is closed. */
  close(code?: number, reason?: string): Promise<void>;
}
