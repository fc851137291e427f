/**
 * Encodes and decodes the frames between nodes. Every message, in the handshake and after it, has
 * this form:
 *
 *     ┌──────────────┬──────────┬───────────────────┐
 *     │ u32 LE length│ u8 tag   │ body, length - 1  │     length 0: no tag, no body; skipped
 *     └──────────────┴──────────┴───────────────────┘
 *
 * The length is checked before the body is stored, and memory for a body grows with the received
 * bytes, not with the announced length.
 *
 * @module
 */
import { EMPTY } from "../base/bytes.ts";

/** Number of bytes before the tag. */
export const FRAME_HEAD_BYTES = 4;

/**
 * Maximum length of a frame in an open session, tag included: 16 MiB. A longer frame ends the
 * session.
 */
export const FRAME_BYTES_MAX: number = 16 * 1024 * 1024;

/** Maximum length of a frame in the handshake, tag included. */
export const HANDSHAKE_FRAME_BYTES_MAX = 4096;

/**
 * Maximum size in bytes of a buffer that is kept for the next incomplete frame. A larger buffer is
 * released.
 */
const KEPT_BYTES_MAX = 64 * 1024;

/** Receives frames. `body` is only valid during the call. */
export interface FrameSink {
  /**
   * Handles a frame. Returns false to stop: the remaining bytes are dropped, unless `keepsRest` is
   * true.
   */
  frame(tag: number, body: Uint8Array): boolean;
  /** Whether the bytes after a stop are kept for {@linkcode FrameReader.resume}. Default: false. */
  readonly keepsRest?: boolean;
  /**
   * Called instead of `frame` for a frame that is complete in one chunk, so that no view of the
   * body is created: the body is `bytes` from `from` to `to`. Optional.
   */
  frameAt?(tag: number, bytes: Uint8Array, from: number, to: number): boolean;
}

/** Splits a stream of bytes into frames. */
export class FrameReader {
  /** Maximum length of a frame, tag included, in bytes. */
  limit: number;
  /** The buffer of an incomplete frame; its first `#length` bytes have arrived. */
  #kept: Uint8Array = EMPTY;
  #length = 0;

  constructor(limit: number) {
    this.limit = limit;
  }

  /** Memory of an incomplete frame, in bytes. */
  get keptBytes(): number {
    return this.#length === 0 ? 0 : this.#kept.length;
  }

  /**
   * Reads the next bytes. Returns false if a frame exceeds the limit: the caller must then stop
   * reading.
   */
  push(bytes: Uint8Array, sink: FrameSink): boolean {
    let at = 0;
    if (this.#length > 0) {
      const used = this.#finish(bytes, sink);
      if (used < 0) return used !== -1;
      at = used;
    }
    while (bytes.length - at >= FRAME_HEAD_BYTES) {
      const length = lengthAt(bytes, at);
      if (length > this.limit) return false;
      const end = at + FRAME_HEAD_BYTES + length;
      if (end > bytes.length) break;
      if (length > 0) {
        const tag = bytes[at + FRAME_HEAD_BYTES]!;
        const body = at + FRAME_HEAD_BYTES + 1;
        const goesOn = sink.frameAt === undefined
          ? sink.frame(tag, bytes.subarray(body, end))
          : sink.frameAt(tag, bytes, body, end);
        if (!goesOn) {
          if (sink.keepsRest) this.#keep(bytes.subarray(end));
          return true;
        }
      }
      at = end;
    }
    if (at < bytes.length) this.#keep(bytes.subarray(at));
    return true;
  }

  /** Reads the bytes that were kept when the sink stopped. Returns what `push` returns. */
  resume(sink: FrameSink): boolean {
    const rest = this.#kept.subarray(0, this.#length);
    this.#kept = EMPTY;
    this.#length = 0;
    return this.push(rest, sink);
  }

  /**
   * Extends the stored frame by bytes from the beginning of `bytes`, and passes it to the sink if
   * it is complete. Returns the number of bytes used, -1 if the frame exceeds the limit, or -2 if
   * the sink stopped.
   */
  #finish(bytes: Uint8Array, sink: FrameSink): number {
    let at = 0;
    if (this.#length < FRAME_HEAD_BYTES) {
      at = Math.min(FRAME_HEAD_BYTES - this.#length, bytes.length);
      this.#keep(bytes.subarray(0, at));
      if (this.#length < FRAME_HEAD_BYTES) return at;
    }
    const length = lengthAt(this.#kept, 0);
    if (length > this.limit) return -1;
    const missing = FRAME_HEAD_BYTES + length - this.#length;
    const piece = Math.min(missing, bytes.length - at);
    this.#keep(bytes.subarray(at, at + piece));
    if (piece < missing) return at + piece;
    const kept = this.#kept;
    const end = this.#length;
    this.#length = 0;
    if (kept.length > KEPT_BYTES_MAX) this.#kept = EMPTY;
    if (length > 0) {
      const body = kept.subarray(FRAME_HEAD_BYTES + 1, end);
      if (!sink.frame(kept[FRAME_HEAD_BYTES]!, body)) {
        if (sink.keepsRest) this.#keep(bytes.subarray(at + piece));
        return -2;
      }
    }
    return at + piece;
  }

  #keep(bytes: Uint8Array): void {
    const needed = this.#length + bytes.length;
    if (needed > this.#kept.length) {
      const grown = new Uint8Array(Math.max(needed, this.#kept.length * 2, 256));
      grown.set(this.#kept.subarray(0, this.#length));
      this.#kept = grown;
    }
    this.#kept.set(bytes, this.#length);
    this.#length = needed;
  }
}

/** Encodes a frame, in a new buffer. */
export function encodeFrame(tag: number, body: Uint8Array = EMPTY): Uint8Array {
  const frame = startFrame(tag, body.length);
  frame.set(body, FRAME_HEAD_BYTES + 1);
  return frame;
}

/**
 * Returns a frame with space for a body of `length` bytes. The caller writes the body, from offset
 * `FRAME_HEAD_BYTES + 1`.
 */
export function startFrame(tag: number, length: number): Uint8Array {
  const frame = new Uint8Array(FRAME_HEAD_BYTES + 1 + length);
  const framed = length + 1;
  frame[0] = framed & 0xff;
  frame[1] = (framed >>> 8) & 0xff;
  frame[2] = (framed >>> 16) & 0xff;
  frame[3] = framed >>> 24;
  frame[4] = tag;
  return frame;
}

function lengthAt(bytes: Uint8Array, at: number): number {
  return (bytes[at]! | bytes[at + 1]! << 8 | bytes[at + 2]! << 16 | bytes[at + 3]! << 24) >>> 0;
}
