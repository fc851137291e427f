/**
 * Implements a WebSocket client that reconnects. Frames, limits and checks are those of the server.
 *
 *     connecting ──open──▶ open ──it ends──▶ waiting ──after the delay────▶ connecting
 *          ├──────────────── it fails ──────────▲                               │
 *          └── 401, a stop code, too many attempts ──▶ failed ◀─────────────────┘
 *     any state ──close(), or the signal is aborted──▶ closed
 *
 * It reconnects after a delay that doubles with each failure, shortened at random by up to half, so
 * that clients which lost a server at the same time do not reconnect at the same time. `connect`
 * waits for the first connection, and rejects if it fails.
 *
 * Longer than 400 lines: half of it is the documented options; the rest is one state machine.
 *
 * @module
 */
import { Buffer } from "node:buffer";
import { rootCertificates } from "node:tls";
import type { Timer } from "../base/clock.ts";
import type { LogSink } from "../base/log.ts";
import { logLines } from "./log_line.ts";
import type { System } from "../actor/system.ts";
import type { Host } from "../host/host.ts";
import type { Stream, StreamEnd, StreamHandler } from "../host/stream.ts";
import { checkNames } from "../base/spelling.ts";
import type { BackpressureOptions } from "./backpressure.ts";
import { CLOSE_CODES } from "./close.ts";
import { type ConnectionTerms, WebSocketConnection } from "./websocket_connection.ts";
import type { Connection, ConnectionHandlers } from "./connection.ts";
import { DeflatePool } from "./deflate.ts";
import { connectionActors } from "./connection_actor.ts";
import { isToken } from "./handshake.ts";
import { Masker } from "./masker.ts";
import { type DeflateOptions, OptionError } from "./options.ts";
import { checkHandlers, checkOptions, SHARED_OPTIONS, tickMs } from "./limits.ts";
import type { SendResult } from "./outbox.ts";
import { type Answer, AnswerReader, type Asked, encodeAsk } from "./response.ts";
import { Delay, ReconnectError, type ReconnectOptions, retryAfterMs } from "./reconnect.ts";
import { Rooms } from "./rooms.ts";
import { Scratch } from "./scratch.ts";

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
  /** Number of consecutive failed attempts. */
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
   * Closes the client when this signal is aborted; a pending `connect` rejects with its reason.
   * Default: none.
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
   * after half of this time. 0: no limit. Default 30.
   */
  readonly idleTimeout?: number | undefined;
  /**
   * Time limit in milliseconds for each step of an attempt: a function among the options, the
   * connection, and the server's response. Default 10000.
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

/** The names of all options. */
const OPTIONS: Readonly<Record<keyof ClientOptions, true>> = {
  ...SHARED_OPTIONS,
  data: true,
  protocols: true,
  headers: true,
  signal: true,
  sendBufferLimit: true,
  stateChange: true,
  reconnect: true,
};

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
 * The states of a {@linkcode Client}. "failed": the client has given up. "closed": the client was
 * closed.
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

/**
 * Opens a WebSocket, and resolves with its client. Rejects with an `OptionError`, a `ConnectError`
 * or a {@linkcode HandshakeError}. If `system` is given, the client's connections are actors.
 */
export async function connect<Data = undefined>(
  host: Host,
  url: PerAttempt<string | URL>,
  options: ClientOptions<Data> = {},
  system: System | undefined = undefined,
): Promise<Client<Data>> {
  if (typeof url !== "function") checkUrl(url);
  checkNames(options, OPTIONS, (words) => new OptionError(words));
  const client = new WebSocketClient(host, url, options, system);
  await client.first();
  return client;
}

class WebSocketClient<Data> implements Client<Data> {
  url = "";
  error: Error | undefined;
  readonly ended: Promise<Error | undefined>;
  readonly #host: Host;
  readonly #where: PerAttempt<string | URL>;
  readonly #options: ClientOptions<Data>;
  readonly #handshakeMs: number;
  readonly #terms: ConnectionTerms<Data>;
  readonly #delay: Delay | undefined;
  readonly #abort = new AbortController();
  readonly #buffer: SendBuffer;
  #state: ClientState = "connecting";
  #connection: WebSocketConnection<Data> | undefined;
  #lastId = 0;
  /** The time at which the current connection was opened, in milliseconds of the host's clock. */
  #openedAt = 0;
  /** The close code and the reason with which the last connection ended. */
  #lastEnd: { readonly code: number; readonly reason: string } | undefined;
  #sweep: Timer | undefined;
  #timer: Timer | undefined;
  #settleEnded!: (error: Error | undefined) => void;

  constructor(
    host: Host,
    where: PerAttempt<string | URL>,
    options: ClientOptions<Data>,
    system: System | undefined,
  ) {
    const { maxPayloadLength, idleTimeout, handshakeTimeout, closeTimeout } = options;
    const { open, message, info, close, drain, perMessageDeflate } = options;
    const limits = checkOptions({
      ...{ maxPayloadLength, idleTimeout, handshakeTimeout, closeTimeout, perMessageDeflate },
      backpressureLimit: options.backpressureLimit,
      backpressurePolicy: options.backpressurePolicy,
    });
    checkHandlers({ open, message, info, close, drain, stateChange: options.stateChange });
    const { protocols = [], headers } = options;
    if (typeof protocols !== "function") checkProtocols(protocols);
    if (typeof headers !== "function") checkHeaders(new Headers(headers), false);
    const { reconnect = true } = options;
    this.#delay = reconnect === false
      ? undefined
      : new Delay(reconnect === true ? {} : reconnect, () => host.random.next());
    this.ended = new Promise((settle) => this.#settleEnded = settle);
    this.#buffer = new SendBuffer(options.sendBufferLimit ?? 0);
    this.#host = host;
    this.#where = where;
    this.#options = options;
    this.#handshakeMs = limits.handshakeMs;
    this.#terms = {
      role: "client",
      handlers: {
        ...{ open: options.open, message: options.message } as ConnectionHandlers<Data>,
        ...{ info: options.info, drain: options.drain } as ConnectionHandlers<Data>,
        close: (conn, code, reason) => {
          this.#lastEnd = { code, reason };
          return options.close?.(conn, code, reason);
        },
      },
      rooms: new Rooms(host),
      log: logLines(options.log ?? host.log, () => host.clock.wall()),
      input: new Scratch(),
      output: new Scratch(),
      payloadBytesMax: limits.payloadBytesMax,
      incomplete: undefined,
      backpressure: limits.backpressure,
      closeTimeoutMs: limits.closeTimeoutMs,
      sendMs: limits.sendMs,
      deflate: limits.deflate && new DeflatePool(limits.deflate),
      masker: new Masker(host.random),
      createActor: system && connectionActors(system, undefined),
      silence: limits.idleMs === 0
        ? undefined
        : { quietMs: limits.idleMs / 2, deadlineMs: limits.idleMs },
      tickMs: tickMs(limits),
      now: () => host.clock.now(),
      later: (task) => host.atFlush(task),
      yieldToIo: (task) => host.yieldToIo(task),
      ended: () => this.#ended(),
    };
  }

  get state(): ClientState {
    return this.#state;
  }

  get connection(): Connection<Data> {
    return this.#connection!;
  }

  /** Opens the first connection. Rejects if the attempt fails. */
  async first(): Promise<void> {
    const { signal } = this.#options;
    signal?.throwIfAborted();
    signal?.addEventListener("abort", this.#onAbort, { once: true });
    const { clock } = this.#host;
    const tick = (): void => this.#connection?.tick(clock.now());
    this.#sweep = clock.every(this.#terms.tickMs, tick);
    try {
      await this.#dial();
    } catch (error) {
      this.#over(this.#abort.signal.aborted ? "closed" : "failed", asError(error));
      signal?.throwIfAborted();
      throw error;
    }
  }

  send(data: string | Uint8Array): SendResult {
    if (this.#state === "open") return this.#connection!.send(data);
    if (this.#state === "closed" || this.#state === "failed") return "closed";
    return this.#abort.signal.aborted ? "closed" : this.#buffer.add(data);
  }

  async close(code: number = CLOSE_CODES.normal, reason: string = ""): Promise<void> {
    if (this.#state === "closed" || this.#state === "failed") {
      // Lets other I/O run first, so that a loop of calls does not block the process.
      return await new Promise((turn) => this.#host.yieldToIo(turn));
    }
    const wasOpen = this.#state === "open";
    if (wasOpen) this.#connection!.close(code, reason);
    this.#timer?.cancel();
    this.#abort.abort();
    if (!wasOpen) this.#over("closed");
    await this.ended;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  readonly #onAbort = (): void => {
    this.error = asError(this.#options.signal!.reason);
    this.close().catch(() => {});
  };

  async #dial(): Promise<void> {
    const at = checkUrl(await this.#valueOf(this.#where));
    const protocols = await this.#valueOf(this.#options.protocols ?? []);
    checkProtocols(protocols);
    const headers = new Headers(await this.#valueOf(this.#options.headers ?? {}));
    checkHeaders(headers, at.username !== "" || at.password !== "");
    if (at.username !== "" || at.password !== "") headers.set("authorization", basicOf(at));
    at.username = at.password = "";
    this.url = at.href;
    const { hostname, port, protocol } = at;
    const name = hostname.replace(/^\[|\]$/g, "");
    const secure = protocol === "wss:";
    const { ca, serverName = name, cert, key } = this.#options.tls ?? {};
    const stream = await this.#host.connect({
      hostname: name,
      port: Number(port || (secure ? 443 : 80)),
      tls: secure ? { ca: ca ?? rootCertificates.join("\n"), serverName, cert, key } : undefined,
      timeoutMs: this.#handshakeMs,
      signal: this.#abort.signal,
    });
    const answer = await this.#answer(stream, {
      target: at.pathname + at.search,
      host: at.host,
      key: Buffer.from(this.#host.random.bytes(16)).toString("base64"),
      protocols,
      deflate: this.#terms.deflate?.settings.wish,
      headers,
    });
    // The client may have been closed during the handshake.
    if (answer.state !== "open" || this.#abort.signal.aborted) {
      stream.abort();
      const refused = answer.state === "open" ? GIVEN_UP : answer;
      const waitMs = retryAfterMs(refused.retryAfter, this.#host.clock.wall());
      throw new HandshakeError(refused.status, `cannot open ${this.url}: ${refused.words}`, waitMs);
    }
    const { protocol: chosen, deflate, early } = answer;
    const connection = this.#connection = new WebSocketConnection(this.#terms, stream, {
      id: ++this.#lastId,
      data: this.#options.data as Data,
      protocol: chosen,
      deflate,
    });
    this.#delay?.opened();
    this.error = undefined;
    this.#lastEnd = undefined;
    this.#openedAt = this.#host.clock.now();
    this.#enter("open");
    connection.start(early);
    this.#buffer.flush(connection);
  }

  /**
   * Returns the value of an option for this attempt. If the option is a function, its promise is
   * rejected after the time limit of the handshake, and when the client is closed.
   */
  #valueOf<Value>(given: PerAttempt<Value>): Value | Promise<Value> {
    if (typeof given !== "function") return given;
    const value = (given as () => Value | Promise<Value>)();
    if (!(value instanceof Promise)) return value;
    return new Promise<Value>((resolve, reject) => {
      const { signal } = this.#abort;
      const late = new HandshakeError(0, "a function among the options has not answered in time");
      const timer = this.#host.clock.after(this.#handshakeMs, () => reject(late));
      const giveUp = (): void => reject(new HandshakeError(0, GIVEN_UP.words));
      signal.addEventListener("abort", giveUp, { once: true });
      value.then(resolve, reject).finally(() => {
        timer.cancel();
        signal.removeEventListener("abort", giveUp);
      });
    });
  }

  /** Sends the request and reads the response, with a deadline. */
  #answer(stream: Stream, asked: Asked): Promise<Exclude<Answer, { state: "more" }>> {
    return new Promise((settle) => {
      const reader = new AnswerReader(asked);
      const { signal } = this.#abort;
      const over = (answer: Exclude<Answer, { state: "more" }>): void => {
        timer.cancel();
        signal.removeEventListener("abort", giveUp);
        settle(answer);
      };
      const fail = (words: string): void => over({ ...GIVEN_UP, words });
      const giveUp = (): void => over(GIVEN_UP);
      const timer = this.#host.clock.after(this.#handshakeMs, () => fail("no answer in time"));
      signal.addEventListener("abort", giveUp);
      const handler: StreamHandler = {
        data(bytes) {
          const answer = reader.push(bytes);
          if (answer.state === "more") return;
          // Pauses the stream: the connection will read the bytes after the response.
          stream.pause();
          over(answer);
        },
        drain() {},
        end: () => fail("the server hung up"),
        close: (end: StreamEnd) => fail(end.kind === "broken" ? end.message : "the server hung up"),
      };
      stream.handler = handler;
      stream.write(encodeAsk(asked));
    });
  }

  /**
   * Called when a connection has ended. Reconnects, or gives up if the close code is a stop code.
   */
  #ended(): void {
    if (this.#abort.signal.aborted) return this.#over("closed", this.error);
    const lastedMs = Math.max(1, this.#host.clock.now() - this.#openedAt);
    const { code, reason } = this.#lastEnd!;
    const error = new Error(`the connection was closed with ${code}${reason && `: ${reason}`}`);
    if (this.#delay?.stopsWith(code)) this.#giveUp(error);
    else this.#again(lastedMs, error);
  }

  /** Reconnects after the delay, or gives up if no further attempt is allowed. */
  #again(lastedMs: number, error: Error): void {
    if (this.#delay === undefined) return this.#over("closed", error);
    const stops = error instanceof HandshakeError && this.#delay.stopsAt(error.status) ||
      error instanceof OptionError;
    const retryMs = error instanceof HandshakeError ? error.retryAfter : 0;
    const ms = stops ? undefined : this.#delay.next(lastedMs, retryMs);
    if (ms === undefined) return this.#giveUp(error);
    this.error = error;
    this.#timer = this.#host.clock.after(ms, () => {
      this.#enter("connecting");
      if (this.#state !== "connecting") return;
      this.#dial().catch((error) => {
        if (this.#abort.signal.aborted) this.#over("closed", this.error);
        else this.#again(0, asError(error));
      });
      // The argument `true` makes the timer keep the process alive, because nothing else may do so.
    }, true);
    this.#enter("waiting", ms);
  }

  #giveUp(cause: Error): void {
    const words = `gave up connecting to ${this.url}: ${cause.message}`;
    this.#terms.log("error", `ws: ${words}`);
    this.#over("failed", new ReconnectError(words, { cause }));
  }

  #over(state: "closed" | "failed", error?: Error): void {
    if (this.#state === "closed" || this.#state === "failed") return;
    this.error = error ?? this.error;
    this.#abort.abort();
    this.#options.signal?.removeEventListener("abort", this.#onAbort);
    this.#sweep?.cancel();
    this.#timer?.cancel();
    this.#terms.deflate?.close();
    this.#buffer.clear();
    this.#enter(state);
    this.#settleEnded(this.error);
  }

  #enter(state: ClientState, delay: number | undefined = undefined): void {
    const previous = this.#state;
    this.#state = state;
    const { stateChange } = this.#options;
    if (stateChange === undefined) return;
    const { error } = this;
    try {
      const failures = this.#delay?.failures ?? 0;
      const result = this.#options.stateChange!(this, { state, previous, failures, delay, error });
      if (result instanceof Promise) result.catch((error) => this.#crashed(error));
    } catch (error) {
      this.#crashed(error);
    }
  }

  #crashed(error: unknown): void {
    this.#terms.log("error", `ws: the stateChange handler failed: ${asError(error).stack}`);
  }
}

const GIVEN_UP = {
  state: "refused",
  status: 0,
  words: "it was given up",
  retryAfter: undefined,
} as const;

/** Queues messages while there is no connection, up to a limit. */
class SendBuffer {
  readonly #bytesMax: number;
  #messages: (string | Uint8Array)[] = [];
  #bytes = 0;

  constructor(bytesMax: number) {
    if (!(Number.isInteger(bytesMax) && bytesMax >= 0)) {
      throw new OptionError(`option sendBufferLimit is ${bytesMax}: use a whole number from 0`);
    }
    this.#bytesMax = bytesMax;
  }

  add(data: string | Uint8Array): SendResult {
    if (this.#bytesMax === 0) return "closed";
    const length = typeof data === "string" ? Buffer.byteLength(data) : data.length;
    if (this.#bytes + length > this.#bytesMax) return "dropped";
    this.#bytes += length;
    this.#messages.push(typeof data === "string" ? data : data.slice());
    return "held";
  }

  flush(
    connection: WebSocketConnection<never> | { send(data: string | Uint8Array): unknown },
  ): void {
    const messages = this.#messages;
    this.clear();
    for (const each of messages) connection.send(each);
  }

  clear(): void {
    this.#messages = [];
    this.#bytes = 0;
  }
}

/** Headers that the handshake sets, so that options must not contain them. */
const RESERVED_HEADERS: ReadonlySet<string> = new Set([
  "connection",
  "content-length",
  "host",
  "sec-websocket-extensions",
  "sec-websocket-key",
  "sec-websocket-protocol",
  "sec-websocket-version",
  "transfer-encoding",
  "upgrade",
]);

function checkHeaders(headers: Headers, hasCredentials: boolean): void {
  for (const [name] of headers) {
    if (RESERVED_HEADERS.has(name)) {
      const instead = name === "sec-websocket-protocol" ? ": use the option protocols" : "";
      throw new OptionError(
        `option headers has ${name}, which the handshake sets itself${instead}`,
      );
    }
  }
  if (!hasCredentials || !headers.has("authorization")) return;
  throw new OptionError("option headers has authorization, and the URL has credentials: use one");
}

function checkProtocols(protocols: readonly string[]): void {
  for (const each of protocols) {
    if (
      typeof each === "string" && isToken(each) &&
      protocols.indexOf(each) === protocols.lastIndexOf(each)
    ) {
      continue;
    }
    throw new OptionError(
      `option protocols has ${JSON.stringify(each)}: use different words without spaces or commas`,
    );
  }
}

/** Returns the header Authorization for the credentials of a URL: RFC 7617, in UTF-8. */
function basicOf({ username, password }: URL): string {
  const text = `${decodeURIComponent(username)}:${decodeURIComponent(password)}`;
  return `Basic ${Buffer.from(text).toString("base64")}`;
}

function asError(error: unknown): Error {
  return error instanceof Error ? error : new Error(String(error));
}

function checkUrl(url: string | URL): URL {
  const text = String(url);
  const parsed = URL.canParse(text) ? new URL(text) : undefined;
  if (parsed !== undefined && /^wss?:$/.test(parsed.protocol) && parsed.hash === "") return parsed;
  throw new OptionError(
    `cannot connect to ${JSON.stringify(text)}: use ws://host:port/path or wss`,
  );
}
