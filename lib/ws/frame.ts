/**
 * Encodes and decodes WebSocket frames: RFC 6455, section 5.2. Deterministic.
 *
 *       byte 0            byte 1
 *     ┌─┬───┬────────┐  ┌────┬─────────┐  ┌─────────────────────┐  ┌──────────┐  ┌─────────┐
 *     │F│RSV│ opcode │  │MASK│ length  │  │ 126: u16 BE, longer │  │ key u32, │  │ payload │
 *     │1│ 3 │   4    │  │ 1  │    7    │  │ 127: u64 BE         │  │ if MASK  │  │         │
 *     └─┴───┴────────┘  └────┴─────────┘  └─────────────────────┘  └──────────┘  └─────────┘
 *
 *     81 05 48 65 6c 6c 6f                    "Hello" from a server
 *     81 85 37 fa 21 3d 7f 9f 4d 51 58        the same from a client
 *     c1 07 f2 48 cd c9 c9 07 00              the same from a server, compressed: RFC 7692
 *
 * The decoder accepts bytes that are split at any offset. No other part handles incomplete frames:
 * the decoder passes on complete headers, pieces of payload, and complete control frames. It stores
 * at most one header and one control frame, and never allocates memory for an announced length.
 *
 * @module
 */
import { Buffer } from "node:buffer";
import { utf8Text } from "../base/bytes.ts";
import { turnKey, unmask } from "./mask.ts";
import type { Scratch } from "./scratch.ts";

/** The opcodes of frames. */
export const OPCODES = {
  continuation: 0x0,
  text: 0x1,
  binary: 0x2,
  close: 0x8,
  ping: 0x9,
  pong: 0xa,
} as const;

/** Every rule that a peer can violate, with the code and reason of the close frame. */
export const RULES = {
  reserved: { code: 1002, words: "a reserved bit is set" },
  opcode: { code: 1002, words: "the opcode is reserved" },
  unmasked: { code: 1002, words: "a client's frame must be masked" },
  masked: { code: 1002, words: "a server's frame must not be masked" },
  controlLength: { code: 1002, words: "a control frame is longer than 125 bytes" },
  controlFragment: { code: 1002, words: "a control frame is fragmented" },
  lengthForm: { code: 1002, words: "the length is not in its shortest form" },
  lengthSign: { code: 1002, words: "the highest bit of the length is set" },
  continuation: { code: 1002, words: "a continuation frame without a message to continue" },
  interleaved: { code: 1002, words: "a message begins inside another" },
  closeLength: { code: 1002, words: "a close frame has a payload of one byte" },
  closeCode: { code: 1002, words: "the close code is reserved" },
  closeReason: { code: 1007, words: "the close reason is not UTF-8" },
  text: { code: 1007, words: "the text is not UTF-8" },
  deflate: { code: 1007, words: "the message cannot be inflated" },
  tooBig: { code: 1009, words: "the message is too big" },
  tooMuch: { code: 1013, words: "the server has too many incomplete messages, try again" },
} as const;

/** The name of one of the {@linkcode RULES}. */
export type Rule = keyof typeof RULES;

/** The side of the connection that reads. A server reads masked frames, a client unmasked ones. */
export type Role = "server" | "client";

/** The reserved bit of a message's first frame that marks it as compressed. */
export const COMPRESSED = 0x40;

const FIN = 0x80;
const RESERVED = 0x70;
const MASKED = 0x80;
const LENGTH_7 = 0x7f;
const CONTROL = 0x08;
const CONTROL_BYTES_MAX = 125;
const HEADER_BYTES_MAX = 14;
/** Bit n is set if RFC 6455 defines the opcode n. */
const KNOWN_OPCODES = 0b0000_0111_0000_0111;
/** Bit n is set if a message may start with opcode n. */
const FIRST_OPCODES = 0b0000_0000_0000_0110;

/** Receives what the decoder reads: headers, payloads, control frames and violations of rules. */
export interface FrameSink {
  /** Whether the decoder must stop before the next frame. */
  readonly paused: boolean;
  /** Handles the header of a data frame. Returns the rule that the frame violates, if any. */
  begin(opcode: number, fin: boolean, length: number, compressed: boolean): Rule | undefined;
  /**
   * Handles the next unmasked payload bytes of a data frame: those of `scratch` from `from` to
   * `to`. `high` is 0 if all of them are ASCII. `left` is the number of payload bytes of the frame
   * that follow. Called once, with an empty range, for a frame without payload.
   */
  piece(scratch: Scratch, from: number, to: number, high: number, left: number): Rule | undefined;
  /** Handles a control frame. */
  control(opcode: number, payload: Uint8Array): Rule | undefined;
  /** Called when the peer has violated a rule. The decoder passes on nothing more. */
  fail(rule: Rule): void;
}

/** Decodes the frames of one connection. */
export class FrameDecoder {
  readonly #masked: boolean;
  readonly #lengthMax: number;
  /** The reserved bits allowed in a message's first frame. */
  readonly #allowed: number;
  /** The bytes of a header that has not arrived completely; the first `#headLength` are valid. */
  #head: Uint8Array | undefined;
  #headLength = 0;
  /** The payload of an incomplete control frame. */
  #control: Uint8Array | undefined;
  #dead = false;

  // The following fields describe the frame that is being read.
  #fin = false;
  #opcode = 0;
  #key = 0;
  #length = 0;
  /** Number of payload bytes that have not arrived; -1 between frames. */
  #left = -1;

  /**
   * `lengthMax` is the maximum message length; a longer frame is rejected at its header. `deflate`
   * is whether messages may be compressed.
   */
  constructor(role: Role, lengthMax: number, deflate: boolean = false) {
    this.#masked = role === "server";
    this.#lengthMax = deflate ? deflatedMost(lengthMax) : lengthMax;
    this.#allowed = deflate ? COMPRESSED : 0;
  }

  /**
   * Decodes the bytes from `from` to `to`, in place. Returns the offset at which it stopped: `to`,
   * unless the sink has paused.
   */
  decode(scratch: Scratch, from: number, to: number, sink: FrameSink): number {
    let at = from;
    while (!this.#dead) {
      if (this.#left < 0) {
        if (at === to || sink.paused) return at;
        at = this.#begin(scratch.bytes, at, to, sink);
        if (this.#left < 0) return at;
      }
      const end = Math.min(to, at + this.#left);
      if (end === at && this.#left > 0) return at;
      this.#piece(scratch, at, end, sink);
      at = end;
    }
    return to;
  }

  /** Reads a header. Returns the offset after it. `#left` stays -1 if it is incomplete. */
  #begin(bytes: Uint8Array, from: number, to: number, sink: FrameSink): number {
    if (this.#headLength > 0) return this.#beginJoined(bytes, from, to, sink);
    const taken = this.#header(bytes, from, to, sink);
    if (taken > 0) return from + taken;
    if (!this.#dead) {
      this.#head ??= new Uint8Array(HEADER_BYTES_MAX);
      for (let at = from; at < to; at++) this.#head[this.#headLength++] = bytes[at]!;
    }
    return to;
  }

  /** Reads a header that began in an earlier chunk. */
  #beginJoined(bytes: Uint8Array, from: number, to: number, sink: FrameSink): number {
    const head = this.#head!;
    for (let at = from; at < to; at++) {
      head[this.#headLength++] = bytes[at]!;
      if (this.#header(head, 0, this.#headLength, sink) > 0) {
        this.#headLength = 0;
        return at + 1;
      }
      if (this.#dead) return to;
    }
    return to;
  }

  /** Parses a header. Returns its length, or 0 if it is incomplete or violates a rule. */
  #header(bytes: Uint8Array, from: number, to: number, sink: FrameSink): number {
    const first = bytes[from]!;
    const opcode = first & 0x0f;
    const reserved = first & RESERVED;
    if (reserved !== 0 && (reserved !== this.#allowed || ((FIRST_OPCODES >> opcode) & 1) === 0)) {
      return this.#fail("reserved", sink);
    }
    if (((KNOWN_OPCODES >> opcode) & 1) === 0) return this.#fail("opcode", sink);
    const control = (opcode & CONTROL) !== 0;
    if (control && (first & FIN) === 0) return this.#fail("controlFragment", sink);
    if (to - from < 2) return 0;

    const second = bytes[from + 1]!;
    if (((second & MASKED) !== 0) !== this.#masked) {
      return this.#fail(this.#masked ? "unmasked" : "masked", sink);
    }
    let length = second & LENGTH_7;
    if (control && length > CONTROL_BYTES_MAX) return this.#fail("controlLength", sink);
    let at = from + 2;
    if (length === 126) {
      if (to - at < 2) return 0;
      length = (bytes[at]! << 8) | bytes[at + 1]!;
      if (length < 126) return this.#fail("lengthForm", sink);
      at += 2;
    } else if (length === 127) {
      if (to - at < 8) return 0;
      if ((bytes[at]! & 0x80) !== 0) return this.#fail("lengthSign", sink);
      length = u32(bytes, at) * 0x1_0000_0000 + u32(bytes, at + 4);
      if (length < 0x1_0000) return this.#fail("lengthForm", sink);
      at += 8;
    }
    if (length > this.#lengthMax) return this.#fail("tooBig", sink);
    const next = this.#masked ? at + 4 : at;
    if (next > to) return 0;
    this.#key = this.#masked
      ? bytes[at]! | (bytes[at + 1]! << 8) | (bytes[at + 2]! << 16) | (bytes[at + 3]! << 24)
      : 0;
    this.#fin = (first & FIN) !== 0;
    this.#opcode = opcode;
    this.#length = length;
    if (!control) {
      const broken = sink.begin(opcode, this.#fin, length, reserved !== 0);
      if (broken !== undefined) return this.#fail(broken, sink);
    }
    this.#left = length;
    return next - from;
  }

  /** Unmasks the payload bytes from `from` to `to`, and passes them on. */
  #piece(scratch: Scratch, from: number, to: number, sink: FrameSink): void {
    const high = unmask(scratch, from, to, this.#key);
    const left = this.#left - (to - from);
    let broken: Rule | undefined;
    if ((this.#opcode & CONTROL) === 0) broken = sink.piece(scratch, from, to, high, left);
    else broken = this.#controlPiece(scratch.bytes, from, to, left, sink);
    if (broken !== undefined) {
      this.#fail(broken, sink);
      return;
    }
    if (left === 0) this.#left = -1;
    else {
      this.#left = left;
      this.#key = turnKey(this.#key, to - from);
    }
  }

  #controlPiece(
    bytes: Uint8Array,
    from: number,
    to: number,
    left: number,
    sink: FrameSink,
  ): Rule | undefined {
    if (this.#control === undefined && left === 0) {
      return sink.control(this.#opcode, bytes.slice(from, to));
    }
    this.#control ??= new Uint8Array(this.#length);
    this.#control.set(bytes.subarray(from, to), this.#length - this.#left);
    if (left > 0) return undefined;
    const payload = this.#control;
    this.#control = undefined;
    return sink.control(this.#opcode, payload);
  }

  #fail(rule: Rule, sink: FrameSink): 0 {
    this.#dead = true;
    sink.fail(rule);
    return 0;
  }
}

/**
 * Returns an upper bound of the length of a compressed message. Incompressible data grows, and each
 * flush adds bytes.
 */
export function deflatedMost(length: number): number {
  return 2 * length + 1024;
}

/** Returns the length of the header of an unmasked frame with a payload of this length. */
export function headerLength(length: number): 2 | 4 | 10 {
  return length < 126 ? 2 : length < 0x1_0000 ? 4 : 10;
}

/** Returns the offset and the length of the payload of the unmasked frame at `at`. */
export function spanOf(
  frames: Uint8Array,
  at: number,
): { start: number; length: number } {
  const short = frames[at + 1]!;
  if (short < 126) return { start: at + 2, length: short };
  const count = short === 126 ? 2 : 8;
  let length = 0;
  for (let i = 0; i < count; i++) length = length * 256 + frames[at + 2 + i]!;
  return { start: at + 2 + count, length };
}

/** Writes the header of an unmasked, unfragmented frame at `at`. */
export function writeHeader(bytes: Uint8Array, at: number, opcode: number, length: number): void {
  bytes[at] = FIN | opcode;
  if (length < 126) {
    bytes[at + 1] = length;
  } else if (length < 0x1_0000) {
    bytes[at + 1] = 126;
    bytes[at + 2] = length >> 8;
    bytes[at + 3] = length;
  } else {
    bytes[at + 1] = 127;
    const high = Math.floor(length / 0x1_0000_0000);
    for (let i = 0; i < 4; i++) {
      bytes[at + 2 + i] = high >>> (24 - 8 * i);
      bytes[at + 6 + i] = length >>> (24 - 8 * i);
    }
  }
}

/** Encodes a frame, in a new buffer. */
export function encodeFrame(opcode: number, payload: Uint8Array): Uint8Array {
  const start = headerLength(payload.length);
  const frame = new Uint8Array(start + payload.length);
  writeHeader(frame, 0, opcode, payload.length);
  frame.set(payload, start);
  return frame;
}

/** Encodes a message as one frame, in a new buffer. A lone surrogate becomes U+FFFD. */
export function encodeMessage(
  data: string | Uint8Array,
  text: boolean = typeof data === "string",
): Uint8Array {
  if (typeof data !== "string") {
    return encodeFrame(text ? OPCODES.text : OPCODES.binary, checkBytes(data));
  }
  const length = Buffer.byteLength(data);
  const start = headerLength(length);
  const frame = new Uint8Array(start + length);
  writeHeader(frame, 0, OPCODES.text, length);
  Buffer.from(frame.buffer).write(data, start);
  return frame;
}

/**
 * Writes the frame of a message at `at`. Returns the offset after it; if it may not fit, returns -1
 * and writes nothing. With `text`, the message is sent as text; bytes must then be valid UTF-8.
 */
export function appendMessage(
  scratch: Scratch,
  at: number,
  data: string | Uint8Array,
  text: boolean = typeof data === "string",
): number {
  const lengthMost = typeof data === "string" ? data.length * 3 : checkBytes(data).length;
  if (at + 10 + lengthMost > scratch.bytes.length) return -1;
  if (typeof data === "string") return appendText(scratch, at, data);
  const start = at + headerLength(data.length);
  writeHeader(scratch.bytes, at, text ? OPCODES.text : OPCODES.binary, data.length);
  scratch.bytes.set(data, start);
  return start + data.length;
}

/**
 * Returns the messages in unmasked, unfragmented frames that this library encoded: text as strings,
 * binary as views of `frames`.
 */
export function messagesIn(frames: Uint8Array): (string | Uint8Array)[] {
  const messages: (string | Uint8Array)[] = [];
  for (let at = 0; at < frames.length;) {
    const opcode = frames[at]! & 0x0f;
    let length = frames[at + 1]!;
    at += 2;
    if (length === 126) {
      length = (frames[at]! << 8) | frames[at + 1]!;
      at += 2;
    } else if (length === 127) {
      length = u32(frames, at) * 2 ** 32 + u32(frames, at + 4);
      at += 8;
    }
    const payload = frames.subarray(at, at + length);
    messages.push(opcode === OPCODES.text ? utf8Text(payload)! : payload);
    at += length;
  }
  return messages;
}

/** Returns `data`. Throws if it is not bytes, because callers without types may pass anything. */
export function checkBytes(data: Uint8Array): Uint8Array {
  if (data instanceof Uint8Array) return data;
  throw new TypeError(
    `cannot send ${Object.prototype.toString.call(data)}: send a string or a Uint8Array`,
  );
}

/** Writes a text frame at `at`. Moves the payload if non-ASCII text needs a longer header. */
function appendText(scratch: Scratch, at: number, text: string): number {
  const guess = headerLength(text.length);
  const length = scratch.text.write(text, at + guess);
  const header = headerLength(length);
  if (header !== guess) {
    scratch.bytes.copyWithin(at + header, at + guess, at + guess + length);
  }
  writeHeader(scratch.bytes, at, OPCODES.text, length);
  return at + header + length;
}

function u32(bytes: Uint8Array, at: number): number {
  return ((bytes[at]! << 24) | (bytes[at + 1]! << 16) | (bytes[at + 2]! << 8) | bytes[at + 3]!) >>>
    0;
}
