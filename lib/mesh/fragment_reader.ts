/**
 * Large frames on their way in: pieces become wholes. `bulk.ts` draws the rows.
 *
 *     BULK ──▶ Arriving ──FRAGMENT──▶ Arriving … ──the last FRAGMENT──▶ whole: its tag and its body
 *
 * Several may be on their way at once, their pieces mixed in any way. A peer that breaks a rule is
 * told off with the returned words, which end its session. Memory grows with what has arrived: at
 * most fourfold for one frame, and within a limit for all of them, whatever lengths were announced.
 *
 * @module
 */
import {
  BULK_HEAD_BYTES,
  BULK_OPEN_MAX,
  TAKEN_BYTES_MIN,
  u32At,
  WHOLE_TAGS,
} from "./fragment_writer.ts";
import { FRAME_BYTES_MAX } from "./frame.ts";
import type { Slot } from "./holdback_queue.ts";

/** The longest frame that may come in pieces, tag included: 16 MiB, and room for what names the addressee. */
export const MESSAGE_BYTES_MAX: number = FRAME_BYTES_MAX + 1024;

/** How much larger the memory of a frame becomes when it is full. */
const GROWTH = 4;

/** A large frame that has begun. */
export class Arriving {
  readonly number: number;
  /** Bytes of tag and body. */
  readonly length: number;
  /** Its place among the deliveries to its addressee, if that is known. */
  slot: Slot | undefined;
  /** Memory, not all of it filled. */
  bytes: Uint8Array;
  /** How much of it is filled. */
  at: number;

  /** `bytes` are the first ones, in memory that nobody else writes. */
  constructor(number: number, length: number, bytes: Uint8Array) {
    this.number = number;
    this.length = length;
    this.bytes = bytes;
    this.at = bytes.length;
  }

  get tag(): number {
    return this.bytes[0]!;
  }

  /** As much of the body as is there. */
  get body(): Uint8Array {
    return this.bytes.subarray(1, this.at);
  }

  get isWhole(): boolean {
    return this.at === this.length;
  }
}

/** The large frames that are on their way from one peer. */
export class FragmentReader {
  readonly #messageBytesMax: number;
  /** All of them together may take this much memory. */
  readonly #bytesMax: number;
  readonly #open = new Map<number, Arriving>();
  #bytes = 0;
  /** Bytes of fragments that the peer has not been told to have come. */
  #untold = 0;

  /** `messageBytesMax`: the longest frame, tag and body. */
  constructor(messageBytesMax: number) {
    this.#messageBytesMax = messageBytesMax;
    // Who sends one after the other, as we do, has one that grows, and of the others the first bytes.
    this.#bytesMax = 4 * messageBytesMax + BULK_OPEN_MAX * BULK_HEAD_BYTES;
  }

  /** How many have begun and not ended. */
  get count(): number {
    return this.#open.size;
  }

  /** Memory taken for them. */
  get bytes(): number {
    return this.#bytes;
  }

  /** A BULK came. A text is the rule that it breaks. */
  begin(row: Uint8Array): Arriving | string {
    if (row.length < 9) return "a BULK that is too short";
    const number = u32At(row, 0);
    const length = u32At(row, 4);
    if (length > this.#messageBytesMax) {
      return `a message of more than ${this.#messageBytesMax} bytes`;
    }
    if (row.length - 8 >= length) return "a BULK that leaves nothing for fragments";
    const tag = row[8]!;
    if (WHOLE_TAGS.has(tag)) return `a message in pieces that must be whole: 0x${tag.toString(16)}`;
    if (this.#open.has(number)) return "a BULK whose number is in use";
    if (this.#open.size >= BULK_OPEN_MAX) return `more than ${BULK_OPEN_MAX} messages in pieces`;
    const arriving = new Arriving(number, length, row.slice(8));
    this.#bytes += arriving.bytes.length;
    if (this.#bytes > this.#bytesMax) return this.#overfull();
    this.#open.set(number, arriving);
    return arriving;
  }

  /** A FRAGMENT came: the frame that it belongs to, which may be whole now. A text is the rule that it breaks. */
  add(row: Uint8Array): Arriving | string {
    if (row.length < 5) return "a FRAGMENT that is too short";
    const arriving = this.#open.get(u32At(row, 0));
    if (arriving === undefined) return "a FRAGMENT of nothing that has begun";
    const length = row.length - 4;
    const { at } = arriving;
    if (length > arriving.length - at) return "a FRAGMENT beyond the end of its message";
    if (at + length > arriving.bytes.length && !this.#grow(arriving, at + length)) {
      return this.#overfull();
    }
    arriving.bytes.set(row.subarray(4), at);
    arriving.at = at + length;
    this.#untold += length;
    if (arriving.isWhole) {
      this.#open.delete(arriving.number);
      this.#bytes -= arriving.bytes.length;
    }
    return arriving;
  }

  /** How many bytes the peer is to be told that have come; 0: not yet. Asked after each `add`. */
  takeUntold(): number {
    if (this.#untold < TAKEN_BYTES_MIN) return 0;
    const untold = this.#untold;
    this.#untold = 0;
    return untold;
  }

  /** Forgets them all. */
  clear(): void {
    this.#open.clear();
    this.#bytes = 0;
  }

  /** Makes room for `needed` bytes. False: that would be over the limit. */
  #grow(arriving: Arriving, needed: number): boolean {
    const capacity = Math.min(arriving.length, Math.max(needed, GROWTH * arriving.bytes.length));
    this.#bytes += capacity - arriving.bytes.length;
    if (this.#bytes > this.#bytesMax) return false;
    const grown = new Uint8Array(capacity);
    grown.set(arriving.bytes.subarray(0, arriving.at));
    arriving.bytes = grown;
    return true;
  }

  #overfull(): string {
    return `messages in pieces of more than ${this.#bytesMax} bytes together`;
  }
}
