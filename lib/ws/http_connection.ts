/**
 * One socket from its accept until it is a WebSocket or has its last answer.
 *
 *     head ──┬─ a WebSocket ──▶ asking the upgrade hook ──▶ 101: a connection takes over
 *      ▲     │                        └───────────────┐
 *      │     └─ plain ──▶ body ──▶ asking the fetch hook ──▶ answering ──▶ leaving ──▶ gone
 *      └──────── its first byte ◀── resting ◀──────────────────────┘          ▲
 *                                      └──── too long, or the server stops ───┘
 *
 * From everywhere a refusal leads to `leaving`: the answer is written, our side is ended, and what
 * the client still sends is dropped until it hangs up too, because a socket that is closed over
 * unread bytes takes its last answer with it.
 *
 * A client may send its next request before it has the answer to the last. Those bytes are kept and
 * nothing more is read: what one client can make us hold is what one read gives. They are looked at
 * when that answer has left but for `RESPONSE_BYTES_WAITING_MAX`, `REQUESTS_A_TURN_MAX` a turn.
 *
 * @module
 */
import { unreachable } from "../base/assert.ts";
import { concat, EMPTY } from "../base/bytes.ts";
import type { LogSink } from "../base/log.ts";
import type { Stream, StreamEnd, StreamHandler } from "../host/stream.ts";
import type { Backpressure } from "./backpressure.ts";
import { type BodyBudget, BodyReader } from "./body.ts";
import { acceptDeflate, type DeflateTerms } from "./extension.ts";
import {
  acceptAnswer,
  checkUpgrade,
  hasToken,
  headerOf,
  HeadReader,
  offeredExtensions,
  offeredProtocols,
  type Refusal,
  type RequestHead,
  wantsWebSocket,
} from "./handshake.ts";
import {
  buildRequest,
  CONTINUE,
  encodeChunk,
  encodeHead,
  encodeRefusal,
  type Farewell,
  type Framing,
  framingOf,
  isBodiless,
  LAST_CHUNK,
} from "./http.ts";
import {
  type Acceptance,
  type Limits,
  limitsOf,
  type ServeOptions,
  type UpgradeAnswer,
} from "./options.ts";

/** While more than this waits for the client, a response's body is not read on. */
const RESPONSE_BYTES_WAITING_MAX = 64 * 1024;

/** Of the requests that one client sent at once, this many are answered before all others have a turn. */
const REQUESTS_A_TURN_MAX = 16;

/** A body made of a string or of bytes is there after three, on both runtimes. */
const MICROTASKS_AT_HAND = 4;

/** An answer that was sent so long ago has come, or never will. Milliseconds. */
const ARRIVED_MS = 1000;

/** Headers of the 101 that are the handshake's own. */
const RESERVED_HEADERS: readonly string[] = [
  "connection",
  "content-length",
  "sec-websocket-accept",
  "sec-websocket-extensions",
  "sec-websocket-protocol",
  "transfer-encoding",
  "upgrade",
];

/** What all arrivals of one server share. */
export interface HttpConnectionTerms<Data> {
  readonly options: ServeOptions<Data>;
  readonly limits: Limits;
  readonly log: LogSink;
  /** What all bodies that wait for an answer may take. */
  readonly bodies: BodyBudget;
  /** What we are willing to compress; `undefined`: nothing. */
  readonly deflate: DeflateTerms | undefined;
  /** The server stops: every answer is the last of its connection. */
  readonly isStopping: boolean;
  now(): number;
  /** The moment, for the answers. */
  date(): string;
  /** Calls a task when other sockets have had a turn. */
  yieldToIo(task: () => void): void;
  /** It has its answer, and waits for the next request. */
  rests(arrival: HttpConnection<Data>): void;
  /** It rests no more. */
  wakes(arrival: HttpConnection<Data>): void;
  /** The 101 has been written. */
  admit(arrival: HttpConnection<Data>, stream: Stream, admission: Admission<Data>): void;
  /** It ended without becoming a WebSocket. */
  ended(arrival: HttpConnection<Data>): void;
}

/** With what an arrival becomes a connection. */
export interface Admission<Data> {
  readonly acceptance: Acceptance<Data>;
  /** If it is not what the server says. */
  readonly backpressure: Backpressure | undefined;
  readonly deflate: DeflateTerms | undefined;
  /** What came behind the request. */
  readonly early: Uint8Array;
}

type State = "head" | "body" | "asking" | "answering" | "resting" | "leaving" | "gone";

/** A socket that has not said what it wants, or has not been given it. */
export class HttpConnection<Data> implements StreamHandler {
  readonly #terms: HttpConnectionTerms<Data>;
  readonly #stream: Stream;
  #state: State = "head";
  #deadline: number;
  #reader = new HeadReader();
  /** Answers that were begun. */
  #answers = 0;
  /** Of the request that is being read or answered, once it is known. */
  #method: string | undefined;
  /** The upgrade hook is being asked. */
  #upgrading = false;
  /** The client will send no more. */
  #halfClosed = false;
  /** The plain request whose body comes. */
  #head: RequestHead | undefined;
  /** Its body, until it has its answer. */
  #body: BodyReader | undefined;
  /** What came before it was to be read. */
  #early: Uint8Array = EMPTY;
  /** The body of the response that is being sent. */
  #response: ReadableStreamDefaultReader<Uint8Array> | undefined;
  /** Goes on with a response that waits for its client. */
  #drained: (() => void) | undefined;

  constructor(terms: HttpConnectionTerms<Data>, stream: Stream) {
    this.#terms = terms;
    this.#stream = stream;
    this.#deadline = terms.now() + terms.limits.handshakeMs;
    stream.handler = this;
  }

  /** Answers with this status, whatever was going on. */
  refuse(refusal: Refusal): void {
    if (this.#state === "leaving" || this.#state === "gone") return;
    this.#stream.write(encodeRefusal(refusal, this.#terms.date(), this.#method));
    this.#leave();
  }

  /** Ends it now. */
  abort(): void {
    this.#stream.abort();
  }

  /** Its place is needed while it rests. */
  yieldPlace(): void {
    // Cut off at once, its last answer might not have arrived.
    const restedMs = this.#terms.now() - (this.#deadline - this.#terms.limits.keepAliveMs);
    if (restedMs >= ARRIVED_MS) this.abort();
    else this.#leave();
  }

  /** The server stops: what nobody would see the end of is over. */
  dismiss(): void {
    if (this.#state === "resting") this.#leave();
    else if (this.#isReading || this.#upgrading || this.#halfClosed) this.abort();
  }

  /** Gives up who is late. */
  tick(now: number): void {
    if (now < this.#deadline) return;
    if (this.#isReading) this.refuse({ status: 408, words: "the request did not come in time" });
    else if (this.#state === "asking") this.refuse({ status: 503, words: "no answer in time" });
    else if (this.#state === "resting") this.#leave();
    else this.abort();
  }

  data(bytes: Uint8Array): void {
    this.#take(bytes, false);
  }

  drain(): void {
    this.#drained?.();
  }

  end(): void {
    this.#halfClosed = true;
    // A request that is whole may still be answered.
    if (this.#isReading) this.#stream.end();
    else if (this.#state === "resting") this.#leave();
  }

  close(_end: StreamEnd): void {
    this.#enter("gone");
    this.#drained?.();
    // Nobody reads it any more. It may have failed by itself, which has been reported then.
    this.#response?.cancel().catch(() => {});
    this.#terms.ended(this);
  }

  get #isReading(): boolean {
    return this.#state === "head" || this.#state === "body";
  }

  /** Moves to a state, from whatever it was. */
  #enter(state: State): void {
    if (this.#state === "resting") this.#terms.wakes(this);
    if (this.#body !== undefined && state !== "body" && state !== "asking") {
      this.#body.free();
      this.#body = undefined;
    }
    this.#state = state;
    if (state === "resting" && this.#early.length === 0) this.#terms.rests(this);
  }

  // What comes.

  /** `owned`: nobody else uses this memory. */
  #take(bytes: Uint8Array, owned: boolean): void {
    switch (this.#state) {
      case "resting":
        if (this.#early.length > 0) return this.#keep(bytes, owned);
        this.#enter("head");
        this.#deadline = this.#terms.now() + this.#terms.limits.handshakeMs;
        return this.#headBytes(bytes, owned);
      case "head":
        return this.#headBytes(bytes, owned);
      case "body":
        return this.#bodyBytes(bytes, owned);
      case "asking":
      case "answering":
        return this.#keep(bytes, owned);
      case "leaving":
      case "gone":
        return;
      default:
        unreachable(this.#state);
    }
  }

  /** Keeps what is not to be read yet, and reads no more. */
  #keep(bytes: Uint8Array, owned: boolean): void {
    if (bytes.length === 0) return;
    const kept = owned ? bytes : bytes.slice();
    this.#early = this.#early.length === 0 ? kept : concat([this.#early, kept]);
    this.#stream.pause();
  }

  #headBytes(bytes: Uint8Array, owned: boolean): void {
    const progress = this.#reader.push(bytes);
    if (progress.state === "more") return;
    if (progress.state === "refused") return this.refuse(progress.refusal);
    this.#method = progress.head.method;
    const rest = bytes.subarray(progress.rest);
    if (wantsWebSocket(progress.head)) this.#upgrade(progress.head, rest);
    else this.#plain(progress.head, rest, owned);
  }

  // A WebSocket.

  #upgrade(head: RequestHead, rest: Uint8Array): void {
    const { options } = this.#terms;
    const refusal = checkUpgrade(head) ?? this.#checkOrigin(head);
    if (refusal !== undefined) return this.refuse(refusal);
    if (options.upgrade === undefined) return this.#accept(head, {}, rest);
    const request = this.#request(head, EMPTY);
    if (request === undefined) return;
    const early = rest.length === 0 ? EMPTY : rest.slice();
    // What follows is the connection's to read.
    this.#stream.pause();
    this.#upgrading = true;
    const { remote } = this.#stream;
    this.#ask(
      () => options.upgrade!(request, remote),
      (answer) => this.#judge(head, answer, early),
    );
  }

  #checkOrigin(head: RequestHead): Refusal | undefined {
    const { origins } = this.#terms.options;
    const origin = headerOf(head, "origin");
    if (origins === undefined || origin === undefined || origins.includes(origin)) return undefined;
    return { status: 403, words: "pages of this origin may not connect" };
  }

  #judge(head: RequestHead, answer: UpgradeAnswer<Data>, early: Uint8Array): void {
    this.#upgrading = false;
    if (answer instanceof Response) {
      this.#stream.resume();
      // What follows may be frames, from a client that has not waited for our answer.
      this.#respond(head, answer, true);
    } else this.#accept(head, answer ?? {}, early);
  }

  #accept(head: RequestHead, acceptance: Acceptance<Data>, early: Uint8Array): void {
    const { protocol } = acceptance;
    const headers = new Headers(acceptance.headers);
    for (const name of RESERVED_HEADERS) {
      if (headers.has(name)) throw new TypeError(`the header ${name} of a 101 is the server's own`);
    }
    if (protocol !== undefined && !offeredProtocols(head).includes(protocol)) {
      throw new TypeError(`the client does not offer the protocol ${JSON.stringify(protocol)}`);
    }
    const { deflate: wish, limits } = this.#terms;
    const backpressure = limitsOf(acceptance.backpressure, limits.backpressure);
    const deflate = wish && acceptDeflate(offeredExtensions(head) ?? [], wish);
    this.#stream.write(acceptAnswer(head, protocol, deflate?.answer, headers));
    this.#enter("gone");
    this.#terms.admit(this, this.#stream, {
      acceptance,
      backpressure,
      deflate: deflate?.terms,
      early,
    });
  }

  // A plain request.

  #plain(head: RequestHead, rest: Uint8Array, owned: boolean): void {
    const body = new BodyReader(head, this.#terms.limits.bodyBytesMax, this.#terms.bodies);
    if (body.refusal !== undefined) return this.refuse(body.refusal);
    this.#head = head;
    this.#body = body;
    this.#enter("body");
    if (body.isAwaited && rest.length === 0 && awaitsContinue(head)) this.#stream.write(CONTINUE);
    this.#bodyBytes(rest, owned);
  }

  #bodyBytes(bytes: Uint8Array, owned: boolean): void {
    const progress = this.#body!.push(bytes);
    if (progress.state === "more") return;
    if (progress.state === "refused") return this.refuse(progress.refusal);
    const head = this.#head!;
    const { options } = this.#terms;
    if (options.fetch === undefined) return this.refuse({ status: 404, words: "not found" });
    const request = this.#request(head, progress.body);
    if (request === undefined) return;
    this.#keep(bytes.subarray(progress.rest), owned);
    const { remote } = this.#stream;
    this.#ask(
      () => options.fetch!(request, remote),
      (response) => this.#respond(head, response, false),
    );
  }

  #request(head: RequestHead, body: Uint8Array): Request | undefined {
    const scheme = this.#terms.options.tls === undefined ? "http" : "https";
    const request = buildRequest(head, scheme, body);
    if (request !== undefined) return request;
    this.refuse({ status: 501, words: "this server cannot serve such a request" });
    return undefined;
  }

  // The hooks and their answers.

  /** Calls a hook and goes on with what it gives, unless the deadline or the client was faster. */
  #ask<Answer>(hook: () => Answer | Promise<Answer>, continueWith: (answer: Answer) => void): void {
    this.#enter("asking");
    this.#deadline = this.#terms.now() + this.#terms.limits.handshakeMs;
    const settle = (answer: Answer): void => {
      if (this.#state !== "asking") return discard(answer);
      try {
        continueWith(answer);
      } catch (error) {
        this.#hookFailed(error);
      }
    };
    try {
      const answer = hook();
      if (answer instanceof Promise) answer.then(settle, (error) => this.#hookFailed(error));
      else settle(answer);
    } catch (error) {
      this.#hookFailed(error);
    }
  }

  #hookFailed(error: unknown): void {
    const what = error instanceof Error ? error.stack ?? error.message : String(error);
    this.#terms.log("error", `ws: a hook failed: ${what}`);
    this.refuse({ status: 500, words: "internal error" });
  }

  /** `last`: nothing that follows is a request. */
  #respond(head: RequestHead, response: Response, last: boolean): void {
    if (!(response instanceof Response) || response.status < 200) {
      throw new TypeError("a hook must give a Response with a status from 200");
    }
    if (response.bodyUsed || response.body?.locked) {
      throw new TypeError("a hook must give a Response whose body nobody reads");
    }
    const farewell = this.#farewell(head, response, last);
    this.#enter("answering");
    this.#deadline = Infinity;
    this.#send(head, response, farewell).catch((error) => {
      this.#terms.log("error", `ws: the body of a response failed: ${error}`);
      this.abort();
    });
  }

  /** What the answer says of its connection. */
  #farewell(head: RequestHead, { headers }: Response, last: boolean): Farewell {
    const { limits: { keepAliveMs, requestsMax }, isStopping } = this.#terms;
    const closes = last || isStopping || keepAliveMs === 0 || head.version === "1.0" ||
      ++this.#answers >= requestsMax || hasToken(headerOf(head, "connection"), "close") ||
      hasToken(headers.get("connection") ?? undefined, "close");
    return closes ? "close" : { keptMs: keepAliveMs };
  }

  async #send(
    head: RequestHead,
    { status, headers, body }: Response,
    farewell: Farewell,
  ): Promise<void> {
    const framing = framingOf(head, status, headers, body !== null);
    const date = headers.has("date") ? "" : `date: ${this.#terms.date()}\r\n`;
    const begin = (framing: Framing): void =>
      this.#stream.write(encodeHead(status, headers, framing, farewell, date));
    if (body !== null && !isBodiless(head.method, status)) await this.#pass(body, framing, begin);
    else {
      begin(framing);
      body?.cancel().catch(() => {});
    }
    if (farewell === "close") return this.#leave();
    await this.#room();
    this.#rest();
  }

  /** Passes a body on. What is at hand goes with the head; if that is all, its length is told there. */
  async #pass(
    body: ReadableStream<Uint8Array>,
    wished: Framing,
    begin: (framing: Framing) => void,
  ): Promise<void> {
    const reader = this.#response = body.getReader();
    let next = reader.read();
    let first = EMPTY;
    let piece = await atHand(next);
    if (piece?.done === false) {
      first = piece.value;
      next = reader.read();
      piece = await atHand(next);
    }
    const framing: Framing = piece?.done && wished.kind !== "length"
      ? { kind: "length", length: first.length }
      : wished;
    // A client would take what follows for the rest of it, or the rest for what follows.
    const promised = framing.kind === "length" ? framing.length : Infinity;
    let sent = 0;
    const put = (bytes: Uint8Array): Promise<void> | undefined => {
      sent += bytes.length;
      if (sent > promised) throw new Error("it is longer than its Content-Length");
      if (bytes.length === 0) return undefined;
      this.#stream.write(framing.kind === "chunked" ? encodeChunk(bytes) : bytes);
      return this.#room();
    };
    begin(framing);
    await put(first);
    for (let got = await next; !got.done; got = await next) {
      await put(got.value);
      next = reader.read();
    }
    if (framing.kind === "chunked") this.#stream.write(LAST_CHUNK);
    else if (framing.kind === "length" && sent < promised && this.#state !== "gone") {
      throw new Error("it is shorter than its Content-Length");
    }
    this.#response = undefined;
  }

  /** Waits for the next request, if it is not there already. */
  #rest(): void {
    if (this.#state === "gone") return;
    const isLast = this.#early.length === 0 && this.#halfClosed;
    if (isLast || this.#terms.isStopping) return this.#leave();
    this.#reader = new HeadReader();
    this.#method = undefined;
    this.#enter("resting");
    this.#deadline = this.#terms.now() + this.#terms.limits.keepAliveMs;
    if (this.#early.length === 0) return this.#stream.resume();
    // A thousand small requests that came at once would keep all others waiting.
    if (this.#answers % REQUESTS_A_TURN_MAX > 0) this.#readEarly();
    else this.#terms.yieldToIo(() => this.#readEarly());
  }

  #readEarly(): void {
    if (this.#state !== "resting") return;
    const early = this.#early;
    this.#early = EMPTY;
    this.#take(early, true);
    if (this.#isReading) this.#stream.resume();
  }

  /** Waits until the client has read most of what it was sent. */
  async #room(): Promise<void> {
    if (this.#stream.unsent <= RESPONSE_BYTES_WAITING_MAX || this.#state !== "answering") return;
    this.#deadline = this.#terms.now() + this.#terms.limits.handshakeMs;
    await new Promise<void>((wake) => this.#drained = wake);
    this.#drained = undefined;
    this.#deadline = Infinity;
  }

  #leave(): void {
    if (this.#state === "gone") return;
    this.#enter("leaving");
    this.#early = EMPTY;
    this.#deadline = this.#terms.now() + this.#terms.limits.closeTimeoutMs;
    this.#stream.end();
    this.#stream.resume();
  }
}

/** What a promise gives within a few microtasks; `undefined`: it takes longer, or fails. */
async function atHand<T>(promise: Promise<T>): Promise<T | undefined> {
  let got: T | undefined;
  promise.then((value) => got = value, () => {});
  for (let i = 0; i < MICROTASKS_AT_HAND && got === undefined; i++) await undefined;
  return got;
}

/** Nobody will read it: whatever feeds its body is to stop. */
function discard(answer: unknown): void {
  if (answer instanceof Response) answer.body?.cancel().catch(() => {});
}

/** True for a client that sends its body when it is asked to. */
function awaitsContinue(head: RequestHead): boolean {
  return head.version === "1.1" && headerOf(head, "expect")?.toLowerCase() === "100-continue";
}
