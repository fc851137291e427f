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
 * @module
 */
import { Buffer } from "node:buffer";
import { rootCertificates } from "node:tls";
import type { Timer } from "../base/clock.ts";
import { logLines } from "./log_line.ts";
import type { System } from "../actor/system.ts";
import type { Host } from "../host/host.ts";
import type { Stream, StreamEnd, StreamHandler } from "../host/stream.ts";
import { checkNames } from "../base/spelling.ts";
import { CLOSE_CODES } from "./close.ts";
import {
  type Client,
  type ClientOptions,
  type ClientState,
  HandshakeError,
  type PerAttempt,
} from "./client.ts";
import { type ConnectionTerms, WebSocketConnection } from "./websocket_connection.ts";
import type { Connection, ConnectionHandlers } from "./connection.ts";
import { checkHeaders, checkProtocols, checkUrl, CLIENT_OPTIONS } from "./client_checks.ts";
import { DeflatePool } from "./deflate.ts";
import { connectionActors } from "./connection_actor.ts";
import { Masker } from "./masker.ts";
import { OptionError } from "./options.ts";
import { checkHandlers, checkOptions, tickMs } from "./limits.ts";
import type { SendResult } from "./outbox.ts";
import { type Answer, AnswerReader, encodeUpgrade, type UpgradeRequest } from "./response.ts";
import { Delay, ReconnectError, retryAfterMs } from "./reconnect.ts";
import { Rooms } from "./rooms.ts";
import { Scratch } from "./scratch.ts";
import { SendBuffer } from "./send_buffer.ts";

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
  checkNames(options, CLIENT_OPTIONS, (words) => new OptionError(words));
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
      // Lets other I/O run first, so that a program that calls `close` in a loop does not block the
      // process.
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
   * Returns the value of an option for this attempt. If the option is a function that returns a
   * promise, the result rejects after the time limit of the handshake, and when the client is
   * closed.
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
  #answer(stream: Stream, request: UpgradeRequest): Promise<Exclude<Answer, { state: "more" }>> {
    return new Promise((settle) => {
      const reader = new AnswerReader(request);
      const { signal } = this.#abort;
      const over = (answer: Exclude<Answer, { state: "more" }>): void => {
        timer.cancel();
        signal.removeEventListener("abort", giveUp);
        settle(answer);
      };
      const fail = (words: string): void => over({ ...GIVEN_UP, words });
      const giveUp = (): void => over(GIVEN_UP);
      const timer = this.#host.clock.after(
        this.#handshakeMs,
        () => fail("the server did not answer in time"),
      );
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
        end: () => fail("the server closed the connection"),
        close: (end: StreamEnd) =>
          fail(end.kind === "broken" ? end.message : "the server closed the connection"),
      };
      stream.handler = handler;
      stream.write(encodeUpgrade(request));
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
      // With `true`, the timer keeps the process alive. A waiting client has no socket that would
      // do so.
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
  words: "the client was closed",
  retryAfter: undefined,
} as const;

/** Returns the header Authorization for the credentials of a URL: RFC 7617, in UTF-8. */
function basicOf({ username, password }: URL): string {
  const text = `${decodeURIComponent(username)}:${decodeURIComponent(password)}`;
  return `Basic ${Buffer.from(text).toString("base64")}`;
}

function asError(error: unknown): Error {
  return error instanceof Error ? error : new Error(String(error));
}
