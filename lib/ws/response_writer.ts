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
  type Framing,
  framingOf,
  headOf,
  isAscii,
  isBodiless,
  LAST_CHUNK,
  type Persistence,
  type ResponseLines,
  typeLine,
} from "./http.ts";
import { takeStaticBody } from "./static_body.ts";

/**
 * Number of microtasks to wait for the next piece of a body. The body of a response created from a
 * string or bytes is available after three, on both runtimes, if it is read as a stream.
 */
const MICROTASKS_AT_HAND = 4;

/** Maximum number of available bytes of a body that are collected to determine its length. */
const AT_HAND_BYTES_MAX = 256 * 1024;

/** Maximum length of a body that is written together with its head, in characters or bytes. */
const JOINED_MAX = 4096;

type Reader = ReadableStreamDefaultReader<Uint8Array>;

/** Receives the bytes of the response. */
export interface ResponseSink {
  /** Returns the value of the Date header. */
  date(): string;
  write(bytes: Uint8Array): void;
  /**
   * Returns a promise that resolves when more may be written, or `undefined` if more may be written
   * at once.
   */
  room(): Promise<void> | undefined;
}

/** Writes one response. */
export class ResponseWriter {
  /** Whether the head was written, so that no other response can be sent. */
  hasBegun = false;
  /** Whether the response was cancelled, because the client has closed the connection. */
  isCancelled = false;
  readonly #head: RequestHead;
  readonly #response: Response;
  readonly #lines: ResponseLines;
  readonly #persistence: Persistence;
  readonly #sink: ResponseSink;
  #reader: Reader | undefined;

  constructor(
    head: RequestHead,
    response: Response,
    lines: ResponseLines,
    persistence: Persistence,
    sink: ResponseSink,
  ) {
    this.#head = head;
    this.#response = response;
    this.#lines = lines;
    this.#persistence = persistence;
    this.#sink = sink;
  }

  /**
   * Writes the response. Returns `undefined` if the whole response was written and few bytes of it
   * are unsent. Otherwise returns a promise that resolves when this becomes true or the response is
   * cancelled, and that rejects if the body fails.
   */
  send(): Promise<void> | undefined {
    const { status } = this.#response;
    // Checked before reading `body`, which would create a stream.
    const whole = takeStaticBody(this.#response);
    if (whole instanceof Promise) {
      return whole.then((bytes) => this.#sendWhole(bytes, this.#typeOf(bytes)));
    }
    if (whole !== undefined) return this.#sendWhole(whole);
    const { body } = this.#response;
    const framing = framingOf(this.#head, status, this.#lines.length, body !== null);
    const isBare = isBodiless(this.#head.method, status);
    // For HEAD, the length is that of the response to GET.
    const needsLength = this.#head.method === "HEAD" && framing.kind !== "length";
    if (body !== null && (!isBare || needsLength)) return this.#pass(body, framing, isBare);
    this.#begin(framing, "");
    body?.cancel().catch(() => {});
    return this.#sink.room();
  }

  /** Cancels the body, because the client will not read it. */
  cancel(reason: Error): void {
    this.isCancelled = true;
    // If a body that is no longer needed fails, the failure is ignored.
    this.#reader?.cancel(reason).catch(() => {});
  }

  /**
   * Writes the head and, in the same write, a short body: `text`, which must be ASCII, or `bytes`.
   */
  #begin(framing: Framing, extra: string, text: string = "", bytes: Uint8Array = EMPTY): void {
    const { text: lines, hasDate } = this.#lines;
    const all = hasDate ? lines + extra : `${lines}${extra}date: ${this.#sink.date()}\r\n`;
    this.hasBegun = true;
    const { status } = this.#response;
    const head = headOf(status, all, framing, this.#persistence);
    this.#sink.write(encodeHead(text === "" ? head : head + text, this.#lines.isAscii, bytes));
  }

  /** Returns the Content-Type line of a body whose response sets no type. */
  #typeOf(bytes: Uint8Array): string {
    return this.#lines.hasType ? "" : typeLine(bytes);
  }

  /** Sends an available body, with its length and the headers `extra`. */
  #sendWhole(body: string | Uint8Array, extra: string = ""): Promise<void> | undefined {
    const { method } = this.#head;
    const { status } = this.#response;
    const joins = typeof body === "string" && body.length <= JOINED_MAX &&
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
    if (isBare) this.#begin(framing, extra);
    else if (bytes.length <= JOINED_MAX) this.#begin(framing, extra, joins ? body : "", bytes);
    else {
      this.#begin(framing, extra);
      this.#sink.write(bytes);
    }
    return this.#sink.room();
  }

  /**
   * Sends a streamed body. The pieces that are available at once are sent with the head; if they
   * are the whole body, the head contains its length.
   */
  #pass(body: ReadableStream<Uint8Array>, wished: Framing, isBare: boolean): Promise<void> {
    const reader: Reader = this.#reader = body.getReader();
    return new Promise<void>((sent, failed) => {
      const start = new StartOfBody(reader, () => {
        if (!start.isWhole) return void this.#passRest(start, wished, isBare).then(sent, failed);
        this.#reader = undefined;
        const room = this.#sendWhole(start.bytes, this.#typeOf(start.bytes));
        if (room === undefined) sent();
        else room.then(sent, failed);
      });
    });
  }

  /** Sends a body that is only partly available: its head, and each piece as it arrives. */
  async #passRest(start: StartOfBody, framing: Framing, isBare: boolean): Promise<void> {
    const { reader } = start;
    let { next } = start;
    this.#begin(framing, this.#typeOf(start.bytes));
    if (isBare) {
      reader.cancel().catch(() => {});
      return this.#sink.room();
    }
    // Sends no more than the announced Content-Length, because the client would read further bytes
    // as the beginning of the next response.
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
    await put(start.bytes);
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
 * Collects the pieces of a body that are available at once, each within a few microtasks. Uses
 * callbacks, because an async function costs more than the rest of the response.
 */
class StartOfBody {
  /** The pieces that are available, joined into one array. */
  bytes: Uint8Array = EMPTY;
  /** Whether `bytes` is the whole body. */
  isWhole = false;
  /** Resolves with the piece after `bytes`. */
  next: Promise<ReadableStreamReadResult<Uint8Array>>;
  readonly reader: Reader;
  readonly #ready: () => void;
  #left = MICROTASKS_AT_HAND;
  #isReady = false;

  /** `ready` is called once, when the available pieces are collected. */
  constructor(reader: Reader, ready: () => void) {
    this.reader = reader;
    this.#ready = ready;
    this.next = reader.read();
    this.next.then(this.#got, this.#end);
    queueMicrotask(this.#count);
  }

  readonly #got = (piece: ReadableStreamReadResult<Uint8Array>): void => {
    if (this.#isReady) return;
    this.#left = MICROTASKS_AT_HAND;
    if (piece.done) {
      this.isWhole = true;
      return this.#end();
    }
    // Checked before the piece is added, so that a body that is one long piece is collected
    // completely. A piece that is not added stays in `next`.
    if (this.bytes.length >= AT_HAND_BYTES_MAX) return this.#end();
    this.bytes = this.bytes.length === 0 ? piece.value : concat([this.bytes, piece.value]);
    this.next = this.reader.read();
    this.next.then(this.#got, this.#end);
  };

  readonly #count = (): void => {
    if (this.#isReady) return;
    if (this.#left-- === 0) this.#end();
    else queueMicrotask(this.#count);
  };

  readonly #end = (): void => {
    if (this.#isReady) return;
    this.#isReady = true;
    this.#ready();
  };
}
