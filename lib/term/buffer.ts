/**
 * A growing buffer for encoded terms. Finished pieces are returned as views and never overwritten.
 *
 *     ┌──────────────┬───────────────────────┬─────────────┐
 *     │ taken before │ written, not taken    │ room        │
 *     └──────────────┴───────────────────────┴─────────────┘
 *     0              start                   at            end
 *
 * The owner and the encoder write into the buffer, and the owner takes the result. A taken piece
 * may wait in a socket's queue, so the next piece is written behind it. If little space is left,
 * new memory is allocated. The fields are public because the codec writes single bytes.
 *
 * @module
 */

/**
 * Size of the first allocation of a buffer, in bytes. Each later allocation is twice as large, up
 * to the maximum.
 */
const CHUNK_BYTES_MIN = 4 * 1024;
const CHUNK_BYTES_MAX = 64 * 1024;

/**
 * Minimum length of a piece, in bytes, whose memory grows by a quarter when it is full. Doubling it
 * would waste memory.
 */
const LARGE_BYTES_MIN: number = 1024 * 1024;

/**
 * `take` allocates new memory if the remaining space is smaller than this, or smaller than the
 * taken piece.
 */
const ROOM_BYTES_MIN = 512;

/** A buffer that grows as bytes are written. */
export class TermBuffer {
  /** The memory that is being written. */
  bytes: Uint8Array<ArrayBuffer>;
  /** A view of `bytes`. */
  view: DataView;
  /** Offset of the first byte that has not been taken. */
  start = 0;
  /** Offset at which the next byte is written. */
  at = 0;
  /** Offset of the end of the memory. */
  end: number;
  /** Size of the next allocation, in bytes. */
  #chunk = CHUNK_BYTES_MIN;
  /** Whether the current memory was allocated for one piece that is longer than `#chunk`. */
  #grown = false;

  constructor() {
    this.bytes = new Uint8Array(CHUNK_BYTES_MIN);
    this.view = new DataView(this.bytes.buffer);
    this.end = CHUNK_BYTES_MIN;
  }

  /** Ensures that there is space for `length` bytes. Offsets do not change. */
  reserve(length: number): void {
    if (this.at + length > this.end) this.#grow(this.at + length);
  }

  /** Appends bytes unchanged. */
  write(bytes: Uint8Array): void {
    this.reserve(bytes.length);
    this.bytes.set(bytes, this.at);
    this.at += bytes.length;
  }

  /**
   * Returns the bytes written since the last call, as a view of memory that is not written again.
   */
  take(): Uint8Array<ArrayBuffer> {
    const length = this.at - this.start;
    const piece = new Uint8Array(this.bytes.buffer, this.start, length);
    this.start = this.at;
    if (this.#grown || this.end - this.at < Math.max(length, ROOM_BYTES_MIN)) this.#refresh();
    return piece;
  }

  /** Discards the bytes written since the last `take`, after the owner has copied them. */
  clear(): void {
    this.at = this.start;
  }

  #refresh(): void {
    this.#chunk = Math.min(CHUNK_BYTES_MAX, 2 * this.#chunk);
    this.#use(this.#chunk);
    this.#grown = false;
    this.start = 0;
    this.at = 0;
  }

  #grow(needed: number): void {
    const written = this.bytes.subarray(this.start, this.at);
    const length = needed - this.start;
    this.#use(this.start + (length < LARGE_BYTES_MIN ? 2 * length : length + (length >> 2)));
    this.#grown = true;
    this.bytes.set(written, this.start);
  }

  #use(length: number): void {
    this.bytes = new Uint8Array(length);
    this.view = new DataView(this.bytes.buffer);
    this.end = length;
  }
}
