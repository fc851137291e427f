/**
 * Decodes chunked request bodies: RFC 9112, section 7.1. Deterministic.
 *
 *     4;name=value CRLF      size in hex, extensions
 *     Wiki CRLF              that many bytes
 *     0 CRLF                 the last
 *     Name: value CRLF       trailers
 *     CRLF
 *
 *     size ─▶ extension ─▶ sizeLf ─▶ data ─▶ dataCr ─▶ dataLf ─┐
 *      ▲  └──────────────────▲  └─ 0 ─▶ trailer ◀─▶ trailerLf ─│─▶ over
 *      └───────────────────────────────────────────────────────┘
 *
 * The decoder is as strict as the grammar: if two readers of one body disagree on its end, the bytes in
 * between can smuggle a request. Extensions and trailers are checked and dropped.
 *
 * @module
 */
import { unreachable } from "../base/assert.ts";
import { parseHeader, type Refusal } from "./handshake.ts";

/** Maximum number of digits of a size, leading zeros included. More are answered with 400. */
const SIZE_DIGITS_MAX = 16;

/**
 * Maximum number of bytes of the extensions of one chunk, and of a whole body. More are answered
 * with 400.
 */
const EXTENSION_BYTES_MAX = 256;
const EXTENSIONS_BYTES_MAX = 16 * 1024;

/** Maximum size of all trailers in bytes, and their maximum number. More are answered with 431. */
const TRAILER_BYTES_MAX = 4096;
const TRAILERS_MAX = 32;

const CR = 0x0d;
const LF = 0x0a;

const WORD = "[!#$%&'*+\\-.^_`|~0-9A-Za-z]+";
// Within quotes: no control characters; a backslash escapes the next character.
const QUOTED =
  '"(?:[\\t \\x21\\x23-\\x5b\\x5d-\\x7e\\x80-\\xff]|\\\\[\\t \\x21-\\x7e\\x80-\\xff])*"';
const EXTENSIONS = new RegExp(
  `^(?:[ \\t]*;[ \\t]*${WORD}(?:[ \\t]*=[ \\t]*(?:${WORD}|${QUOTED}))?)+$`,
);

/** The progress of a body. */
export type ChunkProgress =
  | { readonly state: "more" }
  /** The body is complete; the bytes from `rest` on follow it. */
  | { readonly state: "over"; readonly rest: number }
  | { readonly state: "refused"; readonly refusal: Refusal };

type State =
  | "size"
  | "extension"
  | "sizeLf"
  | "data"
  | "dataCr"
  | "dataLf"
  | "trailer"
  | "trailerLf";

const MORE: ChunkProgress = { state: "more" };

/** Decodes one chunked body as its bytes arrive. */
export class ChunkReader {
  readonly #bytesMax: number;
  readonly #take: (bytes: Uint8Array) => void;
  #state: State = "size";
  /** The size of the current chunk, as far as it has been read. */
  #size = 0;
  #digits = 0;
  /** Number of bytes of the current chunk that have not arrived. */
  #left = 0;
  /** Number of data bytes of all chunks so far. */
  #total = 0;
  /** The extension or trailer being read. */
  #line = "";
  #extensionBytes = 0;
  #trailerBytes = 0;
  #trailers = 0;

  /** `take` receives the data, in views of the input. More than `bytesMax` bytes are answered with 413. */
  constructor(bytesMax: number, take: (bytes: Uint8Array) => void) {
    this.#bytesMax = bytesMax;
    this.#take = take;
  }

  /** Reads the next bytes. Called until it returns something other than "more". */
  push(bytes: Uint8Array): ChunkProgress {
    for (let at = 0; at < bytes.length;) {
      if (this.#state === "data") {
        at += this.#data(bytes, at);
        continue;
      }
      const refusal = this.#byte(bytes[at++]!);
      if (refusal === OVER) return { state: "over", rest: at };
      if (refusal !== undefined) return { state: "refused", refusal };
    }
    return MORE;
  }

  #data(bytes: Uint8Array, from: number): number {
    const part = bytes.subarray(from, from + this.#left);
    this.#take(part);
    this.#left -= part.length;
    if (this.#left === 0) this.#state = "dataCr";
    return part.length;
  }

  /** Reads one byte outside of the data. */
  #byte(byte: number): Refusal | typeof OVER | undefined {
    switch (this.#state) {
      case "size":
        return this.#sizeByte(byte);
      case "extension":
        if (byte === CR) return this.#extensionsEnd();
        return this.#extensionByte(byte);
      case "sizeLf":
        return byte === LF ? this.#sizeEnd() : bad("a chunk's size ends without a line feed");
      case "dataCr":
        this.#state = "dataLf";
        return byte === CR ? undefined : bad("a chunk is longer than its size");
      case "dataLf":
        this.#state = "size";
        return byte === LF ? undefined : bad("a chunk ends without a line feed");
      case "trailer":
        if (byte === CR) this.#state = "trailerLf";
        else return this.#trailerByte(byte);
        return undefined;
      case "trailerLf":
        return byte === LF ? this.#trailerEnd() : bad("a carriage return stands alone");
      case "data":
        return undefined;
      default:
        unreachable(this.#state);
    }
  }

  #sizeByte(byte: number): Refusal | undefined {
    const digit = digitOf(byte);
    if (digit < 0) {
      if (this.#digits === 0) return bad("a chunk has no size");
      this.#digits = 0;
      this.#state = byte === CR ? "sizeLf" : "extension";
      return byte === CR ? undefined : this.#extensionByte(byte);
    }
    if (++this.#digits > SIZE_DIGITS_MAX) return bad("a chunk's size is too long");
    this.#size = this.#size * 16 + digit;
    // Another digit can only increase the size.
    if (this.#total + this.#size <= this.#bytesMax) return undefined;
    return { status: 413, words: "the body is too large" };
  }

  #extensionByte(byte: number): Refusal | undefined {
    this.#line += String.fromCharCode(byte);
    // An invalid extension is rejected at its first byte.
    if (this.#line.length === 1 && !" \t;".includes(this.#line)) {
      return bad("a chunk's size is malformed");
    }
    if (byte === LF) return bad("a chunk's size ends without a carriage return");
    const tooLong = this.#line.length > EXTENSION_BYTES_MAX ||
      ++this.#extensionBytes > EXTENSIONS_BYTES_MAX;
    return tooLong ? bad("the extensions of chunks are too long") : undefined;
  }

  #extensionsEnd(): Refusal | undefined {
    if (!EXTENSIONS.test(this.#line)) return bad("a chunk's extension is malformed");
    this.#line = "";
    this.#state = "sizeLf";
    return undefined;
  }

  #sizeEnd(): undefined {
    this.#left = this.#size;
    this.#total += this.#size;
    this.#state = this.#size === 0 ? "trailer" : "data";
    this.#size = 0;
    return undefined;
  }

  #trailerByte(byte: number): Refusal | undefined {
    if (byte === LF) return bad("a line ends without a carriage return");
    this.#line += String.fromCharCode(byte);
    if (++this.#trailerBytes <= TRAILER_BYTES_MAX) return undefined;
    return { status: 431, words: "the trailers are too long" };
  }

  #trailerEnd(): Refusal | typeof OVER | undefined {
    if (this.#line === "") return OVER;
    if (parseHeader(this.#line) === undefined) return bad("a trailer is malformed");
    if (++this.#trailers > TRAILERS_MAX) return { status: 431, words: "too many trailers" };
    this.#line = "";
    this.#state = "trailer";
    return undefined;
  }
}

/** Represents the end of a body. */
const OVER = "over";

function bad(words: string): Refusal {
  return { status: 400, words };
}

/** Returns the value of a hexadecimal digit, or -1 for any other byte. */
function digitOf(byte: number): number {
  if (byte >= 0x30 && byte <= 0x39) return byte - 0x30;
  const lower = byte | 0x20;
  return lower >= 0x61 && lower <= 0x66 ? lower - 0x57 : -1;
}
