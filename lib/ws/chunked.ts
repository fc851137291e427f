/**
 * Decodes chunked request bodies: RFC 9112, section 7.1. Deterministic.
 *
 *     4;name=value CRLF      size of the chunk in hexadecimal digits, and extensions
 *     Wiki CRLF              data of the chunk
 *     0 CRLF                 the last chunk, which has no data
 *     Name: value CRLF       trailers
 *     CRLF
 *
 *     size ─▶ extension ─▶ sizeLf ─▶ data ─▶ dataCr ─▶ dataLf ─┐
 *      ▲  └──────────────────▲  └─ 0 ─▶ trailer ◀─▶ trailerLf ─│─▶ over
 *      └───────────────────────────────────────────────────────┘
 *
 * The decoder is as strict as the grammar: if a proxy and this server disagreed on where a body
 * ends, the bytes between the two ends could contain a request that the proxy has not checked
 * (request smuggling). Extensions and trailers are validated and then ignored.
 *
 * @module
 */
import { unreachable } from "../base/assert.ts";
import { parseHeader, type Refusal } from "./handshake.ts";

/**
 * Maximum number of digits of a chunk's size, including leading zeros. A request with more digits
 * is answered with 400.
 */
const SIZE_DIGITS_MAX = 16;

/**
 * Maximum length of the extensions of one chunk, in bytes. A request with longer extensions is
 * answered with 400.
 */
const EXTENSION_BYTES_MAX = 256;
/**
 * Maximum length of all extensions in one body, in bytes. A request with longer extensions is
 * answered with 400.
 */
const EXTENSIONS_BYTES_MAX = 16 * 1024;

/**
 * Maximum length of all trailers of one body, in bytes. A request with longer trailers is answered
 * with 431.
 */
const TRAILER_BYTES_MAX = 4096;
/** Maximum number of trailers of one body. A request with more trailers is answered with 431. */
const TRAILERS_MAX = 32;

const CR = 0x0d;
const LF = 0x0a;

const WORD = "[!#$%&'*+\\-.^_`|~0-9A-Za-z]+";
// Matches a quoted string: no control characters but tabs; a backslash escapes the next character.
const QUOTED =
  '"(?:[\\t \\x21\\x23-\\x5b\\x5d-\\x7e\\x80-\\xff]|\\\\[\\t \\x21-\\x7e\\x80-\\xff])*"';
const EXTENSIONS = new RegExp(
  `^(?:[ \\t]*;[ \\t]*${WORD}(?:[ \\t]*=[ \\t]*(?:${WORD}|${QUOTED}))?)+$`,
);

/** The result of reading the next bytes of a body. */
export type ChunkProgress =
  | { readonly state: "more" }
  /** The body is complete. The bytes of the input from offset `rest` on do not belong to it. */
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
  /** The size of the current chunk, according to the digits that were read so far. */
  #size = 0;
  #digits = 0;
  /** Number of data bytes of the current chunk that have not arrived. */
  #left = 0;
  /** Sum of the sizes of all chunks so far, in bytes. */
  #total = 0;
  /** The part of the current extensions or trailer that has been read. */
  #line = "";
  #extensionBytes = 0;
  #trailerBytes = 0;
  #trailers = 0;

  /**
   * `take` is called with each part of the data, as a view of the input. A body of more than
   * `bytesMax` bytes is rejected with 413.
   */
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

  /** Reads one byte that is not data: of a size, an extension, a line end or a trailer. */
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
        return byte === LF ? this.#trailerEnd() : bad("a carriage return without a line feed");
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
    // Checked after each digit, because further digits can only increase the size.
    if (this.#total + this.#size <= this.#bytesMax) return undefined;
    return { status: 413, words: "the body is too large" };
  }

  #extensionByte(byte: number): Refusal | undefined {
    this.#line += String.fromCharCode(byte);
    // The first byte after the size shows whether an extension follows or the size is malformed.
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

/** The result of reading the last byte of a body. */
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
