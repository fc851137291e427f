/**
 * Reads the rows of one session, field after field. One reader is for all of them, and holds the row
 * that is being read: nothing is made for a row.
 *
 * What cannot be read is a broken rule of the peer's, and throws a `ProtocolError`.
 *
 * @module
 */
import { EMPTY, utf8Text } from "../base/bytes.ts";
import { Decoder } from "../term/decode.ts";
import { ProtocolError } from "../term/errors.ts";
import { decodeExit, type ExitReason } from "../term/exit.ts";
import { TextReader } from "../term/text_reader.ts";
import { type NodeTable, RECEIVER, SENDER } from "./node_table.ts";

/** Every number but flags, statuses and lengths has so many bytes. */
export const WORD_BYTES = 8;

/** A term that was decoded before its row is read. */
export interface Decoded {
  readonly term: unknown;
}

/** The row that is being read. */
export class NodeMessageReader {
  readonly #homes: NodeTable;
  /** Of the session: its terms build on those before them. */
  readonly #decoder: Decoder;
  readonly #names = new TextReader();
  /** The row's bytes, where it goes on, where it ends. */
  #bytes: Uint8Array = EMPTY;
  #at = 0;
  #end = 0;
  /** It was a large one: its term depends on none before it. */
  #alone = false;
  /** It had to wait, and its term was decoded when it came. */
  #decoded: Decoded | undefined;

  constructor(homes: NodeTable) {
    this.#homes = homes;
    this.#decoder = new Decoder(homes);
  }

  /** Another row: what stands in `bytes` from `from` up to `to`. */
  begin(bytes: Uint8Array, from: number, to: number, alone: boolean, decoded?: Decoded): void {
    this.#bytes = bytes;
    this.#at = from;
    this.#end = to;
    this.#alone = alone;
    this.#decoded = decoded;
  }

  /** The number of an actor of the peer's. */
  sender(): number {
    return this.#pid(SENDER);
  }

  /** The number of an actor of ours. */
  receiver(): number {
    return this.#pid(RECEIVER);
  }

  /** A u64; what is above 2 ** 48 is cut off. */
  number(): number {
    const bytes = this.#bytes;
    const at = this.#at;
    if (this.#end - at < WORD_BYTES) this.fail("it is too short");
    this.#at = at + WORD_BYTES;
    const low = (bytes[at]! | bytes[at + 1]! << 8 | bytes[at + 2]! << 16 | bytes[at + 3]! << 24) >>>
      0;
    return low + (bytes[at + 4]! | bytes[at + 5]! << 8) * 2 ** 32;
  }

  /** One byte. */
  u8(): number {
    if (this.#at >= this.#end) this.fail("it is too short");
    return this.#bytes[this.#at++]!;
  }

  /** A name. */
  text(): string {
    const length = this.u8() | this.u8() << 8;
    const end = this.#at + length;
    if (end > this.#end) this.fail("it is too short");
    const from = this.#at;
    this.#at = end;
    let plain = from;
    while (plain < end && this.#bytes[plain]! < 0x80) plain++;
    if (plain === end) {
      // Most names are ASCII, and come again and again.
      this.#names.begin(this.#bytes, end);
      return this.#names.latin1(from, end);
    }
    return utf8Text(this.#bytes.subarray(from, end)) ?? this.fail("a name that is not UTF-8");
  }

  /** The term that fills the rest. */
  term(): unknown {
    if (this.#decoded !== undefined) return this.#decoded.term;
    // What came in pieces was put together for this alone.
    const decoder = this.#alone ? new Decoder(this.#homes, true) : this.#decoder;
    return decoder.decode(this.#bytes, this.#at, this.#end);
  }

  /** The exit reason that fills the rest. */
  reason(): ExitReason {
    const homes = this.#homes;
    return decodeExit(this.#bytes, this.#at, this.#end, new Decoder(homes), homes);
  }

  /** The row breaks a rule. */
  fail(what: string): never {
    throw new ProtocolError(what, this.#at);
  }

  #pid(side: number): number {
    const at = this.#at;
    const bytes = this.#bytes;
    if (this.#end - at < WORD_BYTES) this.fail("it is too short");
    this.#at = at + WORD_BYTES;
    const low = bytes[at]! | bytes[at + 1]! << 8 | bytes[at + 2]! << 16 | bytes[at + 3]! << 24;
    // Nearly all numbers have 31 bits.
    const high = bytes[at + 4]!;
    const id = high === 0 && low >= 0 ? low : (low >>> 0) + high * 2 ** 32;
    const node = bytes[at + 6]! | bytes[at + 7]! << 8;
    if (node !== side) {
      this.fail(
        side === SENDER
          ? "a sender that is none of its actors"
          : "an addressee that is none of ours",
      );
    }
    return id;
  }
}
