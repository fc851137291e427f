/**
 * Assembles messages from frames: RFC 6455, section 5.4. Deterministic.
 *
 *     text, fin ─────────────────────────────────────────────▶ message
 *     text ──▶ continuation ──▶ … ──▶ continuation, fin ─────▶ message
 *                    └── control frames may come between these
 *
 * A message that consists of one frame in one piece, as most do, is passed directly from the
 * connection's scratch buffer to its receiver. Others are stored until they are complete: memory
 * grows with the received bytes, by doubling, never by an announced length, and never beyond the
 * maximum message length. A compressed message is inflated piece by piece, so that invalid UTF-8 is
 * detected before the whole message has arrived, as in an uncompressed message.
 *
 * @module
 */
import { Buffer, isUtf8 } from "node:buffer";
import { deflatedMost, type FrameSink, OPCODES, type Rule } from "./frame.ts";
import type { Scratch } from "./scratch.ts";
import { Utf8Check } from "./utf8.ts";
import type { Inflated, InflatedPieces } from "./zlib.ts";

/**
 * Fixed cost of inflating a message, in addition to its length. The unit is the cost of one
 * inflated byte.
 */
const INFLATE_BYTES = 1024;

/** Cost of reading a frame. The unit is the cost of one inflated byte. */
const FRAME_BYTES = 256;

/** Receives the messages and control frames of a connection. */
export interface MessageSink {
  /** Whether to stop before the next frame. */
  readonly paused: boolean;
  /** Handles a message: a string if it was sent as text. */
  message(data: string | Uint8Array): void;
  /** Handles a control frame. */
  control(opcode: number, payload: Uint8Array): Rule | undefined;
  /** Called when the memory used by the incomplete message has changed. `bytes` is its new size. */
  holds(bytes: number): void;
  /** Called when the peer has violated a rule. Nothing more is passed on. */
  fail(rule: Rule): void;
}

/** Inflates messages to at most `lengthMax` bytes. */
export interface Inflate {
  /** Inflates a complete message. */
  inflate(bytes: Uint8Array, lengthMax: number): Inflated;
  /**
   * Whether {@linkcode next} and {@linkcode finish} can be used, which inflate a message in pieces.
   */
  readonly takesPieces: boolean;
  /** Inflates the next piece of a message. */
  next(bytes: Uint8Array, lengthMax: number): InflatedPieces;
  /** Inflates the rest of a complete message. */
  finish(lengthMax: number): InflatedPieces;
}

/** Assembles messages and checks that texts are UTF-8. */
export class MessageReader implements FrameSink {
  readonly #sink: MessageSink;
  readonly #lengthMax: number;
  readonly #inflate: Inflate | undefined;
  /** The opcode of the message's first frame; 0 between messages. */
  #opcode = 0;
  /** Whether the current frame is the last of its message. */
  #fin = false;
  #compressed = false;
  /** Sum of the payload lengths in the headers of the message's frames so far, in bytes. */
  #announced = 0;
  /**
   * Cost of frames and inflation since the owner last set this to 0. The unit is the cost of one
   * inflated byte.
   */
  work = 0;
  /** The pieces of an incomplete message. */
  #parts: Parts | undefined;
  /**
   * Whether the incomplete message was dropped, either because its memory was needed or because the
   * connection is closing.
   */
  #dropped = false;

  /** `lengthMax` is the maximum message length, in bytes; the compressed form may be longer. */
  constructor(sink: MessageSink, lengthMax: number, inflate?: Inflate) {
    this.#sink = sink;
    this.#lengthMax = lengthMax;
    this.#inflate = inflate;
  }

  get paused(): boolean {
    return this.#sink.paused;
  }

  begin(opcode: number, fin: boolean, length: number, compressed: boolean): Rule | undefined {
    this.work += FRAME_BYTES;
    if (this.#dropped) return "tooMuch";
    if (opcode === OPCODES.continuation) {
      if (this.#opcode === 0) return "continuation";
    } else {
      if (this.#opcode !== 0) return "interleaved";
      this.#opcode = opcode;
      this.#compressed = compressed;
    }
    this.#fin = fin;
    this.#announced += length;
    const lengthMost = this.#compressed ? deflatedMost(this.#lengthMax) : this.#lengthMax;
    return this.#announced > lengthMost ? "tooBig" : undefined;
  }

  piece(scratch: Scratch, from: number, to: number, high: number, left: number): Rule | undefined {
    const last = this.#fin && left === 0;
    if (!last || this.#parts !== undefined) return this.#part(scratch, from, to, high, last);
    if (this.#compressed) return this.#inflated(scratch.bytes.subarray(from, to));
    if (this.#opcode === OPCODES.binary) return this.#whole(scratch.bytes.slice(from, to));
    if (high === 0) return this.#whole(scratch.text.toString("latin1", from, to));
    if (!isUtf8(scratch.bytes.subarray(from, to))) return "text";
    return this.#whole(scratch.text.toString("utf8", from, to));
  }

  control(opcode: number, payload: Uint8Array): Rule | undefined {
    this.work += FRAME_BYTES;
    return this.#sink.control(opcode, payload);
  }

  fail(rule: Rule): void {
    this.#release();
    this.#sink.fail(rule);
  }

  /** Drops the incomplete message. The next frame violates the rule "tooMuch". */
  drop(): void {
    this.#dropped = true;
    this.#release();
  }

  #part(scratch: Scratch, from: number, to: number, high: number, last: boolean): Rule | undefined {
    if (this.#dropped) return "tooMuch";
    const parts = this.#parts ??= new Parts();
    if (this.#compressed && this.#inflate!.takesPieces) {
      return this.#inflatedPart(parts, scratch.bytes.subarray(from, to), last);
    }
    // The length of the message is known once the header of its last frame has arrived.
    this.#add(parts, scratch.bytes, from, to, this.#fin ? this.#announced : this.#lengthMax);
    if (this.#dropped) return "tooMuch";
    if (this.#compressed) return last ? this.#inflated(parts.bytes()) : undefined;
    if (this.#opcode === OPCODES.binary) return last ? this.#whole(parts.bytes()) : undefined;
    if (!parts.check(scratch.bytes, from, to, high)) return "text";
    return last ? this.#wholeText(parts) : undefined;
  }

  /** Handles a part of a compressed message. `last` is whether it is the end of the message. */
  #inflatedPart(parts: Parts, bytes: Uint8Array, last: boolean): Rule | undefined {
    const inflate = this.#inflate!;
    const broken = this.#gather(parts, inflate.next(bytes, this.#lengthMax));
    if (broken !== undefined || !last) return broken;
    const rest = this.#gather(parts, inflate.finish(this.#lengthMax));
    if (rest !== undefined) return rest;
    if (this.#opcode === OPCODES.binary) return this.#whole(parts.bytes());
    return this.#wholeText(parts);
  }

  #gather(parts: Parts, pieces: InflatedPieces): Rule | undefined {
    if (pieces === "tooBig") return "tooBig";
    if (pieces === "broken") return "deflate";
    const isText = this.#opcode === OPCODES.text;
    for (const piece of pieces) {
      this.work += piece.length;
      this.#add(parts, piece, 0, piece.length, this.#lengthMax);
      if (this.#dropped) return "tooMuch";
      // The last argument, 1, means that the piece may contain other characters than ASCII.
      if (isText && !parts.check(piece, 0, piece.length, 1)) return "text";
    }
    return undefined;
  }

  #add(parts: Parts, bytes: Uint8Array, from: number, to: number, lengthMost: number): void {
    const before = parts.memory;
    parts.add(bytes, from, to, lengthMost);
    if (parts.memory !== before) this.#sink.holds(parts.memory);
  }

  #release(): void {
    if (this.#parts === undefined) return;
    this.#parts = undefined;
    this.#sink.holds(0);
  }

  #wholeText(parts: Parts): Rule | undefined {
    const text = parts.text();
    return text === undefined ? "text" : this.#whole(text);
  }

  #inflated(bytes: Uint8Array): Rule | undefined {
    const payload = this.#inflate!.inflate(bytes, this.#lengthMax);
    if (payload === "tooBig") return "tooBig";
    if (payload === "broken") return "deflate";
    this.work += payload.length + INFLATE_BYTES;
    if (this.#opcode === OPCODES.binary) return this.#whole(payload);
    if (!isUtf8(payload)) return "text";
    return this.#whole(Buffer.from(payload.buffer, payload.byteOffset, payload.length).toString());
  }

  #whole(data: string | Uint8Array): undefined {
    this.#opcode = 0;
    this.#announced = 0;
    if (this.#parts !== undefined) this.#release();
    this.#sink.message(data);
  }
}

/** Collects the parts of an incomplete message. */
class Parts {
  #memory = new Uint8Array(0);
  #length = 0;
  #ascii = true;
  readonly #utf8 = new Utf8Check();

  /** Number of allocated bytes. */
  get memory(): number {
    return this.#memory.length;
  }

  /** Appends a piece of a message of at most `lengthMost` bytes. */
  add(bytes: Uint8Array, from: number, to: number, lengthMost: number): void {
    const length = this.#length + (to - from);
    if (length > this.#memory.length) {
      const grown = new Uint8Array(Math.max(length, Math.min(lengthMost, this.#memory.length * 2)));
      grown.set(this.#memory.subarray(0, this.#length));
      this.#memory = grown;
    }
    this.#memory.set(bytes.subarray(from, to), this.#length);
    this.#length = length;
  }

  /** Checks the next piece of a text. Returns false if the text so far cannot be valid UTF-8. */
  check(bytes: Uint8Array, from: number, to: number, high: number): boolean {
    if (high === 0 && this.#utf8.whole) return true;
    this.#ascii = false;
    return this.#utf8.push(bytes, from, to);
  }

  /** Returns the bytes received so far. */
  bytes(): Uint8Array {
    const whole = this.#length === this.#memory.length;
    return whole ? this.#memory : this.#memory.slice(0, this.#length);
  }

  text(): string | undefined {
    if (!this.#utf8.whole) return undefined;
    const text = Buffer.from(this.#memory.buffer);
    return text.toString(this.#ascii ? "latin1" : "utf8", 0, this.#length);
  }
}
