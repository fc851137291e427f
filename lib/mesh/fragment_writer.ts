/**
 * A large frame on its way out, in pieces, so that others can go in between.
 *
 *     BULK      number, length of tag and body, the first 512 of these bytes
 *     FRAGMENT  number, the next of them                              ┐ other frames
 *     FRAGMENT  number, the last of them                              ┘ may stand between any two
 *
 *     TAKEN     u32: so many bytes of fragments more have come, says who gets them
 *
 * BULK stands where the frame stands among the others, so its number and what its first bytes say
 * (the tag, and in most rows the addressee) are known there. `fragments.ts` puts it together again.
 *
 * @module
 */
import { assert } from "../base/assert.ts";
import { FRAME_HEAD_BYTES } from "./frame.ts";
import { TAG } from "./message.ts";

/**
 * At most this many bytes of fragments are on their way to a peer that has not said TAKEN: a small
 * frame waits behind no more, however much the system buffers on both sides. A large message goes at
 * this much in a round trip; on a line of 20 ms that is 25 MiB/s.
 */
export const FLIGHT_BYTES_MAX: number = 512 * 1024;

/** Who gets fragments says TAKEN for so many bytes of them at once. */
export const TAKEN_BYTES_MIN: number = FLIGHT_BYTES_MAX / 4;

/** A frame of more bytes than this is cut. */
export const BULK_BYTES_MIN: number = 32 * 1024;

/** A FRAGMENT carries at most this many bytes. */
export const FRAGMENT_BYTES_MAX: number = 32 * 1024;

/** A BULK carries this many bytes of its frame. */
export const BULK_HEAD_BYTES = 512;

/** At most this many large frames may have begun and not ended, in one direction of a session. */
export const BULK_OPEN_MAX = 1024;

/**
 * What never travels in pieces, however long: rows of the handshake, of the session itself, pieces,
 * and rows that must stay in order among themselves and are for no single actor, whom the other
 * side could let wait. All of them have limits of their own.
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

/** A large frame that is to be sent. */
export class FragmentWriter {
  /** What its pieces are known by. */
  readonly number: number;
  readonly #frame: Uint8Array;
  /** Where the next piece begins. */
  #at: number = FRAME_HEAD_BYTES;

  /** A whole frame, which nobody changes until it is sent. */
  constructor(number: number, frame: Uint8Array) {
    assert(frame.length > BULK_BYTES_MIN, `too small to be cut: ${frame.length} bytes`);
    this.number = number;
    this.#frame = frame;
  }

  /** Bytes of it that are still to be sent. */
  get left(): number {
    return this.#frame.length - this.#at;
  }

  /** Its BULK row. Called once, before `next`. */
  begin(): Uint8Array {
    const [from, to] = [this.#at, this.#at + BULK_HEAD_BYTES];
    const row = new Uint8Array(FRAME_HEAD_BYTES + 1 + 8 + BULK_HEAD_BYTES);
    writeHead(row, TAG.BULK, this.number, 4 + BULK_HEAD_BYTES);
    new DataView(row.buffer).setUint32(FRAME_HEAD_BYTES + 5, this.left, true);
    row.set(this.#frame.subarray(from, to), FRAME_HEAD_BYTES + 9);
    this.#at = to;
    return row;
  }

  /** The next FRAGMENT as two chunks: what stands in front of its bytes, and these, not copied. */
  next(): readonly [head: Uint8Array, bytes: Uint8Array] {
    const length = Math.min(FRAGMENT_BYTES_MAX, this.left);
    const bytes = this.#frame.subarray(this.#at, this.#at + length);
    this.#at += length;
    const head = new Uint8Array(FRAME_HEAD_BYTES + 5);
    writeHead(head, TAG.FRAGMENT, this.number, length);
    return [head, bytes];
  }
}

/** Writes length, tag and number of a row that has `behind` bytes more. */
function writeHead(row: Uint8Array, tag: number, number: number, behind: number): void {
  const view = new DataView(row.buffer);
  view.setUint32(0, 1 + 4 + behind, true);
  row[FRAME_HEAD_BYTES] = tag;
  view.setUint32(FRAME_HEAD_BYTES + 1, number, true);
}

/** A TAKEN frame. */
export function encodeTaken(bytes: number): Uint8Array {
  const frame = new Uint8Array(FRAME_HEAD_BYTES + 5);
  writeHead(frame, TAG.TAKEN, bytes, 0);
  return frame;
}

/** The u32 at `at`. */
export function u32At(bytes: Uint8Array, at: number): number {
  return (bytes[at]! | bytes[at + 1]! << 8 | bytes[at + 2]! << 16 | bytes[at + 3]! << 24) >>> 0;
}
