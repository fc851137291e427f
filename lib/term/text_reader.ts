/**
 * Reads strings that have one byte per character. Creating a string requires a call into the
 * runtime, regardless of its length. Neighbouring strings are therefore created together, as one
 * long string, the window, from which they are sliced:
 *
 *     bytes   44 t y p e 42 b y 43 i n c 81 ...
 *                └──────── window ─────────────┘
 *                type       by    inc
 *
 * A string may keep its window in memory, so windows are short. The shortest strings occur so often
 * that they are cached instead, indexed by a hash of their characters.
 *
 * @module
 */
import { Buffer } from "node:buffer";
import { EMPTY } from "../base/bytes.ts";

/** Maximum length of a window, in bytes. */
const WINDOW_BYTES_MAX = 1024;

/** Minimum length of a string that is created individually, without a window. */
const ALONE_FROM_LENGTH = 256;

/** Maximum length of cached strings, in bytes. */
const CACHED_LENGTH_MAX = 8;

/** Number of cached strings; a power of two. */
const CACHED_COUNT = 512;

/** A method of Buffer that its types do not declare. Its `this` may be any Uint8Array. */
const latin1Slice = (Buffer.prototype as unknown as {
  latin1Slice(this: Uint8Array, from: number, to: number): string;
}).latin1Slice;

/** Reads the strings of one term, from its beginning to its end. */
export class TextReader {
  readonly #cached: string[] = new Array(CACHED_COUNT).fill("");
  #bytes: Uint8Array = EMPTY;
  #end = 0;
  #window = "";
  #windowFrom = 0;
  #windowTo = 0;

  /** Starts to read another term, which ends at `end`. */
  begin(bytes: Uint8Array, end: number): void {
    this.#bytes = bytes;
    this.#end = end;
    this.#windowTo = 0;
  }

  /** Returns the string of the bytes from `from` to `to`, which must not have been read before. */
  latin1(from: number, to: number): string {
    if (to - from <= CACHED_LENGTH_MAX) return this.#short(from, to);
    if (to > this.#windowTo) {
      if (to - from >= ALONE_FROM_LENGTH) return latin1Slice.call(this.#bytes, from, to);
      this.#open(from);
    }
    return this.#window.substring(from - this.#windowFrom, to - this.#windowFrom);
  }

  #short(from: number, to: number): string {
    const bytes = this.#bytes;
    let hash = to - from;
    for (let i = from; i < to; i++) hash = (Math.imul(hash, 31) + bytes[i]!) | 0;
    const place = (hash ^ (hash >>> 9)) & (CACHED_COUNT - 1);
    const remembered = this.#cached[place]!;
    if (isThere(remembered, bytes, from, to)) return remembered;
    return this.#cached[place] = latin1Slice.call(bytes, from, to);
  }

  #open(from: number): void {
    this.#windowFrom = from;
    this.#windowTo = Math.min(this.#end, from + WINDOW_BYTES_MAX);
    this.#window = latin1Slice.call(this.#bytes, from, this.#windowTo);
  }
}

function isThere(text: string, bytes: Uint8Array, from: number, to: number): boolean {
  if (text.length !== to - from) return false;
  for (let i = 0; i < text.length; i++) if (text.charCodeAt(i) !== bytes[from + i]) return false;
  return true;
}
