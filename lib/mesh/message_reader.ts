/**
 * Reads the fields of the messages of one session. One reader is reused for all messages, to avoid
 * an allocation per message.
 *
 * Throws `ProtocolError` for a malformed message.
 *
 * @module
 */
import { EMPTY, utf8Text } from "../base/bytes.ts";
import { Decoder } from "../term/decode.ts";
import { ProtocolError } from "../term/errors.ts";
import { decodeExit, type ExitReason } from "../term/exit.ts";
import { TextReader } from "../term/text_reader.ts";
import { type NodeTable, RECEIVER, SENDER } from "./node_table.ts";

/** Size of a numeric field in bytes, except flags, statuses and lengths. */
export const WORD_BYTES = 8;

/** A term that is decoded before the rest of its message is read. */
export interface Decoded {
  readonly term: unknown;
}

/** Reads the messages of one session, one after another. */
export class NodeMessageReader {
  readonly #homes: NodeTable;
  /** Decodes the terms of the session, which may refer to earlier terms. */
  readonly #decoder: Decoder;
  readonly #names = new TextReader();
  /** The message is in `#bytes` from `#at` to `#end`. */
  #bytes: Uint8Array = EMPTY;
  #at = 0;
  #end = 0;
  /** Whether the message arrived in fragments. Its term then refers to no earlier term. */
  #alone = false;
  /** The term of a held message, which was decoded on arrival. */
  #decoded: Decoded | undefined;

  constructor(homes: NodeTable) {
    this.#homes = homes;
    this.#decoder = new Decoder(homes);
  }

  /** Starts reading the message in `bytes` from `from` to `to`. */
  begin(bytes: Uint8Array, from: number, to: number, alone: boolean, decoded?: Decoded): void {
    this.#bytes = bytes;
    this.#at = from;
    this.#end = to;
    this.#alone = alone;
    this.#decoded = decoded;
  }

  /** Reads the local id of an actor of the peer. */
  sender(): number {
    return this.#pid(SENDER);
  }

  /** Reads the local id of an actor of this node. */
  receiver(): number {
    return this.#pid(RECEIVER);
  }

  /** Reads a u64, modulo 2 ** 48. */
  number(): number {
    const bytes = this.#bytes;
    const at = this.#at;
    if (this.#end - at < WORD_BYTES) this.fail("it is too short");
    this.#at = at + WORD_BYTES;
    const low = (bytes[at]! | bytes[at + 1]! << 8 | bytes[at + 2]! << 16 | bytes[at + 3]! << 24) >>>
      0;
    return low + (bytes[at + 4]! | bytes[at + 5]! << 8) * 2 ** 32;
  }

  /** Reads one byte. */
  u8(): number {
    if (this.#at >= this.#end) this.fail("it is too short");
    return this.#bytes[this.#at++]!;
  }

  /** Reads a name: a u16 length, and UTF-8. */
  text(): string {
    const length = this.u8() | this.u8() << 8;
    const end = this.#at + length;
    if (end > this.#end) this.fail("it is too short");
    const from = this.#at;
    this.#at = end;
    let plain = from;
    while (plain < end && this.#bytes[plain]! < 0x80) plain++;
    if (plain === end) {
      // Names are usually ASCII, and only a few different ones are used, so their texts are cached.
      this.#names.begin(this.#bytes, end);
      return this.#names.latin1(from, end);
    }
    return utf8Text(this.#bytes.subarray(from, end)) ?? this.fail("a name that is not UTF-8");
  }

  /** Reads the term that fills the rest of the message. */
  term(): unknown {
    if (this.#decoded !== undefined) return this.#decoded.term;
    // The buffer of a fragmented message is not reused, so the term may contain views of it.
    const decoder = this.#alone ? new Decoder(this.#homes, true) : this.#decoder;
    return decoder.decode(this.#bytes, this.#at, this.#end);
  }

  /** Reads the exit reason that fills the rest of the message. */
  reason(): ExitReason {
    const homes = this.#homes;
    return decodeExit(this.#bytes, this.#at, this.#end, new Decoder(homes), homes);
  }

  /** Throws a `ProtocolError`, because the message violates a rule. */
  fail(what: string): never {
    throw new ProtocolError(what, this.#at);
  }

  #pid(side: number): number {
    const at = this.#at;
    const bytes = this.#bytes;
    if (this.#end - at < WORD_BYTES) this.fail("it is too short");
    this.#at = at + WORD_BYTES;
    const low = bytes[at]! | bytes[at + 1]! << 8 | bytes[at + 2]! << 16 | bytes[at + 3]! << 24;
    // Nearly all ids fit into 31 bits, for which the faster first branch suffices.
    const high = bytes[at + 4]!;
    const id = high === 0 && low >= 0 ? low : (low >>> 0) + high * 2 ** 32;
    const node = bytes[at + 6]! | bytes[at + 7]! << 8;
    if (node !== side) {
      this.fail(
        side === SENDER
          ? "a sender that is not one of its actors"
          : "a receiver that is not an actor of this node",
      );
    }
    return id;
  }
}
