/**
 * Where terms are written: memory that is handed out in pieces and never written again.
 *
 *     ┌──────────────┬───────────────────────┬─────────────┐
 *     │ taken before │ written, not taken    │ room        │
 *     └──────────────┴───────────────────────┴─────────────┘
 *     0              start                   at            end
 *
 * The owner writes what it likes, lets the encoder write terms, and takes the whole. What was taken may
 * wait in a socket's queue, so the next piece follows behind it; when little room is left, fresh
 * memory begins. The fields are open because the codec writes by the byte.
 *
 * @module
 */

/** The first memory of a buffer, in bytes. Every fresh one is twice the last, up to the largest. */
const CHUNK_BYTES_MIN = 4 * 1024;
const CHUNK_BYTES_MAX = 64 * 1024;

/** From this length on a piece grows by a quarter: to double it would waste much. */
const CHUNKY_BYTES_MIN: number = 1024 * 1024;

/** With less room than this, or than was just taken, `take` begins fresh memory. */
const ROOM_BYTES_MIN = 512;

/** Bytes in the making. */
export class TermBuffer {
  /** The memory. */
  bytes: Uint8Array<ArrayBuffer>;
  /** The same memory. */
  view: DataView;
  /** Where the piece that was not taken begins. */
  start = 0;
  /** Where the next byte goes. */
  at = 0;
  /** Where the memory ends. */
  end: number;
  /** How large fresh memory is. */
  #chunk = CHUNK_BYTES_MIN;
  /** The memory grew beyond that, for one piece. */
  #grown = false;

  constructor() {
    this.bytes = new Uint8Array(CHUNK_BYTES_MIN);
    this.view = new DataView(this.bytes.buffer);
    this.end = CHUNK_BYTES_MIN;
  }

  /** Makes sure that `length` bytes can be written. Positions stay what they are. */
  reserve(length: number): void {
    if (this.at + length > this.end) this.#grow(this.at + length);
  }

  /** Writes bytes as they are. */
  write(bytes: Uint8Array): void {
    this.reserve(bytes.length);
    this.bytes.set(bytes, this.at);
    this.at += bytes.length;
  }

  /** What was written since the last time, as a view of memory that is not written again. */
  take(): Uint8Array<ArrayBuffer> {
    const length = this.at - this.start;
    const piece = new Uint8Array(this.bytes.buffer, this.start, length);
    this.start = this.at;
    if (this.#grown || this.end - this.at < Math.max(length, ROOM_BYTES_MIN)) this.#refresh();
    return piece;
  }

  /** Forgets what was written since the last time, for an owner that has copied it. */
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
    this.#use(this.start + (length < CHUNKY_BYTES_MIN ? 2 * length : length + (length >> 2)));
    this.#grown = true;
    this.bytes.set(written, this.start);
  }

  #use(length: number): void {
    this.bytes = new Uint8Array(length);
    this.view = new DataView(this.bytes.buffer);
    this.end = length;
  }
}
