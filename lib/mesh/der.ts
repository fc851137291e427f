/**
 * Encodes and decodes the subset of DER (ITU-T X.690) that certificates need: elements that consist
 * of a tag, a length and a value.
 *
 * @module
 */
import { concat } from "../base/bytes.ts";

/** Encodes one element: its tag, the length in the shortest form, and the content. */
export function element(tag: number, ...parts: Uint8Array[]): Uint8Array {
  const body = parts.length === 0 ? new Uint8Array(0) : concat(parts);
  const length: number[] = [];
  if (body.length < 0x80) length.push(body.length);
  else {
    for (let rest = body.length; rest > 0; rest >>>= 8) length.unshift(rest & 0xff);
    length.unshift(0x80 | length.length);
  }
  return concat([new Uint8Array([tag, ...length]), body]);
}

/** Encodes a SEQUENCE. */
export function sequence(...parts: Uint8Array[]): Uint8Array {
  return element(0x30, ...parts);
}

/** Encodes a SET with one element. */
export function setOf(part: Uint8Array): Uint8Array {
  return element(0x31, part);
}

/** Encodes an explicit context tag around its content. */
export function explicit(number: number, ...parts: Uint8Array[]): Uint8Array {
  return element(0xa0 | number, ...parts);
}

/** Encodes a non-negative INTEGER from its bytes, most significant first. */
export function integer(bytes: Uint8Array): Uint8Array {
  let from = 0;
  while (from < bytes.length - 1 && bytes[from] === 0) from++;
  const digits = bytes.subarray(from);
  return (digits[0] ?? 0) & 0x80
    ? element(0x02, new Uint8Array([0]), digits)
    : element(0x02, digits);
}

/** The encoded BOOLEAN true. */
export const TRUE: Uint8Array = new Uint8Array([0x01, 0x01, 0xff]);

/** Encodes an OCTET STRING. */
export function octets(bytes: Uint8Array): Uint8Array {
  return element(0x04, bytes);
}

/** Encodes a BIT STRING, of which the last `unused` bits are not used. */
export function bits(bytes: Uint8Array, unused = 0): Uint8Array {
  return element(0x03, new Uint8Array([unused]), bytes);
}

/** Encodes a UTF8String. */
export function text(value: string): Uint8Array {
  return element(0x0c, new TextEncoder().encode(value));
}

/** Encodes an OBJECT IDENTIFIER from its dotted form. */
export function oid(dotted: string): Uint8Array {
  const [first, second, ...rest] = dotted.split(".").map(Number);
  const bytes = [first! * 40 + second!];
  for (const arc of rest) {
    const digits = [arc & 0x7f];
    for (let left = arc >>> 7; left > 0; left >>>= 7) digits.unshift(0x80 | (left & 0x7f));
    bytes.push(...digits);
  }
  return element(0x06, new Uint8Array(bytes));
}

/** Encodes a UTCTime, for the years 1950 to 2049. `ms` is the time in milliseconds since 1970. */
export function utcTime(ms: number): Uint8Array {
  const digits = new Date(ms).toISOString().slice(2, 19).replace(/[-:T]/g, "");
  return element(0x17, new TextEncoder().encode(`${digits}Z`));
}

/**
 * Encodes a GeneralizedTime, for years up to 9999. Certificates use it from 2050 on, which
 * `utcTime` does not support (RFC 5280, 4.1.2.5). `ms` is the time in milliseconds since 1970.
 */
export function generalizedTime(ms: number): Uint8Array {
  const digits = new Date(ms).toISOString().slice(0, 19).replace(/[-:T]/g, "");
  return element(0x18, new TextEncoder().encode(`${digits}Z`));
}

/** A decoded element. */
export interface Element {
  readonly tag: number;
  readonly body: Uint8Array;
  /** The bytes of the whole element: tag, length and content. */
  readonly whole: Uint8Array;
}

/**
 * Returns the consecutive elements in `bytes`. Stops at the first element that is malformed or
 * exceeds the input. Supports lengths of up to 3 bytes and tags of one byte.
 */
export function children(bytes: Uint8Array): Element[] {
  const elements: Element[] = [];
  for (let at = 0; at + 2 <= bytes.length;) {
    const start = at;
    const tag = bytes[at++]!;
    let length = bytes[at++]!;
    if (length >= 0x80) {
      const count = length & 0x7f;
      if (count === 0 || count > 3 || at + count > bytes.length) break;
      length = 0;
      for (let i = 0; i < count; i++) length = length << 8 | bytes[at++]!;
    }
    if (length > bytes.length - at) break;
    elements.push({
      tag,
      body: bytes.subarray(at, at + length),
      whole: bytes.subarray(start, at + length),
    });
    at += length;
  }
  return elements;
}
