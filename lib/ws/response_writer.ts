/**
 * Writes one response: its head, and its body as it is produced.
 *
 *     a body that is available ──▶ head with its length ──▶ the body: at once, if it is a string or bytes
 *     one that takes time ─────▶ head, "chunked" ──▶ each piece as it comes ──▶ the last chunk
 *
 * @module
 */
import { concat, EMPTY, utf8 } from "../base/bytes.ts";
import type { RequestHead } from "./handshake.ts";
import {
  encodeChunk,
  encodeHead,
  type Farewell,
  type Framing,
  framingOf,
  headOf,
  isAscii,
  isBodiless,
  LAST_CHUNK,
  type ResponseLines,
  typeLine,
} from "./http.ts";
import { takeStaticBody } from "./static_body.ts";

/**
 * The number of microtasks after which a body that is a string or bytes is available, on both
 * runtimes.
 */
const MICROTASKS_AT_HAND = 4;

/** Available pieces are joined up to this many bytes, to determine the length of the body. */
const AT_HAND_BYTES_MAX = 256 * 1024;

/** A text of at most this many characters is joined with its head. */
const JOINED_TEXT_MAX = 4096;

type Reader = ReadableStreamDefaultReader<Uint8Array>;

/** Receives the response. */
export interface ResponseSink {
  /** Returns the value of the Date header. */
  date(): string;
  write(bytes: Uint8Array): void;
  /** Resolves when there is room for more; `undefined` if there is already. */
  room(): Promise<void> | undefined;
}

/** One response. */
export class ResponseWriter {
  /** Whether the head was written. */
  hasBegun = false;
  /** Whether the client has closed. */
  isCancelled = false;
  readonly #head: RequestHead;
  readonly #response: Response;
  readonly #lines: ResponseLines;
  readonly #farewell: Farewell;
  readonly #sink: ResponseSink;
  #reader: Reader | undefined;

  constructor(
    head: RequestHead,
    response: Response,
    lines: ResponseLines,
    farewell: Farewell,
    sink: ResponseSink,
  ) {
    this.#head = head;
    this.#response = response;
    this.#lines = lines;
    this.#farewell = farewell;
    this.#sink = sink;
  }

  /**
   * Returns `undefined` if the response is written and the client has room; otherwise a promise that
   * resolves then or when the client has closed, and rejects if the body fails.
   */
  send(): Promise<void> | undefined {
    const { status } = this.#response;
    // Checked before reading `body`, which would create a stream.
    const whole = takeStaticBody(this.#response);
    if (whole !== undefined) return this.#sendWhole(whole);
    const { body } = this.#response;
    const framing = framingOf(this.#head, status, this.#lines.length, body !== null);
    const isBare = isBodiless(this.#head.method, status);
    // For HEAD, the length is that of the response to GET.
    const needsLength = this.#head.method === "HEAD" && framing.kind === "chunked";
    if (body !== null && (!isBare || needsLength)) return this.#pass(body, framing, isBare);
    this.#begin(framing, "");
    body?.cancel().catch(() => {});
    return this.#sink.room();
  }

  /** Cancels the body, because the client will not read it. */
  cancel(reason: Error): void {
    this.isCancelled = true;
    // The error of the body was reported already.
    this.#reader?.cancel(reason).catch(() => {});
  }

  /** `text`: the body, if it is ASCII and is written with the head. */
  #begin(framing: Framing, extra: string, text: string = ""): void {
    const { text: lines, hasDate } = this.#lines;
    const all = hasDate ? lines + extra : `${lines}${extra}date: ${this.#sink.date()}\r\n`;
    this.hasBegun = true;
    const { status } = this.#response;
    const head = headOf(status, all, framing, this.#farewell);
    this.#sink.write(encodeHead(text === "" ? head : head + text, this.#lines.isAscii));
  }

  /** Sends an available body, with its length. */
  #sendWhole(body: string | Uint8Array): Promise<void> | undefined {
    const { method } = this.#head;
    const { status } = this.#response;
    const joins = typeof body === "string" && body.length <= JOINED_TEXT_MAX &&
      this.#lines.isAscii && isAscii(body);
    const bytes = joins ? EMPTY : typeof body === "string" ? utf8(body) : body;
    const length = joins ? body.length : bytes.length;
    const isBare = isBodiless(method, status);
    let framing = framingOf(this.#head, status, this.#lines.length, true);
    if (framing.kind !== "length" && (!isBare || method === "HEAD" && status !== 204)) {
      framing = { kind: "length", length };
    }
    if (!isBare && framing.kind === "length" && framing.length !== length) {
      const words = length > framing.length ? "longer" : "shorter";
      return Promise.reject(new Error(`it is ${words} than its Content-Length`));
    }
    this.#begin(framing, "", joins && !isBare ? body : "");
    if (!isBare) this.#sink.write(bytes);
    return this.#sink.room();
  }

  /**
   * Sends a streamed body. Available pieces are sent with the head, and with the length if they are
   * complete.
   */
  async #pass(body: ReadableStream<Uint8Array>, wished: Framing, isBare: boolean): Promise<void> {
    const reader: Reader = this.#reader = body.getReader();
    let next = reader.read();
    let first = EMPTY;
    let piece = await atHand(next);
    while (piece?.done === false && first.length < AT_HAND_BYTES_MAX) {
      first = first.length === 0 ? piece.value : concat([first, piece.value]);
      next = reader.read();
      piece = await atHand(next);
    }
    const framing: Framing = piece?.done && wished.kind !== "length"
      ? { kind: "length", length: first.length }
      : wished;
    this.#begin(framing, this.#lines.hasType ? "" : typeLine(first));
    if (isBare) {
      reader.cancel().catch(() => {});
      return this.#sink.room();
    }
    // Otherwise the client would confuse the body with the next response.
    const promised = framing.kind === "length" ? framing.length : Infinity;
    let sent = 0;
    const put = (bytes: Uint8Array): Promise<void> | undefined => {
      sent += bytes.length;
      if (sent > promised) throw new Error("it is longer than its Content-Length");
      if (bytes.length === 0) return undefined;
      if (framing.kind === "chunked") {
        for (const part of encodeChunk(bytes)) this.#sink.write(part);
      } else this.#sink.write(bytes);
      return this.#sink.room();
    };
    await put(first);
    for (let got = await next; !got.done && !this.isCancelled; got = await next) {
      await put(got.value);
      next = reader.read();
    }
    if (this.isCancelled) return;
    if (framing.kind === "chunked") this.#sink.write(LAST_CHUNK);
    else if (sent < promised && framing.kind === "length") {
      throw new Error("it is shorter than its Content-Length");
    }
    this.#reader = undefined;
    await this.#sink.room();
  }
}

/**
 * Returns the value of a promise within a few microtasks, or `undefined` if it takes longer or
 * rejects.
 */
async function atHand<T>(promise: Promise<T>): Promise<T | undefined> {
  let got: T | undefined;
  promise.then((value) => got = value, () => {});
  for (let i = 0; i < MICROTASKS_AT_HAND && got === undefined; i++) await undefined;
  return got;
}
