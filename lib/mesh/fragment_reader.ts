/**
 * Joins the fragments of large messages. `fragment_writer.ts` has the layout.
 *
 *     BULK ──▶ IncompleteMessage ──each FRAGMENT extends it──▶ complete: its tag and its body
 *
 * Several messages may be incomplete at once, with their fragments in any order. If `begin` or
 * `add` returns a text, it is the rule that the peer violated, and the session ends. Memory grows
 * with the received bytes, not with the announced lengths: by at most a factor of four for one
 * message, and within a limit for all messages.
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

/**
 * Maximum length of a fragmented message, tag included: 16 MiB, plus the fields that identify the
 * receiver.
 */
export const MESSAGE_BYTES_MAX: number = FRAME_BYTES_MAX + 1024;

/** The factor by which the buffer of a message grows when it is full. */
const GROWTH = 4;

/** A large message whose fragments have not all arrived. */
export class IncompleteMessage {
  readonly number: number;
  /** Length of the message, tag and body, in bytes. */
  readonly length: number;
  /** The message's place in the queue of its receiver; `undefined` if the receiver is not known. */
  slot: Slot | undefined;
  /** The buffer of the message. Its first `at` bytes have arrived. */
  bytes: Uint8Array;
  /** Number of bytes that have arrived. */
  at: number;

  /** `bytes`: the first bytes of the message, in a buffer that the caller does not reuse. */
  constructor(number: number, length: number, bytes: Uint8Array) {
    this.number = number;
    this.length = length;
    this.bytes = bytes;
    this.at = bytes.length;
  }

  get tag(): number {
    return this.bytes[0]!;
  }

  /** The received part of the body. */
  get body(): Uint8Array {
    return this.bytes.subarray(1, this.at);
  }

  get isWhole(): boolean {
    return this.at === this.length;
  }
}

/** Joins the fragments of one peer's large messages. */
export class FragmentReader {
  readonly #messageBytesMax: number;
  /** Maximum memory for all incomplete messages of the peer, in bytes. */
  readonly #bytesMax: number;
  readonly #open = new Map<number, IncompleteMessage>();
  #bytes = 0;
  /** Number of received bytes of fragments that have not been acknowledged by a TAKEN. */
  #unacknowledged = 0;

  /** `messageBytesMax`: maximum length of a message, tag and body. */
  constructor(messageBytesMax: number) {
    this.#messageBytesMax = messageBytesMax;
    // Peers with this implementation send the fragments of one large message after another. Their
    // messages need one growing buffer, and the first bytes of each other incomplete message.
    this.#bytesMax = 4 * messageBytesMax + BULK_OPEN_MAX * BULK_HEAD_BYTES;
  }

  /** The number of incomplete messages. */
  get count(): number {
    return this.#open.size;
  }

  /** Memory of incomplete messages, in bytes. */
  get bytes(): number {
    return this.#bytes;
  }

  /** Handles a BULK. Returns the message that it begins, or the rule that the peer violated. */
  begin(row: Uint8Array): IncompleteMessage | string {
    if (row.length < 9) return "a BULK that is too short";
    const number = u32At(row, 0);
    const length = u32At(row, 4);
    if (length > this.#messageBytesMax) {
      return `a message of more than ${this.#messageBytesMax} bytes`;
    }
    if (row.length - 8 >= length) return "a BULK that leaves nothing for fragments";
    const tag = row[8]!;
    if (WHOLE_TAGS.has(tag)) {
      return `a fragmented message of a kind that is never split: 0x${tag.toString(16)}`;
    }
    if (this.#open.has(number)) return "a BULK whose number is in use";
    if (this.#open.size >= BULK_OPEN_MAX) return `more than ${BULK_OPEN_MAX} incomplete messages`;
    const arriving = new IncompleteMessage(number, length, row.slice(8));
    this.#bytes += arriving.bytes.length;
    if (this.#bytes > this.#bytesMax) return this.#overfull();
    this.#open.set(number, arriving);
    return arriving;
  }

  /**
   * Handles a FRAGMENT. Returns its message, which may now be complete, or the rule that the peer
   * violated.
   */
  add(row: Uint8Array): IncompleteMessage | string {
    if (row.length < 5) return "a FRAGMENT that is too short";
    const arriving = this.#open.get(u32At(row, 0));
    if (arriving === undefined) return "a FRAGMENT of a message that has not begun";
    const length = row.length - 4;
    const { at } = arriving;
    if (length > arriving.length - at) return "a FRAGMENT beyond the end of its message";
    if (at + length > arriving.bytes.length && !this.#grow(arriving, at + length)) {
      return this.#overfull();
    }
    arriving.bytes.set(row.subarray(4), at);
    arriving.at = at + length;
    this.#unacknowledged += length;
    if (arriving.isWhole) {
      this.#open.delete(arriving.number);
      this.#bytes -= arriving.bytes.length;
    }
    return arriving;
  }

  /**
   * Returns the number of bytes for which a TAKEN must be sent now, or 0 if they are fewer than
   * {@linkcode TAKEN_BYTES_MIN}. Called after each `add`.
   */
  takeUnacknowledged(): number {
    if (this.#unacknowledged < TAKEN_BYTES_MIN) return 0;
    const unacknowledged = this.#unacknowledged;
    this.#unacknowledged = 0;
    return unacknowledged;
  }

  /** Drops all incomplete messages. */
  clear(): void {
    this.#open.clear();
    this.#bytes = 0;
  }

  /** Provides space for `needed` bytes. Returns false if this exceeds the limit. */
  #grow(arriving: IncompleteMessage, needed: number): boolean {
    const capacity = Math.min(arriving.length, Math.max(needed, GROWTH * arriving.bytes.length));
    this.#bytes += capacity - arriving.bytes.length;
    if (this.#bytes > this.#bytesMax) return false;
    const grown = new Uint8Array(capacity);
    grown.set(arriving.bytes.subarray(0, arriving.at));
    arriving.bytes = grown;
    return true;
  }

  #overfull(): string {
    return `incomplete messages of more than ${this.#bytesMax} bytes together`;
  }
}
