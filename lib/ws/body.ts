/**
 * The body of a request, delimited by `Content-Length` or by its chunks: RFC 9112, section 6.
 * Deterministic.
 *
 * A body that arrives together with the head is passed to the hook completely. Any other body is
 * streamed: each part is passed on as it arrives. Memory grows with the received bytes, by doubling, not
 * with the length in a header; all bodies of a server share one {@linkcode BodyBudget}.
 *
 * @module
 */
import { EMPTY } from "../base/bytes.ts";
import { ChunkReader } from "./chunked.ts";
import { headerOf, type Refusal, type RequestHead } from "./handshake.ts";

/** Limits the bytes in the bodies of all unanswered requests of one server. */
export class BodyBudget {
  #left: number;

  constructor(bytesMax: number) {
    this.#left = bytesMax;
  }

  /** Takes bytes from the budget. Returns false, and takes nothing, if fewer are left. */
  take(bytes: number): boolean {
    if (bytes > this.#left) return false;
    this.#left -= bytes;
    return true;
  }

  /** Releases bytes to the budget. */
  give(bytes: number): void {
    this.#left += bytes;
  }
}

/** The progress of a body. */
export type BodyProgress =
  | { readonly state: "more" }
  /**
   * The body is complete; the bytes from `rest` on follow it. `body` is empty if the body was
   * streamed.
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
  /** The rejection that is known before any of the body has arrived. */
  readonly refusal: Refusal | undefined;
  readonly #chunks: ChunkReader | undefined;
  readonly #bytesMax: number;
  readonly #budget: BodyBudget;
  /** Whether the body did not fit into the budget. */
  #isTooMuch = false;
  #memory: Uint8Array = EMPTY;
  #length = 0;
  /** Bytes taken from the budget. */
  #taken = 0;
  /** Number of bytes that have not arrived; unused for chunked bodies. */
  #left: number;
  /** Receives the parts of a streamed body. */
  #sink: ((part: Uint8Array) => void) | undefined;

  /**
   * A body of more than `bytesMax` bytes is rejected with 413 as soon as this is known, and one that
   * exceeds the budget with 503.
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

  /** Number of bytes still to come; `undefined` for a chunked body. */
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
   * Passes each part to `sink` from now on, starting with the collected bytes. Parts are only valid
   * during the call.
   */
  flowTo(sink: (part: Uint8Array) => void): void {
    this.#sink = sink;
    const collected = this.#memory.subarray(0, this.#length);
    this.#memory = EMPTY;
    this.#length = 0;
    if (collected.length > 0) sink(collected);
  }

  /** Releases the body's bytes to the budget, because the request has been answered. */
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
