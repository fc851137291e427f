/**
 * Stores the frames that arrive while a handler's promise is pending. Control frames among them are
 * removed and answered at once: RFC 6455, section 5.5, requires a ping to be answered as soon as
 * practical. Deterministic.
 *
 *     bytes ─▶ [data frame][ping][data frame][close]          [data frame][data frame] wait
 *                            │                 └──────────▶  answered; nothing follows it
 *                            └──────────────────────────▶  answered
 *
 * @module
 */
import { EMPTY } from "../base/bytes.ts";

/** Number of stored bytes at which reading from the socket is paused. */
export const HELD_BYTES_MAX: number = 256 * 1024;

const CONTROL = 0x08;
const FIN_AND_RESERVED = 0xf0;
const FIN = 0x80;
const MASKED = 0x80;
const CONTROL_BYTES_MAX = 125;

/** Handles a control frame. Returns false if the decoder must handle it and everything after it. */
export type TakeControl = (opcode: number, payload: Uint8Array) => boolean;

/**
 * Stores the undecoded frames of one connection. The stored bytes begin at a frame, unless the
 * decoder has stopped inside one.
 */
export class HeldFrames {
  #bytes: Uint8Array = EMPTY;
  #start = 0;
  #end = 0;
  /**
   * Offset of the next header to check for a control frame; the header may not have arrived yet. -1
   * if no more headers are checked.
   */
  #next = 0;

  get length(): number {
    return this.#end - this.#start;
  }

  /** Returns a view of the stored bytes, which is valid until bytes are added or scanned. */
  view(): Uint8Array {
    return this.#bytes.subarray(this.#start, this.#end);
  }

  /** Removes the first `length` bytes. */
  consume(length: number): void {
    this.#start += length;
    if (this.#next >= 0 && this.#next < this.#start) this.#next = this.#start;
    if (this.#start < this.#end) return;
    this.#start = this.#end = this.#next = 0;
    this.#bytes = EMPTY;
  }

  /** Adds a copy of bytes. */
  add(bytes: Uint8Array): void {
    const length = this.length + bytes.length;
    if (this.#end + bytes.length > this.#bytes.length) {
      const grown = length > this.#bytes.length
        ? new Uint8Array(Math.max(length, Math.min(this.length * 2, HELD_BYTES_MAX)))
        : this.#bytes;
      grown.set(this.view());
      if (this.#next >= 0) this.#next -= this.#start;
      this.#end = this.length;
      this.#start = 0;
      this.#bytes = grown;
    }
    this.#bytes.set(bytes, this.#end);
    this.#end += bytes.length;
  }

  /**
   * Passes each complete control frame among the unchecked bytes to `take`, and removes it.
   * `isMasked` is whether frames must be masked.
   */
  scan(isMasked: boolean, take: TakeControl): void {
    const bytes = this.#bytes;
    if (this.#next < 0 || this.#next >= this.#end) return;
    let from = this.#next;
    let to = from;
    while (from < this.#end) {
      const frame = frameAt(bytes, from, this.#end);
      if (frame === undefined) break;
      const isControl = (bytes[from]! & CONTROL) !== 0;
      if (isControl) {
        const isRight = (bytes[from]! & FIN_AND_RESERVED) === FIN &&
          frame.isMasked === isMasked && frame.length <= CONTROL_BYTES_MAX;
        // The decoder reports the violation when it reads this frame.
        if (!isRight) return this.#close(to, from);
        const size = frame.header + frame.length;
        if (from + size > this.#end) break;
        const opcode = bytes[from]! & 0x0f;
        if (!take(opcode, payloadAt(bytes, from, frame))) return this.#close(to, from);
        from += size;
        // Frames after a close frame are ignored.
        if (opcode === 8) return this.#close(to, this.#end);
        continue;
      }
      const size = frame.header + frame.length;
      const here = Math.min(size, this.#end - from);
      if (to !== from) bytes.copyWithin(to, from, from + here);
      from += here;
      to += here;
      if (here < size) {
        this.#end = to;
        this.#next = to + size - here;
        return;
      }
    }
    this.#next = to;
    this.#shift(to, from);
  }

  /**
   * Stops checking for control frames. Moves the bytes from `from` on to `to`, over the frames that
   * were removed.
   */
  #close(to: number, from: number): void {
    this.#next = -1;
    this.#shift(to, from);
  }

  #shift(to: number, from: number): void {
    if (to === from) return;
    this.#bytes.copyWithin(to, from, this.#end);
    this.#end -= from - to;
  }
}

interface Frame {
  readonly header: number;
  readonly length: number;
  readonly isMasked: boolean;
}

/** Parses the header at `at`. Returns `undefined` if it has not arrived completely. */
function frameAt(bytes: Uint8Array, at: number, end: number): Frame | undefined {
  if (end - at < 2) return undefined;
  const isMasked = (bytes[at + 1]! & MASKED) !== 0;
  const short = bytes[at + 1]! & 0x7f;
  const count = short < 126 ? 0 : short === 126 ? 2 : 8;
  const header = 2 + count + (isMasked ? 4 : 0);
  if (end - at < header) return undefined;
  let length = count === 0 ? short : 0;
  for (let i = 0; i < count; i++) length = length * 256 + bytes[at + 2 + i]!;
  return { header, length, isMasked };
}

function payloadAt(bytes: Uint8Array, at: number, frame: Frame): Uint8Array {
  const start = at + frame.header;
  const payload = bytes.slice(start, start + frame.length);
  if (!frame.isMasked) return payload;
  for (let i = 0; i < payload.length; i++) payload[i]! ^= bytes[start - 4 + (i & 3)]!;
  return payload;
}
