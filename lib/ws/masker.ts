/**
 * Masks the frames of a client: RFC 6455, section 5.3. Each frame has a new unpredictable key, so
 * that a script cannot choose the bytes that are sent.
 *
 *     81 05 48 65 6c 6c 6f   ──▶   81 85 37 fa 21 3d 7f 9f 4d 51 58
 *
 * @module
 */
import type { Random } from "../base/random.ts";
import { spanOf } from "./frame.ts";

const KEY_BYTES = 4;
const MASKED = 0x80;

/**
 * Number of keys that are generated at once, because a call of the random source costs more than
 * the random bytes that it returns.
 */
const KEYS_AT_ONCE = 256;

/** Masks the frames of one client. */
export class Masker {
  readonly #random: Random;
  #keys: Uint8Array = new Uint8Array(0);
  #next = 0;

  constructor(random: Random) {
    this.#random = random;
  }

  /** Masks the frames. Returns them in a new buffer. */
  mask(frames: Uint8Array): Uint8Array {
    let count = 0;
    for (let at = 0; at < frames.length; count++) {
      const { start, length } = spanOf(frames, at);
      at = start + length;
    }
    const out = new Uint8Array(frames.length + count * KEY_BYTES);
    for (let at = 0, to = 0; at < frames.length;) {
      const { start, length } = spanOf(frames, at);
      out.set(frames.subarray(at, start), to);
      out[to + 1]! |= MASKED;
      to = this.#write(out, to + (start - at), frames, start, start + length);
      at = start + length;
    }
    return out;
  }

  /** Writes a key and the masked payload. Returns the offset after it. */
  #write(out: Uint8Array, at: number, frames: Uint8Array, from: number, to: number): number {
    if (this.#next === this.#keys.length) {
      this.#keys = this.#random.bytes(KEYS_AT_ONCE * KEY_BYTES);
      this.#next = 0;
    }
    const key = this.#keys;
    const first = this.#next;
    this.#next += KEY_BYTES;
    for (let i = 0; i < KEY_BYTES; i++) out[at + i] = key[first + i]!;
    const start = at + KEY_BYTES;
    for (let i = 0; from + i < to; i++) out[start + i] = frames[from + i]! ^ key[first + (i & 3)]!;
    return start + (to - from);
  }
}
