/**
 * Reads the body of a request, whose end is marked by `Content-Length` or by the last chunk: RFC
 * 9112, section 6. Deterministic.
 *
 * A body that arrives in the same read as its head is passed to the request's hook as a whole. Any
 * other body is streamed: each part is passed on as it arrives. Memory is allocated for bytes that
 * have arrived, never for a length that a header announces. All bodies of a server share one
 * {@linkcode BodyBudget}.
 *
 * @module
 */
import { EMPTY } from "../base/bytes.ts";
import { ChunkReader } from "./chunked.ts";
import { headerOf, type Refusal, type RequestHead } from "./handshake.ts";

/** Limits the total number of bytes in the bodies of all unanswered requests of one server. */
export class BodyBudget {
  #left: number;

  constructor(bytesMax: number) {
    this.#left = bytesMax;
  }

  /** Reserves bytes in the budget. Returns false, and reserves nothing, if fewer are left. */
  take(bytes: number): boolean {
    if (bytes > this.#left) return false;
    this.#left -= bytes;
    return true;
  }

  /** Releases bytes that were reserved in the budget. */
  give(bytes: number): void {
    this.#left += bytes;
  }
}

/** The result of reading the next bytes of a body. */
export type BodyProgress =
  | { readonly state: "more" }
  /**
   * The body is complete. The bytes of the input from offset `rest` on do not belong to it. `body`
   * is empty if the body was streamed.
   */
  | { readonly state: "body"; readonly body: Uint8Array; readonly rest: number }
  | { readonly state: "refused"; readonly refusal: Refusal };

const MORE: BodyProgress = { state: "more" };

const NO_ROOM: BodyProgress = {
  state: "refused",
  refusal: {
    status: 503,
    words: "the server has too many requests to read at once, try again",
    headers: { "Retry-After": "1" },
  },
};

/** Reads one body as its bytes arrive. */
export class BodyReader {
  /**
   * The rejection of a body whose announced length exceeds the limit; `undefined` if the body may
   * be read.
   */
  readonly refusal: Refusal | undefined;
  readonly #chunks: ChunkReader | undefined;
  readonly #bytesMax: number;
  readonly #budget: BodyBudget;
  /** Whether the body exceeded the budget. */
  #isTooMuch = false;
  #memory: Uint8Array = EMPTY;
  #length = 0;
  /** Number of bytes that this body has reserved in the budget. */
  #taken = 0;
  /** Number of bytes that have not arrived; unused for chunked bodies. */
  #left: number;
  /** Receives the parts of the body; `undefined` until the body is streamed. */
  #sink: ((part: Uint8Array) => void) | undefined;

  /**
   * Reads the body of the request with this head. A body of more than `bytesMax` bytes is rejected
   * with 413 as soon as this is known, and one that exceeds the budget with 503.
   */
  constructor(head: RequestHead, bytesMax: number, budget: BodyBudget) {
    this.#bytesMax = bytesMax;
    this.#budget = budget;
    this.#left = Number(headerOf(head, "content-length") ?? 0);
    if (this.#left > bytesMax) {
      this.refusal = { status: 413, words: "the body is too large" };
    }
    if (headerOf(head, "transfer-encoding") === undefined) return;
    this.#chunks = new ChunkReader(bytesMax, (bytes) => this.#add(bytes));
  }

  /** Whether the client must send more before the body is complete. */
  get isAwaited(): boolean {
    return this.#chunks !== undefined || this.#left > 0;
  }

  /** Number of bytes that have not arrived; `undefined` for a chunked body. */
  get left(): number | undefined {
    return this.#chunks === undefined ? this.#left : undefined;
  }

  /** Reads the next bytes. Called until it returns something other than "more". */
  push(bytes: Uint8Array): BodyProgress {
    if (this.#chunks === undefined) return this.#counted(bytes);
    const progress = this.#chunks.push(bytes);
    if (this.#isTooMuch) return NO_ROOM;
    return progress.state === "over" ? this.#whole(progress.rest) : progress;
  }

  /**
   * Streams the body: passes the bytes collected so far, and then each part as it arrives, to
   * `sink`. A part is only valid during the call.
   */
  flowTo(sink: (part: Uint8Array) => void): void {
    this.#sink = sink;
    const collected = this.#memory.subarray(0, this.#length);
    this.#memory = EMPTY;
    this.#length = 0;
    if (collected.length > 0) sink(collected);
  }

  /** Releases the bytes that were reserved. Called when the request has been answered. */
  free(): void {
    this.#budget.give(this.#taken);
    this.#taken = 0;
    this.#memory = EMPTY;
    this.#length = 0;
  }

  #counted(bytes: Uint8Array): BodyProgress {
    const part = bytes.length > this.#left ? bytes.subarray(0, this.#left) : bytes;
    this.#add(part);
    if (this.#isTooMuch) return NO_ROOM;
    this.#left -= part.length;
    return this.#left > 0 ? MORE : this.#whole(part.length);
  }

  #add(bytes: Uint8Array): void {
    if (this.#isTooMuch || bytes.length === 0) return;
    if (this.#sink !== undefined) {
      if (this.#take(bytes.length)) this.#sink(bytes);
      return;
    }
    const length = this.#length + bytes.length;
    if (length > this.#memory.length) {
      const size = Math.max(length, Math.min(this.#memory.length * 2, this.#bytesMax));
      if (!this.#take(size - this.#memory.length)) return;
      const grown = new Uint8Array(size);
      grown.set(this.#memory.subarray(0, this.#length));
      this.#memory = grown;
    }
    this.#memory.set(bytes, this.#length);
    this.#length = length;
  }

  #take(bytes: number): boolean {
    if (!this.#budget.take(bytes)) {
      this.#isTooMuch = true;
      return false;
    }
    this.#taken += bytes;
    return true;
  }

  #whole(rest: number): BodyProgress {
    return { state: "body", body: this.#memory.subarray(0, this.#length), rest };
  }
}
