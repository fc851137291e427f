/**
 * A large frame on its way out, in pieces, so that others can go in between.
 *
 *     BULK      number, length of tag and body, the first 512 of these bytes
 *     FRAGMENT  number, the next of them                              ┐ other frames
 *     FRAGMENT  number, the last of them                              ┘ may stand between any two
 *
 * BULK stands where the frame stands among the others, so its number and what its first bytes say
 * (the tag, and in most rows the addressee) are known there. `fragments.ts` puts it together again.
 *
 * @module
 */
import { assert } from "../base/assert.ts";
import { FRAME_HEAD_BYTES } from "./frame.ts";
import { TAG } from "./message.ts";

/** A frame of more bytes than this is cut. */
export const BULK_BYTES_MIN: number = 32 * 1024;

/** A FRAGMENT carries at most this many bytes. */
export const FRAGMENT_BYTES_MAX: number = 32 * 1024;

/** A BULK carries this many bytes of its frame. */
export const BULK_HEAD_BYTES = 512;

/** At most this many large frames may have begun and not ended, in one direction of a session. */
export const BULK_OPEN_MAX = 1024;

/** A large frame that is to be sent. */
export class Bulk {
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
