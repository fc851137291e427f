/**
 * The body of a request, whose end is told by `Content-Length` or by its chunks: RFC 9112, section 6.
 * Quiet.
 *
 * Memory grows with the bytes that came, by doubling, never with what a header claims; and all bodies
 * of a server share one {@linkcode BodyBudget}.
 *
 * @module
 */
import { EMPTY } from "../base/bytes.ts";
import { ChunkReader } from "./chunked.ts";
import { headerOf, type Refusal, type RequestHead } from "./handshake.ts";

/** How many bytes the bodies of one server's requests may take, all together. */
export class BodyBudget {
  #left: number;

  constructor(bytesMax: number) {
    this.#left = bytesMax;
  }

  /** Takes some, if there is so much left. */
  take(bytes: number): boolean {
    if (bytes > this.#left) return false;
    this.#left -= bytes;
    return true;
  }

  /** Gives some back. */
  give(bytes: number): void {
    this.#left += bytes;
  }
}

/** What has come of a body. */
export type BodyProgress =
  | { readonly state: "more" }
  /** It is whole; the bytes from `rest` on follow it. */
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

/** Reads one body as its bytes come. */
export class BodyReader {
  /** What is wrong with the body before any of it has come. */
  readonly refusal: Refusal | undefined;
  readonly #chunks: ChunkReader | undefined;
  readonly #bytesMax: number;
  readonly #budget: BodyBudget;
  /** It did not fit into the budget. */
  #isTooMuch = false;
  #memory: Uint8Array = EMPTY;
  #length = 0;
  /** Bytes that have not come; of no account in chunks. */
  #left: number;

  /**
   * A body of more than `bytesMax` bytes is refused with 413 as soon as it is known, one that finds the
   * budget used up with 503.
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

  /** True if the client must send something before it is whole. */
  get isAwaited(): boolean {
    return this.#chunks !== undefined || this.#left > 0;
  }

  /** Takes the next bytes. To be called until it gives something other than "more". */
  push(bytes: Uint8Array): BodyProgress {
    if (this.#chunks === undefined) return this.#counted(bytes);
    const progress = this.#chunks.push(bytes);
    if (this.#isTooMuch) return NO_ROOM;
    return progress.state === "over" ? this.#whole(progress.rest) : progress;
  }

  /** Nobody needs its bytes any more. */
  free(): void {
    this.#budget.give(this.#memory.length);
    this.#memory = EMPTY;
    this.#length = 0;
  }

  #counted(bytes: Uint8Array): BodyProgress {
    const part = bytes.subarray(0, this.#left);
    this.#add(part);
    if (this.#isTooMuch) return NO_ROOM;
    this.#left -= part.length;
    return this.#left > 0 ? MORE : this.#whole(part.length);
  }

  #add(bytes: Uint8Array): void {
    const length = this.#length + bytes.length;
    if (length > this.#memory.length) {
      const size = Math.max(length, Math.min(this.#memory.length * 2, this.#bytesMax));
      if (this.#isTooMuch || !this.#budget.take(size - this.#memory.length)) {
        this.#isTooMuch = true;
        return;
      }
      const grown = new Uint8Array(size);
      grown.set(this.#memory.subarray(0, this.#length));
      this.#memory = grown;
    }
    this.#memory.set(bytes, this.#length);
    this.#length = length;
  }

  #whole(rest: number): BodyProgress {
    return { state: "body", body: this.#memory.subarray(0, this.#length), rest };
  }
}
