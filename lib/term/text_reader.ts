/**
 * Reads the strings of one byte a character. Making a string costs a call into the runtime, whatever
 * its length, so neighbours are made in one piece, the window, and cut out of it:
 *
 *     bytes   44 t y p e 42 b y 43 i n c 81 ...
 *                └──────── window ─────────────┘
 *                type       by    inc
 *
 * A string may keep its window alive, which is why that is short. The shortest strings come back too
 * often for that: they are remembered, each in the place that its characters lead to.
 *
 * @module
 */
import { Buffer } from "node:buffer";
import { EMPTY } from "../base/bytes.ts";

/** The longest window, in bytes. */
const WINDOW_BYTES_MAX = 1024;

/** From this length on a string is made by itself. */
const ALONE_FROM_LENGTH = 256;

/** Up to this length a string is remembered. */
const REMEMBER_LENGTH_MAX = 8;

/** So many strings are remembered; a power of two. */
const REMEMBER_COUNT = 512;

/** Buffers can do this, and do not show it in their types: `this` may be any Uint8Array. */
const latin1Slice = (Buffer.prototype as unknown as {
  latin1Slice(this: Uint8Array, from: number, to: number): string;
}).latin1Slice;

/** The strings within one term, from its beginning to its end. */
export class TextReader {
  readonly #remembered: string[] = new Array(REMEMBER_COUNT).fill("");
  #bytes: Uint8Array = EMPTY;
  #end = 0;
  #window = "";
  #windowFrom = 0;
  #windowTo = 0;

  /** Another term begins, which ends at `end`. */
  begin(bytes: Uint8Array, end: number): void {
    this.#bytes = bytes;
    this.#end = end;
    this.#windowTo = 0;
  }

  /** The string of the bytes `from` up to `to`, none of which was read before. */
  latin1(from: number, to: number): string {
    if (to - from <= REMEMBER_LENGTH_MAX) return this.#short(from, to);
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
    const place = (hash ^ (hash >>> 9)) & (REMEMBER_COUNT - 1);
    const remembered = this.#remembered[place]!;
    if (isThere(remembered, bytes, from, to)) return remembered;
    return this.#remembered[place] = latin1Slice.call(bytes, from, to);
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
