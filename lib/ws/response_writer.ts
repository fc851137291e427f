/**
 * Writes one response: its head, and its body as it is produced.
 *
 *     a body at hand ──▶ head with its length ──▶ the body
 *     one that takes time ──▶ head, "chunked" ──▶ each piece as it comes ──▶ the last chunk
 *
 * @module
 */
import { concat, EMPTY } from "../base/bytes.ts";
import type { RequestHead } from "./handshake.ts";
import {
  encodeChunk,
  encodeHead,
  type Farewell,
  type Framing,
  framingOf,
  guessType,
  isBodiless,
  LAST_CHUNK,
} from "./http.ts";

/** A body made of a string or of bytes is there after three, on both runtimes. */
const MICROTASKS_AT_HAND = 4;

/** Pieces that are at hand are joined up to this many bytes, to learn how long the whole is. */
const AT_HAND_BYTES_MAX = 256 * 1024;

type Reader = ReadableStreamDefaultReader<Uint8Array>;

/** Where the response goes. */
export interface ResponseSink {
  /** The moment, for the header Date. */
  date(): string;
  write(bytes: Uint8Array): void;
  /** Resolves when there is room for more; `undefined`: there is. */
  room(): Promise<void> | undefined;
}

/** One response on its way. */
export class ResponseWriter {
  /** Its head has been written. */
  hasBegun = false;
  /** Its client has hung up. */
  isCancelled = false;
  readonly #head: RequestHead;
  readonly #response: Response;
  readonly #farewell: Farewell;
  readonly #sink: ResponseSink;
  #reader: Reader | undefined;

  constructor(head: RequestHead, response: Response, farewell: Farewell, sink: ResponseSink) {
    this.#head = head;
    this.#response = response;
    this.#farewell = farewell;
    this.#sink = sink;
  }

  /** Resolves when all of it is written, or its client has hung up. Rejects if its body fails. */
  async send(): Promise<void> {
    const { status, headers, body } = this.#response;
    const framing = framingOf(this.#head, status, headers, body !== null);
    const isBare = isBodiless(this.#head.method, status);
    // After HEAD, the length is the one that GET's answer would have.
    const tellsLength = this.#head.method === "HEAD" && framing.kind === "chunked";
    if (body === null || (isBare && !tellsLength)) {
      this.#begin(framing, "");
      body?.cancel().catch(() => {});
    } else await this.#pass(body, framing, isBare);
    await this.#sink.room();
  }

  /** Stops producing it: nobody will read it. */
  cancel(reason: Error): void {
    this.isCancelled = true;
    // It may have failed by itself, which has been reported then.
    this.#reader?.cancel(reason).catch(() => {});
  }

  #begin(framing: Framing, extra: string): void {
    const { status, headers } = this.#response;
    const date = headers.has("date") ? extra : `${extra}date: ${this.#sink.date()}\r\n`;
    this.hasBegun = true;
    this.#sink.write(encodeHead(status, headers, framing, this.#farewell, date));
  }

  /** Passes a body on. What is at hand goes with the head; if that is all, its length is known. */
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
    const isTyped = first.length === 0 || this.#response.headers.has("content-type");
    this.#begin(framing, isTyped ? "" : typeOf(first));
    if (isBare) {
      reader.cancel().catch(() => {});
      return;
    }
    // A client would take what follows for the rest of it, or the rest for what follows.
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
  }
}

/**
 * A header line for a body whose response has no type. Deno's class has set one where the Fetch
 * standard wants one; Bun's has not for a string.
 */
function typeOf(first: Uint8Array): string {
  return new Response("").headers.has("content-type") ? "" : guessType(first);
}

/** What a promise resolves with within a few microtasks; `undefined`: it takes longer, or rejects. */
async function atHand<T>(promise: Promise<T>): Promise<T | undefined> {
  let got: T | undefined;
  promise.then((value) => got = value, () => {});
  for (let i = 0; i < MICROTASKS_AT_HAND && got === undefined; i++) await undefined;
  return got;
}
