/**
 * A bounded little-endian reader and writer over one `Uint8Array`.
 *
 * The reader never throws for bad input: the first read past the end, or a length over its limit,
 * sets `ok` to false, and every later read returns zero or empty. A parser therefore reads a whole
 * layout in sequence and checks `ok` once, at the end.
 *
 * @module
 */
import { assert } from "./assert.ts";

const encoder = new TextEncoder();
const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

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
  readonly #view: DataView;

  constructor(bytes: Uint8Array, at = 0) {
    this.#bytes = bytes;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    this.at = at;
  }

  /** Number of bytes that have not been read. */
  get left(): number {
    return this.#bytes.length - this.at;
  }

  u8(): number {
    return this.#take(1) ? this.#view.getUint8(this.at - 1) : 0;
  }

  u16(): number {
    return this.#take(2) ? this.#view.getUint16(this.at - 2, true) : 0;
  }

  u32(): number {
    return this.#take(4) ? this.#view.getUint32(this.at - 4, true) : 0;
  }

  u64(): bigint {
    return this.#take(8) ? this.#view.getBigUint64(this.at - 8, true) : 0n;
  }

  /** Returns the next `length` bytes as a view of the same memory. */
  bytes(length: number): Uint8Array {
    return this.#take(length) ? this.#bytes.subarray(this.at - length, this.at) : EMPTY;
  }

  /** Returns the next `length` bytes as text. Invalid UTF-8 sets `ok` to false. */
  text(length: number): string {
    const text = utf8Text(this.bytes(length));
    if (text !== undefined) return text;
    this.ok = false;
    return "";
  }

  #take(length: number): boolean {
    // The length is negative if a peer's length field is too small. This is invalid.
    if (!this.ok || length < 0 || length > this.left) {
      this.ok = false;
      return false;
    }
    this.at += length;
    return true;
  }
}

/** Writes fields in order into a buffer that grows up to `limit` bytes. Writing more is a bug. */
export class Writer {
  /** Number of bytes written. */
  length = 0;
  readonly #limit: number;
  #bytes: Uint8Array;
  #view: DataView;

  constructor(capacity = 64, limit = 0xffff_ffff) {
    this.#limit = limit;
    this.#bytes = new Uint8Array(capacity);
    this.#view = new DataView(this.#bytes.buffer);
  }

  u8(value: number): this {
    this.#room(1);
    this.#bytes[this.length++] = value;
    return this;
  }

  u16(value: number): this {
    assert(value >= 0 && value <= 0xffff, `not a u16: ${value}`);
    this.#room(2);
    this.#view.setUint16(this.length, value, true);
    this.length += 2;
    return this;
  }

  u32(value: number): this {
    assert(value >= 0 && value <= 0xffff_ffff, `not a u32: ${value}`);
    this.#room(4);
    this.#view.setUint32(this.length, value, true);
    this.length += 4;
    return this;
  }

  u64(value: bigint): this {
    this.#room(8);
    this.#view.setBigUint64(this.length, value, true);
    this.length += 8;
    return this;
  }

  bytes(value: Uint8Array): this {
    this.#room(value.length);
    this.#bytes.set(value, this.length);
    this.length += value.length;
    return this;
  }

  /** Writes UTF-8 bytes after a u16 length. */
  text16(value: string): this {
    const bytes = utf8(value);
    return this.u16(bytes.length).bytes(bytes);
  }

  /** Returns the written bytes as a view. The next write may replace the memory behind it. */
  done(): Uint8Array {
    return this.#bytes.subarray(0, this.length);
  }

  #room(length: number): void {
    const needed = this.length + length;
    if (needed <= this.#bytes.length) return;
    assert(needed <= this.#limit, `over the writer's limit of ${this.#limit} bytes`);
    const grown = new Uint8Array(Math.min(this.#limit, Math.max(needed, this.#bytes.length * 2)));
    grown.set(this.#bytes.subarray(0, this.length));
    this.#bytes = grown;
    this.#view = new DataView(grown.buffer);
  }
}
