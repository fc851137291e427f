/**
 * Unmasks the payload of a client's frame, in place: byte i of the payload was XORed with byte i
 * modulo 4 of the key.
 *
 *     key (as on the wire)  a1 b2 c3 d4      as a number, little-endian: 0xd4c3b2a1
 *     payload byte           0  1  2  3  4  5
 *     XORed with            a1 b2 c3 d4 a1 b2
 *
 * `unmask` also returns whether any byte is not ASCII, so that texts need no second check. With the
 * key 0, it only checks.
 *
 * There are two versions: most payloads are short, and for these the faster version would spend
 * more time on its set-up than it saves (`bench/ws/mask_bench.ts`). Words are little-endian, as on
 * all supported machines.
 *
 * @module
 */
import type { Scratch } from "./scratch.ts";

/** Length in bytes from which `unmaskAligned` is faster than `unmaskUnaligned`. */
const WORDS_FROM_BYTES = 128;

/**
 * Selects the highest bit of each byte of a word. None of these bits is set if all bytes are ASCII.
 */
const HIGH_BITS = 0x80808080 | 0;

/**
 * Unmasks the bytes from `from` to `to`; the first is XORed with the low byte of `key`. Returns 0
 * if all of them, unmasked, are ASCII.
 */
export function unmask(scratch: Scratch, from: number, to: number, key: number): number {
  return to - from < WORDS_FROM_BYTES
    ? unmaskUnaligned(scratch, from, to, key)
    : unmaskAligned(scratch, from, to, key);
}

/** Returns the masking key rotated for the payload bytes after the first `count`. */
export function turnKey(key: number, count: number): number {
  const bits = (count & 3) << 3;
  return bits === 0 ? key : (key >>> bits) | (key << (32 - bits));
}

function unmaskUnaligned(scratch: Scratch, from: number, to: number, key: number): number {
  const { view } = scratch;
  let seen = 0;
  let at = from;
  for (; at + 4 <= to; at += 4) {
    const word = view.getInt32(at, true) ^ key;
    view.setInt32(at, word, true);
    seen |= word;
  }
  return (seen & HIGH_BITS) | unmaskBytes(scratch.bytes, at, to, key);
}

function unmaskAligned(scratch: Scratch, from: number, to: number, key: number): number {
  const { words } = scratch;
  const start = Math.min(to, (from + 3) & ~3);
  let seen = unmaskBytes(scratch.bytes, from, start, key);
  const turned = turnKey(key, start - from);
  const last = to >> 2;
  let at = start >> 2;
  for (; at + 4 <= last; at += 4) {
    const a = words[at]! ^ turned;
    const b = words[at + 1]! ^ turned;
    const c = words[at + 2]! ^ turned;
    const d = words[at + 3]! ^ turned;
    words[at] = a;
    words[at + 1] = b;
    words[at + 2] = c;
    words[at + 3] = d;
    seen |= a | b | c | d;
  }
  for (; at < last; at++) {
    const word = words[at]! ^ turned;
    words[at] = word;
    seen |= word;
  }
  seen &= HIGH_BITS;
  return seen | unmaskBytes(scratch.bytes, Math.max(start, at << 2), to, turned);
}

/** Unmasks byte by byte. */
function unmaskBytes(bytes: Uint8Array, from: number, to: number, key: number): number {
  let seen = 0;
  for (let at = from, bits = 0; at < to; at++, bits = (bits + 8) & 31) {
    const byte = bytes[at]! ^ ((key >>> bits) & 0xff);
    bytes[at] = byte;
    seen |= byte;
  }
  return seen & 0x80;
}
