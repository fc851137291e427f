/**
 * Handles the HTTP requests on one socket, from its accept until it becomes a WebSocket or ends.
 *
 *     proxy ─▶ head ──┬─ a WebSocket ─▶ asking the upgrade hook ─▶ 101: a connection takes over
 *               ▲     └─ plain ───────▶ asking the fetch hook ──▶ answering ─▶ draining ─┐
 *               └────── its first byte ◀────────── resting ◀───────┴───────────────────┘
 *
 * A rejection in any state leads to `leaving`: the response is written, this side of the connection
 * is closed, and further input is dropped until the client closes too, because closing a socket
 * with unread bytes can lose the last response.
 *
 * A body that does not arrive in the same read as its head is streamed into `request.body` while
 * the hook runs; what the hook leaves unread is dropped after the response. When the client closes
 * the connection or its own side of it (FIN), `request.signal` is aborted, and the response's body
 * is cancelled: after a FIN only if it makes no progress for `HANG_UP_MS`.
 *
 * A client may send further requests before it has received a response (pipelining). These bytes
 * are stored, up to `EARLY_BYTES_MAX`, and read when at most `RESPONSE_BYTES_WAITING_MAX` bytes of
 * the response are unsent. Other connections are served after `REQUESTS_A_TURN_MAX` such requests.
 *
 * Longer than 400 lines because it is one state machine.
 *
 * The head of a request, the hooks, and the wait for another request have time limits. In the other
 * phases, the connection is closed when the client makes no progress.
 *
 * @module
 */
import { unreachable } from "../base/assert.ts";
import { concat, EMPTY } from "../base/bytes.ts";
import type { LogLine } from "./log_line.ts";
import type { Address, Stream, StreamEnd, StreamHandler } from "../host/stream.ts";
import type { Backpressure } from "./backpressure.ts";
import { type BodyBudget, BodyReader } from "./body.ts";
import { BodyStream } from "./body_stream.ts";
import { acceptDeflate, type DeflateTerms } from "./extension.ts";
import {
  acceptAnswer,
  checkUpgrade,
  hasToken,
  headerOf,
  HeadReader,
  isToken,
  offeredExtensions,
  offeredProtocols,
  type Refusal,
  type RequestHead,
  wantsWebSocket,
} from "./handshake.ts";
import { CONTINUE, encodeRefusal, linesOf, type Persistence } from "./http.ts";
import {
  buildRequest,
  hangUp,
  hasBody,
  type HttpRequest,
  type RequestContent,
  type RequestOrigins,
} from "./http_request.ts";
import type { Acceptance, ServeOptions, UpgradeAnswer } from "./options.ts";
import { type Limits, limitsOf } from "./limits.ts";
import { checkOrigin } from "./origin.ts";
import { ProxyReader } from "./proxy_protocol.ts";
import { type ResponseSink, ResponseWriter } from "./response_writer.ts";
import { isRead } from "./static_body.ts";

/** Number of unsent response bytes above which no more of the response's body is read. */
const RESPONSE_BYTES_WAITING_MAX = 64 * 1024;

/**
 * Maximum number of bytes that are read ahead while an earlier request is in progress. At the
 * limit, the socket is paused.
 */
const EARLY_BYTES_MAX = 64 * 1024;

/** Number of received bytes after which a body counts as having made progress. */
const BODY_PROGRESS_BYTES = 1024;

/**
 * Maximum number of bytes of an unread body that are drained after the response; with more, the
 * connection closes.
 */
const DRAINED_BYTES_MAX = 256 * 1024;

/** Number of consecutive requests on one connection after which other connections are served. */
const REQUESTS_A_TURN_MAX = 16;

/** Time after which the client is assumed to have received a response, in milliseconds. */
const ARRIVED_MS = 1000;

/**
 * Time without progress after the client's FIN until a response is cancelled, in milliseconds. The
 * response is not cancelled at once, because a client may close only its own side and still read.
 */
const HANG_UP_MS = 500;

/** Headers of the 101 response that the handshake sets. */
const RESERVED_HEADERS: readonly string[] = [
  "connection",
  "content-length",
  "sec-websocket-accept",
  "sec-websocket-extensions",
  "sec-websocket-protocol",
  "transfer-encoding",
  "upgrade",
];

/** The settings that all HTTP connections of one server share. */
export interface HttpConnectionTerms<Data> {
  readonly options: ServeOptions<Data>;
  readonly limits: Limits;
  readonly log: LogLine;
  /** Limits the bytes in the request bodies of the server. */
  readonly bodies: BodyBudget;
  /** The compression parameters that the server accepts; `undefined` if compression is off. */
  readonly deflate: DeflateTerms | undefined;
  /** Whether the server is stopping: each response is then the last of its connection. */
  readonly isStopping: boolean;
  now(): number;
  /** Computes the origins of the URLs of requests. */
  readonly origins: RequestOrigins;
  /** Returns the value of the Date header. */
  date(): string;
  /** Calls a task after other sockets have been handled. */
  yieldToIo(task: () => void): void;
  /** Called when the connection waits for its next request. */
  rests(connection: HttpConnection<Data>): void;
  /** Called when the next request has started. */
  wakes(connection: HttpConnection<Data>): void;
  /**
   * Returns false if a client behind a trusted proxy has reached its maximum number of WebSockets.
   */
  hasRoomFor(client: Address, connection: HttpConnection<Data>): boolean;
  /** Called when the 101 response has been written. */
  admit(connection: HttpConnection<Data>, stream: Stream, admission: Admission<Data>): void;
  /** Called when the connection has ended without becoming a WebSocket. */
  ended(connection: HttpConnection<Data>): void;
}

/** The parameters of a WebSocket whose request was accepted. */
export interface Admission<Data> {
  readonly acceptance: Acceptance<Data>;
  /** The client: the peer, or the client named by a trusted proxy. */
  readonly client: Address;
  /**
   * The backpressure settings of this connection. `undefined`: the settings of the server apply.
   */
  readonly backpressure: Backpressure | undefined;
  readonly deflate: DeflateTerms | undefined;
  /** Bytes that the client has sent after its request. */
  readonly early: Uint8Array;
}

type State =
  | "proxy"
  | "head"
  | "asking"
  | "answering"
  | "draining"
  | "resting"
  | "leaving"
  | "gone";

/** Handles the HTTP requests on one socket. */
export class HttpConnection<Data> implements StreamHandler {
  readonly #terms: HttpConnectionTerms<Data>;
  readonly #stream: Stream;
  /** The address of the peer, or of the client that the peer names with the PROXY protocol. */
  #remote: Address;
  #state: State = "head";
  #deadline: number;
  /**
   * A time limit in milliseconds that begins at the next tick. Used instead of `#deadline`, so that
   * a request does not read the clock; `undefined` while `#deadline` applies.
   */
  #limitMs: number | undefined;
  #proxy: ProxyReader | undefined;
  readonly #reader = new HeadReader();
  /** Number of responses that were started on this connection. */
  #answers = 0;
  /** The method of the current request once it is known. */
  #method: string | undefined;
  /** The head of a plain request while the fetch hook runs. */
  #head: RequestHead | undefined;
  /** Whether the upgrade hook is running, so that the request is not answered yet. */
  #upgrading = false;
  /** Whether the client has ended its side. */
  #halfClosed = false;
  /** The request passed to a hook, until its response is complete. */
  #request: HttpRequest | undefined;
  /**
   * Reads the body of the current request; `undefined` once the body is complete and a hook has
   * answered.
   */
  #body: BodyReader | undefined;
  /** Whether the body of the current request has not arrived completely. */
  #bodyComes = false;
  /** Receives the current request's body; `undefined` if the body is dropped. */
  #bodyStream: BodyStream | undefined;
  /** Whether the client waits for `100 Continue`. */
  #awaitsContinue = false;
  /** The time at which the body of the current request last made progress. */
  #bodyAt = 0;
  /** Number of bytes of the body that were received since `#bodyAt`. */
  #bodyBytesSince = 0;
  #drained = 0;
  /** Received bytes that follow the current request. They are read after it has been answered. */
  #early: Uint8Array = EMPTY;
  #writer: ResponseWriter | undefined;
  /** The sink through which each response's writer writes to the stream. */
  #sink: ResponseSink | undefined;
  /**
   * Called when the client has read most of the sent data: resumes a response that waits for this.
   */
  #resumeResponse: (() => void) | undefined;
  #written = 0;
  /**
   * Number of bytes that had been passed to the system when the client last made progress; -1 at
   * first.
   */
  #accepted = -1;
  /** The time when the client last made progress. */
  #acceptedAt = 0;

  constructor(terms: HttpConnectionTerms<Data>, stream: Stream) {
    this.#terms = terms;
    this.#stream = stream;
    const { remote, peerCertificate } = stream;
    // Without the option `ca`, the listener does not verify certificates, so that the peer's
    // certificate is not passed on.
    this.#remote = peerCertificate === undefined || terms.options.tls?.ca === undefined
      ? remote
      : { ...remote, certificate: peerCertificate };
    this.#deadline = terms.now() + terms.limits.handshakeMs;
    if (terms.limits.proxyProtocol) {
      this.#state = "proxy";
      this.#proxy = new ProxyReader();
    }
    stream.handler = this;
  }

  /** The peer's address as reported by the system. */
  get peer(): Address {
    return this.#stream.remote;
  }

  /**
   * Whether the head of a request is incomplete. False while the connection waits between two
   * requests.
   */
  get isSilent(): boolean {
    return this.#state === "proxy" || this.#state === "head";
  }

  /** Whether the head of a request is incomplete or the upgrade hook is running. */
  get isOpening(): boolean {
    return this.isSilent || this.#upgrading;
  }

  /**
   * Answers the current request with a rejection, and closes the connection. Aborts the connection
   * instead if a response has already begun.
   */
  refuse(refusal: Refusal): void {
    if (this.#state === "leaving" || this.#state === "gone") return;
    // A response that has started cannot be replaced.
    if (this.#writer?.hasBegun) return this.abort();
    this.#write(encodeRefusal(refusal, this.#terms.date(), this.#method));
    this.#leave();
  }

  /** Aborts the connection at once, without a response. */
  abort(): void {
    this.#stream.abort();
  }

  /** Closes this connection, which waits for a request, to make room for another. */
  yieldPlace(): void {
    // An abort could lose a response that was sent less than `ARRIVED_MS` ago.
    const restedMs = this.#terms.now() - (this.#deadline - this.#terms.limits.keepAliveMs);
    if (this.#limitMs === undefined && restedMs >= ARRIVED_MS) this.#stream.abort(true);
    else this.#leave();
  }

  /** Closes the connection unless a request is in progress, because the server is stopping. */
  dismiss(): void {
    if (this.#state === "resting" || this.#state === "draining") this.#leave();
    else if (this.#isReading || this.#upgrading || this.#halfClosed) this.abort();
  }

  /**
   * Called periodically. Rejects a request that is late, and ends a connection that makes no
   * progress.
   */
  tick(now: number): void {
    if (this.#limitMs !== undefined) {
      this.#deadline = now + this.#limitMs;
      this.#limitMs = undefined;
    }
    switch (this.#state) {
      case "proxy":
      case "head":
        if (now < this.#deadline) return;
        return this.refuse({ status: 408, words: "the request did not arrive in time" });
      case "asking":
        if (this.#isBodyLate(now)) return this.#bodyLate();
        if (now < this.#deadline) return;
        if (this.#halfClosed) return this.abort();
        return this.refuse({ status: 503, words: "the request was not answered in time" });
      case "answering":
        if (!this.#isSending(now)) return this.abort();
        if (this.#isBodyLate(now)) this.#bodyLate();
        if (this.#halfClosed && now >= this.#deadline) this.#writer?.cancel(hungUp());
        return;
      case "draining":
      case "resting":
        if (now >= this.#deadline) this.#leave();
        return;
      case "leaving":
        if (this.#stream.unsent > 0) {
          if (!this.#isSending(now)) return this.abort();
          this.#deadline = now + this.#terms.limits.closeTimeoutMs;
        } else if (now >= this.#deadline) this.#stream.abort(true);
        return;
      case "gone":
        return;
      default:
        unreachable(this.#state);
    }
  }

  data(bytes: Uint8Array): void {
    this.#take(bytes, false);
  }

  drain(): void {
    this.#resumeResponse?.();
  }

  end(): void {
    this.#halfClosed = true;
    if (this.#bodyComes) {
      // The hook may fail because the rest of the body will not arrive. This failure is not
      // reported, because the request is aborted first.
      if (this.#request !== undefined) hangUp(this.#request, hungUp());
      this.#bodyFails(hungUp());
    }
    switch (this.#state) {
      case "proxy":
      case "head":
      case "draining":
        return this.#stream.end();
      case "resting":
        return this.#leave();
      case "asking":
      case "answering":
        // A complete plain request is still answered. A WebSocket is not opened, and a request
        // without its whole body is not answered.
        if (this.#upgrading || this.#bodyComes) return this.#stream.end();
        return this.#hungUp();
      case "leaving":
      case "gone":
        return;
      default:
        unreachable(this.#state);
    }
  }

  close(_end: StreamEnd): void {
    this.#bodyFails(hungUp());
    if (this.#request !== undefined) hangUp(this.#request, hungUp());
    this.#enter("gone");
    this.#writer?.cancel(hungUp());
    this.#resumeResponse?.();
    this.#terms.ended(this);
  }

  get #isReading(): boolean {
    return this.#state === "head" || this.#state === "proxy" ||
      this.#state === "asking" && this.#bodyComes;
  }

  /** Changes the state, and frees what belongs to the previous one. */
  #enter(state: State): void {
    if (this.#state === "resting") this.#terms.wakes(this);
    if (this.#body !== undefined && state !== "asking") {
      // Frees the budget, which is only for unanswered requests.
      this.#body.free();
      if (!this.#bodyComes) this.#body = undefined;
    }
    this.#state = state;
    if (state === "resting" && this.#early.length === 0) this.#terms.rests(this);
  }

  #write(bytes: Uint8Array): void {
    this.#written += bytes.length;
    this.#stream.write(bytes);
  }

  /**
   * Returns whether the client makes progress in reading: false if it has read nothing for
   * `sendTimeout`.
   */
  #isSending(now: number): boolean {
    const accepted = this.#written - this.#stream.unsent;
    if (accepted !== this.#accepted || this.#stream.unsent === 0) {
      this.#accepted = accepted;
      this.#acceptedAt = now;
      return true;
    }
    return now - this.#acceptedAt < this.#terms.limits.sendMs;
  }

  /**
   * Called when the client has closed its side while a hook runs or a response is being sent.
   * Aborts the request's signal, and shortens the deadline.
   */
  #hungUp(): void {
    if (this.#request !== undefined) hangUp(this.#request, hungUp());
    const { limits, now } = this.#terms;
    const waitMs = this.#state === "answering" ? HANG_UP_MS : limits.closeTimeoutMs;
    const at = now();
    const deadline = this.#limitMs === undefined ? this.#deadline : at + this.#limitMs;
    this.#limitMs = undefined;
    this.#deadline = Math.min(deadline, at + waitMs);
  }

  /** Sets a time limit that begins now. */
  #dueIn(ms: number): void {
    this.#limitMs = undefined;
    this.#deadline = ms === Infinity ? Infinity : this.#terms.now() + ms;
  }

  // The following methods read input.

  /**
   * Handles received bytes as the state requires. With `owned`, they may be stored without a copy.
   */
  #take(bytes: Uint8Array, owned: boolean): void {
    switch (this.#state) {
      case "proxy":
        return this.#proxyBytes(bytes);
      case "resting":
        if (this.#early.length > 0) return this.#keep(bytes, owned);
        this.#enter("head");
        this.#limitMs = this.#terms.limits.handshakeMs;
        return this.#headBytes(bytes, owned);
      case "head":
        return this.#headBytes(bytes, owned);
      case "asking":
      case "answering":
      case "draining":
        if (this.#bodyComes) return this.#bodyBytes(bytes, owned);
        return this.#keep(bytes, owned);
      case "leaving":
      case "gone":
        return;
      default:
        unreachable(this.#state);
    }
  }

  /** Stores bytes that follow the current request. */
  #keep(bytes: Uint8Array, owned: boolean): void {
    if (bytes.length === 0) return;
    const kept = owned ? bytes : bytes.slice();
    this.#early = this.#early.length === 0 ? kept : concat([this.#early, kept]);
    // The socket is read up to this limit, so that a FIN is detected.
    if (this.#early.length >= EARLY_BYTES_MAX) this.#stream.pause();
  }

  #proxyBytes(bytes: Uint8Array): void {
    if (!this.#terms.limits.trustedProxies!.has(this.#remote.hostname)) return this.abort();
    const progress = this.#proxy!.push(bytes);
    if (progress.state === "more") return;
    this.#proxy = undefined;
    this.#state = "head";
    if (progress.state === "malformed") {
      return this.refuse({ status: 400, words: "the PROXY protocol's header is malformed" });
    }
    this.#remote = progress.client ?? this.#remote;
    if (progress.rest.length > 0) this.#headBytes(progress.rest, true);
  }

  #headBytes(bytes: Uint8Array, owned: boolean): void {
    const progress = this.#reader.push(bytes);
    if (progress.state === "more") return;
    if (progress.state === "refused") return this.refuse(progress.refusal);
    this.#method = progress.head.method;
    const rest = progress.rest === bytes.length ? EMPTY : bytes.subarray(progress.rest);
    if (wantsWebSocket(progress.head)) this.#upgrade(progress.head, rest, owned);
    else this.#plain(progress.head, rest, owned);
  }

  /** Returns the client: the peer, or the client named by a trusted proxy. */
  #client(head: RequestHead): Address {
    return this.#terms.limits.trustedProxies?.client(head, this.#remote) ?? this.#remote;
  }

  // The following methods handle WebSocket requests.

  #upgrade(head: RequestHead, rest: Uint8Array, owned: boolean): void {
    const { options, limits } = this.#terms;
    const refusal = checkUpgrade(head) ?? checkOrigin(head, limits.origins);
    if (refusal !== undefined) return this.refuse(refusal);
    const client = this.#client(head);
    if (!this.#terms.hasRoomFor(client, this)) {
      return this.refuse({ status: 503, words: "too many connections from this address" });
    }
    this.#keep(rest, owned);
    if (options.upgrade === undefined) {
      this.#enter("asking");
      return this.#accept(head, {}, client);
    }
    const request = this.#request = this.#build(head, undefined);
    if (request === undefined) return;
    this.#upgrading = true;
    this.#dueIn(limits.handshakeMs);
    this.#ask(
      () => options.upgrade!(request, client),
      (answer) => this.#judge(head, answer, client),
    );
  }

  #judge(head: RequestHead, answer: UpgradeAnswer<Data>, client: Address): void {
    this.#upgrading = false;
    if (answer instanceof Response) {
      // The connection is closed after the rejection, because the bytes that follow may be frames
      // of a client that did not wait for the response.
      this.#respond(head, answer, true);
    } else this.#accept(head, answer ?? {}, client);
  }

  #accept(head: RequestHead, acceptance: Acceptance<Data>, client: Address): void {
    const { protocol } = acceptance;
    const headers = new Headers(acceptance.headers);
    for (const name of RESERVED_HEADERS) {
      if (headers.has(name)) {
        throw new TypeError(`the header ${name} of a 101 is set by the server`);
      }
    }
    if (
      protocol !== undefined && !(isToken(protocol) && offeredProtocols(head).includes(protocol))
    ) {
      throw new TypeError(`the client does not offer the protocol ${JSON.stringify(protocol)}`);
    }
    const { deflate: wish, limits } = this.#terms;
    const backpressure = limitsOf(acceptance.backpressure, limits.backpressure);
    const deflate = wish && acceptDeflate(offeredExtensions(head) ?? [], wish);
    this.#write(acceptAnswer(head, protocol, deflate?.answer, headers));
    const early = this.#early;
    this.#request = undefined;
    this.#enter("gone");
    // The WebSocket connection handles the bytes in `early`, and resumes the stream.
    this.#stream.pause();
    this.#terms.admit(this, this.#stream, {
      acceptance,
      client,
      backpressure,
      deflate: deflate?.terms,
      early,
    });
  }

  // The following methods handle plain requests.

  #plain(head: RequestHead, rest: Uint8Array, owned: boolean): void {
    const { options, limits, bodies } = this.#terms;
    let content: RequestContent;
    if (!announcesBody(head)) {
      if (options.fetch === undefined) return this.refuse(NOT_FOUND);
      this.#keep(rest, owned);
    } else {
      const body = new BodyReader(head, limits.bodyBytesMax, bodies);
      if (body.refusal !== undefined) return this.refuse(body.refusal);
      if (options.fetch === undefined) return this.refuse(NOT_FOUND);
      this.#body = body;
      const progress = body.push(rest);
      if (progress.state === "refused") return this.refuse(progress.refusal);
      if (progress.state === "body") {
        content = progress.body.length === 0 ? undefined : progress.body;
        this.#keep(rest.subarray(progress.rest), owned);
      } else content = this.#openBody(head, rest.length > 0);
    }
    const request = this.#request = this.#build(head, content);
    if (request === undefined) return;
    const client = this.#client(head);
    const { responseMs, closeTimeoutMs } = limits;
    if (this.#halfClosed) this.#dueIn(closeTimeoutMs);
    else this.#limitMs = responseMs === 0 ? Infinity : responseMs;
    this.#head = head;
    this.#ask(
      () => options.fetch!(request, client),
      (response) => this.#respond(head, response, false),
    );
  }

  #build(head: RequestHead, content: RequestContent): HttpRequest | undefined {
    const { limits, options } = this.#terms;
    const scheme = limits.trustedProxies?.scheme(head, this.#remote) ??
      (options.tls === undefined ? "http" : "https");
    const request = buildRequest(head, scheme, content, this.#terms.origins);
    if (request !== undefined) return request;
    this.refuse({ status: 501, words: "this server cannot serve such a request" });
    return undefined;
  }

  // The following methods handle request bodies that arrive after their head.

  #openBody(head: RequestHead, hasBegun: boolean): RequestContent {
    this.#bodyComes = true;
    this.#bodyAt = this.#terms.now();
    this.#bodyBytesSince = 0;
    this.#drained = 0;
    this.#awaitsContinue = !hasBegun && awaitsContinue(head);
    if (!hasBody(head.method)) {
      this.#body!.flowTo((part) => this.#drained += part.length);
      this.#sayContinue();
      return undefined;
    }
    const stream = this.#bodyStream = new BodyStream(() => this.#bodyWanted());
    this.#body!.flowTo((part) => {
      stream.add(part);
      this.#drained += part.length;
    });
    if (stream.isFull) this.#stream.pause();
    return stream.readable;
  }

  /** Called when the request's hook waits for bytes of the body, or cancels the body. */
  #bodyWanted(): void {
    if (!this.#bodyComes) return;
    if (this.#stream.isPaused || this.#awaitsContinue) this.#bodyAt = this.#terms.now();
    this.#sayContinue();
    this.#stream.resume();
  }

  #sayContinue(): void {
    if (!this.#awaitsContinue) return;
    this.#awaitsContinue = false;
    if (this.#writer === undefined) this.#write(CONTINUE);
  }

  #bodyBytes(bytes: Uint8Array, owned: boolean): void {
    this.#bodyBytesSince += bytes.length;
    if (this.#bodyBytesSince >= BODY_PROGRESS_BYTES) {
      this.#bodyBytesSince = 0;
      this.#bodyAt = this.#terms.now();
    }
    const progress = this.#body!.push(bytes);
    if (progress.state === "refused") {
      this.#bodyFails(new TypeError(progress.refusal.words));
      this.#bodyComes = true;
      return this.#state === "asking" ? this.refuse(progress.refusal) : undefined;
    }
    if (progress.state === "more") {
      if (this.#bodyStream?.isFull) this.#stream.pause();
      else if (this.#state === "draining") this.#drain();
      return;
    }
    this.#bodyComes = false;
    this.#bodyStream?.end();
    this.#bodyStream = undefined;
    if (this.#state !== "asking") this.#body = undefined;
    const rest = bytes.subarray(progress.rest);
    if (this.#state !== "draining") return this.#keep(rest, owned);
    this.#keep(rest, owned);
    this.#rest();
  }

  /**
   * Returns whether the client has made no progress with an awaited body for `requestBodyTimeout`.
   */
  #isBodyLate(now: number): boolean {
    if (!this.#bodyComes || this.#stream.isPaused || this.#awaitsContinue) return false;
    return now - this.#bodyAt >= this.#terms.limits.bodyMs;
  }

  #bodyLate(): void {
    const words = "the request's body did not arrive in time";
    this.#bodyFails(new TypeError(words));
    this.#bodyComes = true;
    this.#bodyAt = Infinity;
    if (this.#state === "asking") this.refuse({ status: 408, words });
  }

  /** Fails the body's stream, because the rest of the body will not arrive. */
  #bodyFails(error: Error): void {
    this.#bodyStream?.fail(error);
    this.#bodyStream = undefined;
  }

  /**
   * Waits for the rest of a body that the request's hook has not read, or closes the connection if
   * the rest is long.
   */
  #drain(): void {
    const left = this.#body!.left;
    if (this.#drained > DRAINED_BYTES_MAX || (left ?? 0) > DRAINED_BYTES_MAX) this.#leave();
    else this.#limitMs = this.#terms.limits.bodyMs;
  }

  // The following methods call the hooks and handle their results.

  /**
   * Calls a hook and continues with its result, unless the deadline or the client ended the request
   * first.
   */
  #ask<Answer>(hook: () => Answer | Promise<Answer>, continueWith: (answer: Answer) => void): void {
    this.#enter("asking");
    const request = this.#request;
    const settle = (answer: Answer): void => {
      if (this.#state !== "asking" || this.#request !== request) return discard(answer);
      try {
        continueWith(answer);
      } catch (error) {
        this.#hookFailed(error);
      }
    };
    const fail = (error: unknown): void => {
      // If the client has closed the connection, the failure of the hook is not reported.
      if (this.#request === request && !(this.#halfClosed && request?.signal.aborted)) {
        this.#hookFailed(error);
      } else if (this.#state === "asking") this.#leave();
    };
    try {
      const answer = hook();
      if (answer instanceof Promise) answer.then(settle, fail);
      else settle(answer);
    } catch (error) {
      fail(error);
    }
  }

  #hookFailed(error: unknown): void {
    if (this.#state === "leaving" || this.#state === "gone") return;
    const what = error instanceof Error ? error.stack ?? error.message : String(error);
    this.#terms.log("error", `ws: a hook failed: ${what}`);
    // Only the request is answered with an error; the connection is kept, because a proxy's
    // connection carries requests of many clients.
    const head = this.#head;
    if (head === undefined || this.#state !== "asking") {
      return this.refuse({ status: 500, words: "internal error" });
    }
    this.#respond(head, new Response("internal error\n", { status: 500 }), false);
  }

  /** Writes a response. After the `last` response, the connection accepts no further request. */
  #respond(head: RequestHead, response: Response, last: boolean): void {
    if (!(response instanceof Response) || response.status < 200) {
      throw new TypeError("a hook must return a Response with a status from 200");
    }
    // The headers are read before the body, because Bun sets a body's type when the headers are
    // first read.
    const lines = linesOf(response.headers);
    if (isRead(response)) {
      throw new TypeError("a hook must return a Response whose body has not been read");
    }
    const persistence = this.#persistence(head, lines.closes, last);
    this.#enter("answering");
    this.#accepted = -1;
    this.#dueIn(this.#halfClosed ? HANG_UP_MS : Infinity);
    const sink = this.#sink ??= {
      date: () => this.#terms.date(),
      write: (bytes) => this.#write(bytes),
      room: () => this.#room(),
    };
    const writer = this.#writer = new ResponseWriter(head, response, lines, persistence, sink);
    const sent = writer.send();
    if (sent === undefined) return this.#answered(persistence);
    sent.then(
      () => this.#answered(persistence),
      (error) => {
        if (this.#state === "gone") return;
        this.#terms.log("error", `ws: the body of a response failed: ${error}`);
        this.abort();
      },
    );
  }

  /**
   * Called when the response has been written. Continues with the unread rest of the body or with
   * the next request, or closes the connection.
   */
  #answered(persistence: Persistence): void {
    const isCancelled = this.#writer?.isCancelled;
    this.#writer = undefined;
    this.#request = undefined;
    this.#head = undefined;
    if (this.#state === "gone") return;
    if (isCancelled || persistence === "close" || this.#awaitsContinue) return this.#leave();
    if (!this.#bodyComes) return this.#rest();
    if (this.#halfClosed || this.#bodyAt === Infinity) return this.#leave();
    // The rest of the body must be read and dropped before the next request can be read.
    this.#bodyFails(new TypeError("the request has been answered"));
    this.#enter("draining");
    this.#drain();
    this.#stream.resume();
  }

  /**
   * Whether the request's hook has answered without reading a body that is too long to be read and
   * dropped.
   */
  get #isTooLongToDrain(): boolean {
    return this.#bodyComes && this.#bodyStream?.isUsed === false &&
      (this.#body!.left ?? 0) > DRAINED_BYTES_MAX;
  }

  /** Returns whether the connection is closed or kept after the response. */
  #persistence(head: RequestHead, closesItself: boolean, last: boolean): Persistence {
    const { limits: { keepAliveMs, requestsMax }, isStopping } = this.#terms;
    const closes = last || isStopping || this.#isTooLongToDrain || keepAliveMs === 0 ||
      head.version === "1.0" ||
      this.#awaitsContinue || ++this.#answers >= requestsMax ||
      closesItself || hasToken(headerOf(head, "connection"), "close");
    return closes ? "close" : { keptMs: keepAliveMs };
  }

  /** Waits for the next request, or continues with one that has already arrived. */
  #rest(): void {
    if (this.#state === "gone") return;
    const isLast = this.#early.length === 0 && this.#halfClosed;
    if (isLast || this.#terms.isStopping) return this.#leave();
    this.#reader.reset();
    this.#method = undefined;
    this.#enter("resting");
    this.#limitMs = this.#terms.limits.keepAliveMs;
    if (this.#early.length === 0) return this.#stream.resume();
    // Many small requests in one read must not block other connections.
    if (this.#answers % REQUESTS_A_TURN_MAX > 0) this.#readEarly();
    else this.#terms.yieldToIo(() => this.#readEarly());
  }

  #readEarly(): void {
    if (this.#state !== "resting") return;
    const early = this.#early;
    this.#early = EMPTY;
    this.#take(early, true);
    // The rest of the head or body will never arrive.
    if (this.#halfClosed && this.#isReading) return this.#leave();
    if (this.#isReading || this.#early.length < EARLY_BYTES_MAX) this.#stream.resume();
  }

  /**
   * Returns a promise that resolves when the client has read most of the sent data, or `undefined`
   * if it already has.
   */
  #room(): Promise<void> | undefined {
    if (this.#stream.unsent <= RESPONSE_BYTES_WAITING_MAX || this.#state !== "answering") {
      return undefined;
    }
    return new Promise<void>((wake) =>
      this.#resumeResponse = () => {
        this.#resumeResponse = undefined;
        if (this.#halfClosed) this.#dueIn(HANG_UP_MS);
        wake();
      }
    );
  }

  #leave(): void {
    if (this.#state === "gone") return;
    this.#bodyFails(new TypeError("the request has been answered"));
    if (this.#request !== undefined && this.#state === "asking") {
      hangUp(this.#request, new Error("the request was refused"));
    }
    this.#enter("leaving");
    this.#request = undefined;
    this.#early = EMPTY;
    this.#dueIn(this.#terms.limits.closeTimeoutMs);
    this.#accepted = -1;
    this.#stream.end();
    this.#stream.resume();
  }
}

const NOT_FOUND: Refusal = { status: 404, words: "not found" };

/** Returns whether the head of a request announces a body. */
function announcesBody(head: RequestHead): boolean {
  return headerOf(head, "content-length") !== undefined ||
    headerOf(head, "transfer-encoding") !== undefined;
}

/** Returns the reason with which a request is aborted when its client has disconnected. */
function hungUp(): DOMException {
  return new DOMException("the client has disconnected", "AbortError");
}

/** Cancels the body of a response that comes too late, so that its source stops. */
function discard(answer: unknown): void {
  if (answer instanceof Response) answer.body?.cancel().catch(() => {});
}

/** Returns whether the client waits for `100 Continue`. */
function awaitsContinue(head: RequestHead): boolean {
  return head.version === "1.1" && headerOf(head, "expect")?.toLowerCase() === "100-continue";
}
