/**
 * Converts strings to bytes and back.
 *
 *     up to U+00FF            one byte per character: STRING, STRING8, STRING32
 *     beyond                  UTF-8: UTF8_8, UTF8_32
 *     with a lone surrogate   UTF-16, which is lossless: UTF16
 *
 * Every string is decoded exactly as it was encoded. A long text with a character from U+0080 to
 * U+00FF may also be encoded as UTF-8.
 *
 * @module
 */
import { Buffer, isUtf8 } from "node:buffer";
import type { TermBuffer } from "./buffer.ts";
import { TAG } from "./tags.ts";

/**
 * Minimum length, in characters, of strings that the runtime converts. Shorter strings are
 * converted faster by a loop.
 */
const NATIVE_FROM_LENGTH = 40;

/** Methods of Buffer that its types do not declare. `this` may be any Uint8Array. */
interface NativeText {
  /**
   * Writes at most `length` bytes at `at`, without cutting a character. Returns the number of
   * written bytes.
   */
  utf8Write(this: Uint8Array, text: string, at: number, length: number): number;
  ucs2Write(this: Uint8Array, text: string, at: number, length: number): number;
  utf8Slice(this: Uint8Array, from: number, to: number): string;
  ucs2Slice(this: Uint8Array, from: number, to: number): string;
}

const native = Buffer.prototype as unknown as NativeText;

/** Appends a string with its tag and length. */
export function writeText(out: TermBuffer, text: string): void {
  const length = text.length;
  if (length < NATIVE_FROM_LENGTH) writeShort(out, text, length);
  else writeLong(out, text, length);
}

function writeShort(out: TermBuffer, text: string, length: number): void {
  if (out.at + length >= out.end) out.reserve(length + 1);
  const bytes = out.bytes;
  const from = out.at + 1;
  // The bits of all characters are combined and checked once at the end, which is faster than one
  // check per character.
  let bits = 0;
  let i = 0;
  for (; i + 4 <= length; i += 4) {
    const a = text.charCodeAt(i);
    const b = text.charCodeAt(i + 1);
    const c = text.charCodeAt(i + 2);
    const d = text.charCodeAt(i + 3);
    bits |= a | b | c | d;
    bytes[from + i] = a;
    bytes[from + i + 1] = b;
    bytes[from + i + 2] = c;
    bytes[from + i + 3] = d;
  }
  for (; i < length; i++) {
    const a = text.charCodeAt(i);
    bits |= a;
    bytes[from + i] = a;
  }
  if (bits > 0xff) return writeWide(out, text);
  bytes[from - 1] = TAG.STRING + length;
  out.at = from + length;
}

/**
 * Appends a string of at least {@linkcode NATIVE_FROM_LENGTH} characters. Tries ASCII first: the
 * number of written bytes shows whether the string was ASCII.
 */
function writeLong(out: TermBuffer, text: string, length: number): void {
  const from = out.at;
  // Text that is not ASCII has more bytes than characters. The additional four bytes of space
  // ensure that more than `length` bytes are then written.
  out.reserve(5 + length + 4);
  writeHead(out, length);
  if (native.utf8Write.call(out.bytes, text, out.at, length + 4) === length) out.at += length;
  else {
    out.at = from;
    writeWide(out, text);
  }
}

function writeHead(out: TermBuffer, length: number): void {
  if (length < 64) out.bytes[out.at++] = TAG.STRING + length;
  else writeHead8(out, TAG.STRING8, TAG.STRING32, length);
}

function writeHead8(out: TermBuffer, tag8: number, tag32: number, length: number): void {
  if (length < 256) {
    out.bytes[out.at++] = tag8;
    out.bytes[out.at++] = length;
  } else {
    out.bytes[out.at] = tag32;
    out.view.setUint32(out.at + 1, length, true);
    out.at += 5;
  }
}

function writeWide(out: TermBuffer, text: string): void {
  if (!text.isWellFormed()) return writeUnits(out, text);
  const length = Buffer.byteLength(text);
  out.reserve(5 + length);
  writeHead8(out, TAG.UTF8_8, TAG.UTF8_32, length);
  out.at += native.utf8Write.call(out.bytes, text, out.at, length);
}

function writeUnits(out: TermBuffer, text: string): void {
  const length = 2 * text.length;
  out.reserve(5 + length);
  out.bytes[out.at] = TAG.UTF16;
  out.view.setUint32(out.at + 1, length, true);
  out.at += 5 + native.ucs2Write.call(out.bytes, text, out.at + 5, length);
}

/** Returns the string that UTF-8 bytes encode, or `undefined` if they are invalid. */
export function utf8TextOf(bytes: Uint8Array, from: number, to: number): string | undefined {
  return isUtf8(bytes.subarray(from, to)) ? native.utf8Slice.call(bytes, from, to) : undefined;
}

/** Returns the string of UTF-16 code units in an even number of bytes. */
export function utf16Text(bytes: Uint8Array, from: number, to: number): string {
  return native.ucs2Slice.call(bytes, from, to);
}
