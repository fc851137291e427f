/**
 * One socket from its accept until it is a WebSocket or has its answer.
 *
 *     head ──┬─ a WebSocket ──▶ asking the upgrade hook ──▶ 101: a connection takes over
 *            │                        └───────────────┐
 *            └─ plain ──▶ body ──▶ asking the fetch hook ──▶ answering ──▶ leaving ──▶ gone
 *
 * From everywhere a refusal leads to `leaving`: the answer is written, our side is ended, and what
 * the client still sends is dropped until it hangs up too, because a socket that is closed over
 * unread bytes takes its last answer with it.
 *
 * @module
 */
import { EMPTY } from "../base/bytes.ts";
import type { LogSink } from "../base/log.ts";
import type { Stream, StreamEnd, StreamHandler } from "../host/stream.ts";
import type { Backpressure } from "./backpressure.ts";
import { acceptDeflate, type DeflateTerms } from "./extension.ts";
import {
  acceptAnswer,
  checkUpgrade,
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
export interface ArrivalTerms<Data> {
  readonly options: ServeOptions<Data>;
  readonly limits: Limits;
  readonly log: LogSink;
  /** What we are willing to compress; `undefined`: nothing. */
  readonly deflate: DeflateTerms | undefined;
  now(): number;
  /** The 101 has been written. */
  admit(arrival: Arrival<Data>, stream: Stream, admission: Admission<Data>): void;
  /** It ended without becoming a WebSocket. */
  ended(arrival: Arrival<Data>): void;
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

type State = "head" | "body" | "asking" | "answering" | "leaving" | "gone";

/** A socket that has not said what it wants, or has not been given it. */
export class Arrival<Data> implements StreamHandler {
  readonly #terms: ArrivalTerms<Data>;
  readonly #stream: Stream;
  readonly #reader = new HeadReader();
  #state: State = "head";
  #deadline: number;
  /** The upgrade hook is being asked. */
  #upgrading = false;
  /** The client will send no more. */
  #halfClosed = false;
  /** The plain request whose body comes. */
  #head: RequestHead | undefined;
  #body: Uint8Array[] = [];
  #bodyLeft = 0;
  /** The body of the response that is being sent. */
  #response: ReadableStreamDefaultReader<Uint8Array> | undefined;
  /** Goes on with a response that waits for its client. */
  #drained: (() => void) | undefined;

  constructor(terms: ArrivalTerms<Data>, stream: Stream) {
    this.#terms = terms;
    this.#stream = stream;
    this.#deadline = terms.now() + terms.limits.handshakeMs;
    stream.handler = this;
  }

  /** Answers with this status, whatever was going on. */
  refuse(refusal: Refusal): void {
    if (this.#state === "leaving" || this.#state === "gone") return;
    this.#stream.write(encodeRefusal(refusal));
    this.#leave();
  }

  /** Ends it now. */
  abort(): void {
    this.#stream.abort();
  }

  /** True if a server that stops need not wait for it: nobody would see the end of it. */
  get isIdle(): boolean {
    return this.#isReading || this.#upgrading || this.#halfClosed;
  }

  /** Gives up who is late. */
  tick(now: number): void {
    if (now < this.#deadline) return;
    if (this.#isReading) this.refuse({ status: 408, words: "the request did not come in time" });
    else if (this.#state === "asking") this.refuse({ status: 503, words: "no answer in time" });
    else this.abort();
  }

  data(bytes: Uint8Array): void {
    if (this.#state === "body") return this.#bodyBytes(bytes);
    if (this.#state !== "head") return;
    const progress = this.#reader.push(bytes);
    if (progress.state === "more") return;
    if (progress.state === "refused") return this.refuse(progress.refusal);
    const rest = bytes.subarray(progress.rest);
    if (wantsWebSocket(progress.head)) this.#upgrade(progress.head, rest);
    else this.#plain(progress.head, rest);
  }

  drain(): void {
    this.#drained?.();
  }

  end(): void {
    // A request that is whole may still be answered.
    if (this.#isReading) this.#stream.end();
    this.#halfClosed = true;
  }

  close(_end: StreamEnd): void {
    this.#state = "gone";
    this.#drained?.();
    // Nobody reads it any more. It may have failed by itself, which has been reported then.
    this.#response?.cancel().catch(() => {});
    this.#terms.ended(this);
  }

  get #isReading(): boolean {
    return this.#state === "head" || this.#state === "body";
  }

  // A WebSocket.

  #upgrade(head: RequestHead, rest: Uint8Array): void {
    const { options } = this.#terms;
    const refusal = checkUpgrade(head) ?? this.#checkOrigin(head);
    if (refusal !== undefined) return this.refuse(refusal);
    if (options.upgrade === undefined) return this.#accept(head, {}, rest);
    const request = this.#request(head);
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
      this.#respond(head, answer);
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
    this.#state = "gone";
    this.#terms.admit(this, this.#stream, {
      acceptance,
      backpressure,
      deflate: deflate?.terms,
      early,
    });
  }

  // A plain request.

  #plain(head: RequestHead, rest: Uint8Array): void {
    if (headerOf(head, "transfer-encoding") !== undefined) {
      return this.refuse({ status: 411, words: "send the body with a Content-Length" });
    }
    const length = Number(headerOf(head, "content-length") ?? 0);
    if (length > this.#terms.limits.bodyBytesMax) {
      return this.refuse({ status: 413, words: "the body is too large" });
    }
    if (length > rest.length && headerOf(head, "expect")?.toLowerCase() === "100-continue") {
      this.#stream.write(CONTINUE);
    }
    this.#head = head;
    this.#bodyLeft = length;
    this.#state = "body";
    this.#bodyBytes(rest);
  }

  #bodyBytes(bytes: Uint8Array): void {
    const taken = bytes.slice(0, this.#bodyLeft);
    if (taken.length > 0) this.#body.push(taken);
    this.#bodyLeft -= taken.length;
    if (this.#bodyLeft > 0) return;
    const head = this.#head!;
    const { options } = this.#terms;
    if (options.fetch === undefined) return this.refuse({ status: 404, words: "not found" });
    const request = this.#request(head);
    if (request === undefined) return;
    this.#body = [];
    this.#ask(() => options.fetch!(request), (response) => this.#respond(head, response));
  }

  #request(head: RequestHead): Request | undefined {
    const scheme = this.#terms.options.tls === undefined ? "http" : "https";
    const request = buildRequest(head, scheme, this.#body);
    if (request !== undefined) return request;
    this.refuse({ status: 501, words: "this server cannot serve such a request" });
    return undefined;
  }

  // The hooks and their answers.

  /** Calls a hook and goes on with what it gives, unless the deadline or the client was faster. */
  #ask<Answer>(hook: () => Answer | Promise<Answer>, goOn: (answer: Answer) => void): void {
    this.#state = "asking";
    this.#deadline = this.#terms.now() + this.#terms.limits.handshakeMs;
    const settle = (answer: Answer): void => {
      if (this.#state !== "asking") return;
      try {
        goOn(answer);
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

  #respond(head: RequestHead, response: Response): void {
    if (!(response instanceof Response) || response.status < 200) {
      throw new TypeError("a hook must give a Response with a status from 200");
    }
    this.#state = "answering";
    this.#deadline = Infinity;
    this.#send(head, response).catch((error) => {
      this.#terms.log("error", `ws: the body of a response failed: ${error}`);
      this.abort();
    });
  }

  async #send(head: RequestHead, { status, headers, body }: Response): Promise<void> {
    const framing = framingOf(head, status, headers, body !== null);
    this.#stream.write(encodeHead(status, headers, framing));
    if (body === null || isBodiless(head.method, status)) {
      body?.cancel().catch(() => {});
      return this.#leave();
    }
    this.#response = body.getReader();
    for (;;) {
      const { done, value } = await this.#response.read();
      if (done) break;
      const chunked = framing.kind === "chunked";
      if (value.length > 0) this.#stream.write(chunked ? encodeChunk(value) : value);
      await this.#room();
    }
    if (framing.kind === "chunked") this.#stream.write(LAST_CHUNK);
    this.#leave();
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
    this.#state = "leaving";
    this.#deadline = this.#terms.now() + this.#terms.limits.closeTimeoutMs;
    this.#stream.end();
    this.#stream.resume();
  }
}
