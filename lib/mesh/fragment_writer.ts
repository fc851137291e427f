/**
 * Splits a large message into fragments, so that other messages can be sent between them.
 *
 *     BULK      number, length of the message (tag and body), its first 512 bytes
 *     FRAGMENT  number, the next bytes of the message                 ┐ other frames may be sent
 *     FRAGMENT  number, the last bytes of the message                 ┘ between these frames
 *
 *     TAKEN     number of bytes of fragments that the receiver has read since its last TAKEN
 *
 * BULK reserves the message's place in the order, and contains its first bytes: the tag, and
 * usually the receiver. `fragment_reader.ts` joins the fragments.
 *
 * @module
 */
import { assert } from "../base/assert.ts";
import { FRAME_HEAD_BYTES } from "./frame.ts";
import { TAG } from "./message.ts";

/**
 * Maximum number of bytes of fragments that are sent and not acknowledged by a TAKEN. A small
 * message waits behind at most this many bytes of fragments, even if the operating systems buffer
 * more. The limit also bounds the rate of large messages: to 25 MiB/s at a round trip of 20 ms.
 */
export const FLIGHT_BYTES_MAX: number = 512 * 1024;

/** Minimum number of bytes of fragments for which a receiver sends a TAKEN. */
export const TAKEN_BYTES_MIN: number = FLIGHT_BYTES_MAX / 4;

/**
 * Length of a message, tag and body, above which it is split, in bytes. Messages with one of the
 * {@linkcode WHOLE_TAGS} are never split.
 */
export const BULK_BYTES_MIN: number = 32 * 1024;

/** Maximum number of bytes in a FRAGMENT. */
export const FRAGMENT_BYTES_MAX: number = 32 * 1024;

/** Number of bytes of a large message that its BULK contains. */
export const BULK_HEAD_BYTES = 512;

/** Maximum number of incomplete large messages in one direction of a session. */
export const BULK_OPEN_MAX = 1024;

/**
 * Tags of messages that are never split: messages of the handshake and of the session itself,
 * fragments, and messages that must arrive in order but have no single receiver, which the holdback
 * queue needs to keep the order. All of these messages have limits of their own.
 */
export const WHOLE_TAGS: ReadonlySet<number> = new Set<number>([
  TAG.NAME,
  TAG.CHALLENGE,
  TAG.REPLY,
  TAG.ACK,
  TAG.REJECT,
  TAG.PEER_LIST,
  TAG.GOODBYE,
  TAG.HOME,
  TAG.EXPOSED,
  TAG.GLOBAL_SYNC,
  TAG.GLOBAL_REGISTER,
  TAG.GLOBAL_UNREGISTER,
  TAG.GLOBAL_REGISTERED,
  TAG.GROUP_JOIN,
  TAG.GROUP_LEAVE,
  TAG.BULK,
  TAG.FRAGMENT,
  TAG.TAKEN,
  TAG.PING,
  TAG.PONG,
]);

/** Splits one large message into fragments. */
export class FragmentWriter {
  /** The number that identifies the message in its fragments. */
  readonly number: number;
  readonly #frame: Uint8Array;
  /** Offset of the next fragment. */
  #at: number = FRAME_HEAD_BYTES;

  /** `frame` must not be changed until it is sent. */
  constructor(number: number, frame: Uint8Array) {
    assert(frame.length > BULK_BYTES_MIN, `too small to be cut: ${frame.length} bytes`);
    this.number = number;
    this.#frame = frame;
  }

  /** Number of bytes of the message that have not been sent. */
  get left(): number {
    return this.#frame.length - this.#at;
  }

  /** Returns the BULK of the message. Called once, before `next`. */
  begin(): Uint8Array {
    const [from, to] = [this.#at, this.#at + BULK_HEAD_BYTES];
    const row = new Uint8Array(FRAME_HEAD_BYTES + 1 + 8 + BULK_HEAD_BYTES);
    writeHead(row, TAG.BULK, this.number, 4 + BULK_HEAD_BYTES);
    new DataView(row.buffer).setUint32(FRAME_HEAD_BYTES + 5, this.left, true);
    row.set(this.#frame.subarray(from, to), FRAME_HEAD_BYTES + 9);
    this.#at = to;
    return row;
  }

  /** Returns the next FRAGMENT as two chunks: the header, and a view of its part of the message. */
  next(): readonly [head: Uint8Array, bytes: Uint8Array] {
    const length = Math.min(FRAGMENT_BYTES_MAX, this.left);
    const bytes = this.#frame.subarray(this.#at, this.#at + length);
    this.#at += length;
    const head = new Uint8Array(FRAME_HEAD_BYTES + 5);
    writeHead(head, TAG.FRAGMENT, this.number, length);
    return [head, bytes];
  }
}

/**
 * Writes the length, the tag and the u32 field `number` of a frame. `behind` is the number of bytes
 * that follow these fields.
 */
function writeHead(row: Uint8Array, tag: number, number: number, behind: number): void {
  const view = new DataView(row.buffer);
  view.setUint32(0, 1 + 4 + behind, true);
  row[FRAME_HEAD_BYTES] = tag;
  view.setUint32(FRAME_HEAD_BYTES + 1, number, true);
}

/** Encodes a TAKEN frame: this node has read `bytes` more bytes of fragments. */
export function encodeTaken(bytes: number): Uint8Array {
  const frame = new Uint8Array(FRAME_HEAD_BYTES + 5);
  writeHead(frame, TAG.TAKEN, bytes, 0);
  return frame;
}

/** Reads the u32 at `at`, little-endian. */
export function u32At(bytes: Uint8Array, at: number): number {
  return (bytes[at]! | bytes[at + 1]! << 8 | bytes[at + 2]! << 16 | bytes[at + 3]! << 24) >>> 0;
}
