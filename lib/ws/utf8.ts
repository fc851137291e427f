/**
 * Validates UTF-8 that arrives in pieces. An invalid byte is detected in the piece that contains
 * it; a character may be split between two pieces.
 *
 *     lead byte   needs   the next byte is within
 *     00..7f      0
 *     c2..df      1       80..bf
 *     e0          2       a0..bf      (less would be an overlong encoding)
 *     e1..ec, ee  2       80..bf
 *     ed          2       80..9f      (more would be a surrogate)
 *     f0          3       90..bf
 *     f1..f3      3       80..bf
 *     f4          3       80..8f      (more would be past U+10FFFF)
 *     others      invalid
 *
 * @module
 */
import { isUtf8 } from "node:buffer";

/**
 * Minimum length, in bytes, of input that the runtime's `isUtf8` checks. Shorter input is checked
 * faster by a loop.
 */
const NATIVE_FROM_BYTES = 32;

/** Validates one text that arrives in pieces. */
export class Utf8Check {
  /** Number of bytes of the current character that have not arrived. */
  #needed = 0;
  /** Smallest valid value of the next byte. */
  #least = 0x80;
  /** Largest valid value of the next byte. */
  #most = 0xbf;

  /** Whether the text may end here, because no character is incomplete. */
  get whole(): boolean {
    return this.#needed === 0;
  }

  /** Checks the bytes from `from` to `to`. Returns false if they cannot be part of valid UTF-8. */
  push(bytes: Uint8Array, from: number, to: number): boolean {
    let at = from;
    while (at < to && this.#needed > 0) if (!this.#byte(bytes[at++]!)) return false;
    if (to - at >= NATIVE_FROM_BYTES) {
      const border = lastBorder(bytes, to);
      if (!isUtf8(bytes.subarray(at, border))) return false;
      at = border;
    }
    while (at < to) if (!this.#byte(bytes[at++]!)) return false;
    return true;
  }

  #byte(byte: number): boolean {
    if (this.#needed > 0) {
      if (byte < this.#least || byte > this.#most) return false;
      this.#needed--;
      this.#least = 0x80;
      this.#most = 0xbf;
      return true;
    }
    if (byte < 0x80) return true;
    if (byte < 0xc2 || byte > 0xf4) return false;
    this.#needed = byte < 0xe0 ? 1 : byte < 0xf0 ? 2 : 3;
    if (byte === 0xe0) this.#least = 0xa0;
    else if (byte === 0xed) this.#most = 0x9f;
    else if (byte === 0xf0) this.#least = 0x90;
    else if (byte === 0xf4) this.#most = 0x8f;
    return true;
  }
}

/** Returns the offset of the last character if it is incomplete, otherwise `to`. */
function lastBorder(bytes: Uint8Array, to: number): number {
  for (let back = 1; back <= 3; back++) {
    const byte = bytes[to - back]!;
    if (byte < 0x80) return to;
    if (byte >= 0xc0) return to - back;
  }
  return to;
}
