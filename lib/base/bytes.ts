/**
 * A bounded little-endian reader and writer over one `Uint8Array`.
 *
 * The reader never throws for bad input: a read past the end, or text that is not UTF-8, sets `ok`
 * to false, and every later read returns zero or an empty value. A parser therefore reads a whole
 * layout in sequence and checks `ok` once, at the end.
 *
 * @module
 */
import { assert } from "./assert.ts";

const encoder = new TextEncoder();
const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/**
 * Texts of at most this many bytes are converted in a loop if they are ASCII, without `TextEncoder`
 * or `TextDecoder`.
 */
const SHORT_BYTES_MAX = 256;

/** A shared empty array. */
export const EMPTY: Uint8Array = new Uint8Array(0);

/** Returns the UTF-8 bytes of a string. A lone surrogate becomes U+FFFD. */
export function utf8(text: string): Uint8Array {
  return encoder.encode(text);
}

/** Returns the string that UTF-8 bytes encode, or `undefined` if they are not valid UTF-8. */
export function utf8Text(bytes: Uint8Array): string | undefined {
  try {
    return decoder.decode(bytes);
  } catch {
    return undefined;
  }
}

/** Joins chunks into one new array. Returns a single chunk unchanged. */
export function concat(chunks: readonly Uint8Array[]): Uint8Array {
  if (chunks.length === 1) return chunks[0]!;
  let length = 0;
  for (const chunk of chunks) length += chunk.length;
  const all = new Uint8Array(length);
  let at = 0;
  for (const chunk of chunks) {
    all.set(chunk, at);
    at += chunk.length;
  }
  return all;
}

/** Reads fields in order from `bytes`, never past its end. */
export class Reader {
  /** False after a read past the end or a text that was not UTF-8. It never becomes true again. */
  ok = true;
  /** Offset of the next read. */
  at: number;
  readonly #bytes: Uint8Array;

  constructor(bytes: Uint8Array, at = 0) {
    this.#bytes = bytes;
    this.at = at;
  }

  /** Number of bytes that have not been read. */
  get left(): number {
    return this.#bytes.length - this.at;
  }

  u8(): number {
    return this.#take(1) ? this.#bytes[this.at - 1]! : 0;
  }

  u16(): number {
    return this.#take(2) ? this.#bytes[this.at - 2]! | this.#bytes[this.at - 1]! << 8 : 0;
  }

  u32(): number {
    return this.#take(4) ? this.#u32At(this.at - 4) : 0;
  }

  u64(): bigint {
    if (!this.#take(8)) return 0n;
    return BigInt(this.#u32At(this.at - 4)) << 32n | BigInt(this.#u32At(this.at - 8));
  }

  /** Returns the next u64 as a number: exact up to 2^53, and otherwise rounded. */
  number64(): number {
    if (!this.#take(8)) return 0;
    return this.#u32At(this.at - 4) * 2 ** 32 + this.#u32At(this.at - 8);
  }

  /** Returns the next `length` bytes as a view of the same memory. */
  bytes(length: number): Uint8Array {
    return this.#take(length) ? this.#bytes.subarray(this.at - length, this.at) : EMPTY;
  }

  /** Returns the next `length` bytes as text. Invalid UTF-8 sets `ok` to false. */
  text(length: number): string {
    const bytes = this.bytes(length);
    if (length <= SHORT_BYTES_MAX && isAscii(bytes)) {
      return String.fromCharCode.apply(null, bytes as unknown as number[]);
    }
    const text = utf8Text(bytes);
    if (text !== undefined) return text;
    this.ok = false;
    return "";
  }

  /**
   * Reads a u16 length and that many bytes of UTF-8, and returns the text. If the text equals
   * `likely`, which must be short and ASCII, returns `likely` itself without decoding.
   */
  text16(likely = ""): string {
    const length = this.u16();
    if (length === likely.length && length > 0 && length <= this.left) {
      let i = 0;
      const bytes = this.#bytes;
      while (
        i < length && bytes[this.at + i] === likely.charCodeAt(i) && bytes[this.at + i]! < 0x80
      ) i++;
      if (i === length && this.#take(length)) return likely;
    }
    return this.text(length);
  }

  #u32At(at: number): number {
    const bytes = this.#bytes;
    return (bytes[at]! | bytes[at + 1]! << 8 | bytes[at + 2]! << 16 | bytes[at + 3]! << 24) >>> 0;
  }

  #take(length: number): boolean {
    // The length is negative if a peer's length field is too small. Such a field is invalid.
    if (!this.ok || length < 0 || length > this.left) {
      this.ok = false;
      return false;
    }
    this.at += length;
    return true;
  }
}

/**
 * Writes fields in order into a buffer that grows up to `limit` bytes. Writing more is a bug, and
 * fails an assertion.
 */
export class Writer {
  /** Number of bytes written. */
  length = 0;
  readonly #limit: number;
  #bytes: Uint8Array;

  constructor(capacity = 64, limit = 0xffff_ffff) {
    this.#limit = limit;
    this.#bytes = new Uint8Array(capacity);
  }

  u8(value: number): this {
    this.#room(1);
    this.#bytes[this.length++] = value;
    return this;
  }

  u16(value: number): this {
    // Calls `assert` only on failure, so that valid values do not pay for building the message.
    if (!(value >= 0 && value <= 0xffff)) assert(false, `not a u16: ${value}`);
    this.#room(2);
    this.#bytes[this.length++] = value;
    this.#bytes[this.length++] = value >>> 8;
    return this;
  }

  u32(value: number): this {
    if (!(value >= 0 && value <= 0xffff_ffff)) assert(false, `not a u32: ${value}`);
    this.#room(4);
    const bytes = this.#bytes;
    bytes[this.length++] = value;
    bytes[this.length++] = value >>> 8;
    bytes[this.length++] = value >>> 16;
    bytes[this.length++] = value >>> 24;
    return this;
  }

  u64(value: bigint): this {
    return this.u32(Number(value & 0xffff_ffffn)).u32(Number(value >> 32n & 0xffff_ffffn));
  }

  /** Writes a number as a u64: an integer from 0 to 2^53. */
  number64(value: number): this {
    return this.u32(value >>> 0).u32(Math.floor(value / 2 ** 32));
  }

  bytes(value: Uint8Array): this {
    this.#room(value.length);
    this.#bytes.set(value, this.length);
    this.length += value.length;
    return this;
  }

  /** Writes UTF-8 bytes after a u16 length. */
  text16(value: string): this {
    if (value.length <= SHORT_BYTES_MAX && this.#ascii16(value)) return this;
    const bytes = utf8(value);
    return this.u16(bytes.length).bytes(bytes);
  }

  /**
   * Returns the written bytes as a view. The view is only valid until the next write, which may
   * allocate other memory.
   */
  done(): Uint8Array {
    return this.#bytes.subarray(0, this.length);
  }

  /** Writes a u16 length and the text if the text is short and ASCII. Otherwise returns false. */
  #ascii16(value: string): boolean {
    const { length } = value;
    this.#room(2 + length);
    const bytes = this.#bytes;
    const at = this.length + 2;
    for (let i = 0; i < length; i++) {
      const code = value.charCodeAt(i);
      if (code > 0x7f) return false;
      bytes[at + i] = code;
    }
    bytes[at - 2] = length;
    bytes[at - 1] = length >>> 8;
    this.length = at + length;
    return true;
  }

  #room(length: number): void {
    const needed = this.length + length;
    if (needed <= this.#bytes.length) return;
    if (needed > this.#limit) assert(false, `over the writer's limit of ${this.#limit} bytes`);
    const grown = new Uint8Array(Math.min(this.#limit, Math.max(needed, this.#bytes.length * 2)));
    grown.set(this.#bytes.subarray(0, this.length));
    this.#bytes = grown;
  }
}

function isAscii(bytes: Uint8Array): boolean {
  for (let i = 0; i < bytes.length; i++) if (bytes[i]! > 0x7f) return false;
  return true;
}
