/**
 * Implements the send queue of one session, with three lanes, so that control and small messages do
 * not wait for large ones.
 *
 *     control ─────────────────────────────────────────────────────────▶ stream, at once
 *     begin, fields, commit ─▶ buffer ─▶ data lane: pieces ─┐ by turns ─▶ stream, while less than
 *                                            large frames ─▶ bulk lane ─┘  a window waits in it
 *
 * The small frames of a turn are written together at its end. Bytes that were passed to the stream
 * cannot be overtaken, so the stream receives only a little at a time. A large frame has its place
 * in the data lane, where its BULK is sent; its fragments go through the bulk lane, one large frame
 * after another, alternating with shares of data. Fragments in flight are limited by TAKEN, because
 * frames in the system's buffers cannot be overtaken either.
 *
 * Limits. Above `bytesMax` unsent bytes, data frames are dropped and counted, except vital ones. If
 * the unsent bytes exceed `bytesMax` by more than {@linkcode VITAL_BYTES_MAX}, all further data
 * frames are dropped, and `overload` is called at the end of the turn. The queue uses at most twice
 * the memory of its bytes, and releases it when they are sent.
 *
 * @module
 */
import { Ring } from "../base/ring.ts";
import type { Stream } from "../host/stream.ts";
import { TermBuffer } from "../term/buffer.ts";
import {
  BULK_BYTES_MIN,
  BULK_OPEN_MAX,
  FLIGHT_BYTES_MAX,
  FragmentWriter,
  WHOLE_TAGS,
} from "./fragment_writer.ts";
import { FRAME_HEAD_BYTES } from "./frame.ts";
import { Pressure } from "./pressure.ts";

/**
 * Number of buffered bytes above which they are moved to the data lane as one chunk. The buffer has
 * space for two chunks.
 */
const PIECE_BYTES_MAX = 30 * 1024;

/** The stream receives more data while it has fewer unsent bytes than this. */
const WINDOW_BYTES = 64 * 1024;

/** Number of data bytes that are sent between two fragments: one full chunk. */
const SHARE_BYTES = PIECE_BYTES_MAX;

/**
 * Maximum length in bytes of a shared frame that is copied into the buffer. For such a short frame,
 * a separate chunk would cost more.
 */
const COPY_BYTES_MAX = 4 * 1024;

/** Number of bytes above `bytesMax` that vital frames may use. Exceeding it ends the session. */
export const VITAL_BYTES_MAX: number = 16 * 1024 * 1024;

/**
 * Maximum number of data bytes that overtake large frames in progress. Further data waits until the
 * large frames are sent. The receiver holds back messages that overtook a large one for the same
 * actor; its limit is twice this number.
 */
export const PASSED_BYTES_MAX: number = 8 * 1024 * 1024;

/** Limits of an outbox. */
export interface OutboxLimits {
  /** Number of unsent bytes above which data frames are dropped. */
  readonly bytesMax: number;
  /** Maximum length of a frame, tag and body. Longer frames are never sent. */
  readonly messageBytesMax: number;
}

/** The callbacks of an outbox. */
export interface OutboxOwner {
  /** Runs a task at the end of this turn. */
  atFlush(task: () => void): void;
  /**
   * Called at the end of a turn if the queue has exceeded half of its limit (`high`), or fallen
   * below an eighth.
   */
  pressure(high: boolean): void;
  /**
   * Called at the end of a turn if the unsent bytes have exceeded `bytesMax` by more than
   * {@linkcode VITAL_BYTES_MAX}.
   */
  overload(): void;
}

/** The send queue of one session. */
export class SessionOutbox {
  /** Number of data frames dropped because the queue was full. */
  dropped = 0;
  readonly pressure: Pressure;
  readonly #stream: Stream;
  readonly #limits: OutboxLimits;
  readonly #owner: OutboxOwner;
  /** The buffer at the end of the data lane, into which frames are written. */
  readonly #out = new TermBuffer();
  /** Offset of the frame being written. */
  #begun = 0;
  /** The data lane except the buffer: chunks of complete frames, and large frames. */
  #data = new Ring<Uint8Array | FragmentWriter>();
  /** Large frames whose BULK was sent, in that order. */
  #bulks = new Ring<FragmentWriter>();
  /** Number of bytes in `#data` and `#bulks`. */
  #queued = 0;
  /** Number of large frames so far, which is also the number of the next large frame. */
  #numbers = 0;
  /** Number of data bytes that may be sent before the next fragment. */
  #share = SHARE_BYTES;
  /** Number of data bytes that have overtaken large frames in progress. */
  #passed = 0;
  /** Number of bytes of fragments that were sent and not acknowledged by a TAKEN. */
  #flight = 0;
  #armed = false;
  #isOverloaded = false;
  /** Whether frames are no longer accepted. */
  #isClosed = false;
  /** The last frame, which is sent after all other frames. */
  #last: Uint8Array | undefined;

  constructor(stream: Stream, limits: OutboxLimits, owner: OutboxOwner) {
    this.#stream = stream;
    this.#limits = limits;
    this.#owner = owner;
    this.pressure = new Pressure(limits.bytesMax, (high) => owner.pressure(high));
  }

  /** Number of bytes that wait to be sent. */
  get unsent(): number {
    return this.#stream.unsent + this.#queued + this.#out.at - this.#out.start;
  }

  /** Number of bytes of the frame being written, tag and body. */
  get length(): number {
    return this.#out.at - this.#begun - FRAME_HEAD_BYTES;
  }

  /** Sends a frame ahead of all data. */
  control(frame: Uint8Array): void {
    if (this.#isClosed || this.#last !== undefined) return;
    this.#stream.write(frame);
    this.#rose(this.unsent);
  }

  /** Sends a data frame, which must not be changed afterwards. Returns false if it was dropped. */
  data(frame: Uint8Array): boolean {
    if (frame.length <= COPY_BYTES_MAX) {
      this.#begun = this.#out.at;
      this.#out.write(frame);
      return this.commit(false);
    }
    const unsent = this.unsent + frame.length;
    if (!this.#takes(unsent, frame.length - FRAME_HEAD_BYTES, false)) return false;
    this.#push();
    this.#append(frame);
    this.#rose(unsent);
    this.#arm();
    return true;
  }

  /** Starts a data frame. The caller writes its body into the returned buffer. */
  begin(tag: number): TermBuffer {
    const out = this.#out;
    out.reserve(FRAME_HEAD_BYTES + 1);
    this.#begun = out.at;
    out.at += FRAME_HEAD_BYTES;
    out.bytes[out.at++] = tag;
    return out;
  }

  /** Discards the frame being written. */
  cancel(): void {
    this.#out.at = this.#begun;
  }

  /**
   * Sends the frame being written. Returns false if it was dropped. A `vital` frame is never
   * dropped.
   */
  commit(vital: boolean): boolean {
    const out = this.#out;
    const begun = this.#begun;
    const length = out.at - begun - FRAME_HEAD_BYTES;
    const unsent = this.unsent;
    if (!this.#takes(unsent, length, vital)) {
      out.at = begun;
      return false;
    }
    out.view.setUint32(begun, length, true);
    if (length > BULK_BYTES_MIN) this.#cutOff(begun);
    else if (out.at - out.start > PIECE_BYTES_MAX) this.#push();
    if (unsent > this.pressure.highMark) this.#rose(unsent);
    if (!this.#armed) this.#arm();
    return true;
  }

  /** Called when the stream has sent all its bytes. Sends more of the queue. */
  drain(): void {
    if (this.#isClosed) return;
    if (this.#last === undefined) this.pressure.at(this.unsent);
    this.#refill();
    this.pressure.settle();
  }

  /** Handles a TAKEN. Returns false if it covers more bytes than were sent. */
  taken(bytes: number): boolean {
    if (bytes > this.#flight) return false;
    this.#flight -= bytes;
    if (!this.#isClosed) this.#refill();
    return true;
  }

  /** Accepts no more frames. Sends the queued frames and then this one, and ends the stream. */
  end(last: Uint8Array): void {
    if (this.#isClosed || this.#last !== undefined) return;
    this.#last = last;
    this.pressure.close();
    this.#push();
    this.#refill();
  }

  /** Drops all queued frames, and accepts no more. The owner aborts the stream. */
  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#data = new Ring();
    this.#bulks = new Ring();
    this.#queued = 0;
    this.#out.take();
    this.pressure.close();
  }

  readonly #flush = (): void => {
    this.#armed = false;
    if (this.#isClosed) return;
    if (this.#isOverloaded) return this.#owner.overload();
    this.#refill();
    this.pressure.settle();
  };

  #arm(): void {
    if (this.#armed) return;
    this.#armed = true;
    this.#owner.atFlush(this.#flush);
  }

  /**
   * Returns whether a frame of `length` bytes may be added to a queue of `unsent` bytes. `vital`:
   * the limit of the queue does not apply to the frame.
   */
  #takes(unsent: number, length: number, vital: boolean): boolean {
    const { bytesMax, messageBytesMax } = this.#limits;
    if (this.#isClosed || this.#isOverloaded || this.#last !== undefined) return false;
    if ((vital || unsent <= bytesMax) && length <= messageBytesMax) return true;
    this.dropped++;
    return false;
  }

  /** Checks the limits after bytes were added. */
  #rose(unsent: number): void {
    this.pressure.at(unsent);
    // The session is not ended here, because this call may be part of an actor's exit.
    if (unsent > this.#limits.bytesMax + VITAL_BYTES_MAX) this.#isOverloaded = true;
    if (this.#isOverloaded || this.pressure.isChanged) this.#arm();
  }

  /** Moves the last frame of the buffer, which begins at `begun` and is large, to the data lane. */
  #cutOff(begun: number): void {
    const length = begun - this.#out.start;
    const bytes = this.#out.take();
    if (length > 0) this.#enqueue(bytes.subarray(0, length));
    this.#append(bytes.subarray(length));
  }

  /** Moves the buffer to the data lane, as a chunk. */
  #push(): void {
    if (this.#out.at > this.#out.start) this.#enqueue(this.#out.take());
  }

  #append(frame: Uint8Array): void {
    const isSmall = frame.length - FRAME_HEAD_BYTES <= BULK_BYTES_MIN;
    if (isSmall || WHOLE_TAGS.has(frame[FRAME_HEAD_BYTES]!)) return this.#enqueue(frame);
    const bulk = new FragmentWriter(this.#numbers++ >>> 0, frame);
    this.#queued += bulk.left;
    this.#data.push(bulk);
  }

  #enqueue(piece: Uint8Array): void {
    const isIdle = this.#data.length === 0 && this.#bulks.length === 0;
    if (isIdle && this.#stream.unsent < WINDOW_BYTES) return this.#stream.write(piece);
    this.#queued += piece.length;
    this.#data.push(piece);
  }

  /** Writes data and fragments alternately until the window is full. */
  #refill(): void {
    while (this.#stream.unsent < WINDOW_BYTES) {
      if (this.#bulks.length === 0) {
        this.#share = SHARE_BYTES;
        this.#passed = 0;
        if (!this.#sendData()) return this.#finish();
        continue;
      }
      // After `end` was called, this side no longer reads the peer's TAKENs, so it must not wait
      // for them.
      const mayFly = this.#flight < FLIGHT_BYTES_MAX || this.#last !== undefined;
      const mayPass = this.#passed < PASSED_BYTES_MAX && (this.#share > 0 || !mayFly);
      if (mayPass && this.#sendData()) continue;
      if (!mayFly) return;
      this.#share = SHARE_BYTES;
      this.#sendFragment();
    }
  }

  /**
   * Sends the next item of the data lane. Returns false if the lane is empty, or its item must
   * wait.
   */
  #sendData(): boolean {
    const next = this.#data.peek();
    if (next instanceof FragmentWriter) {
      if (this.#bulks.length >= BULK_OPEN_MAX) return false;
      this.#data.shift();
      const { left } = next;
      this.#count(next.begin());
      this.#queued -= left - next.left;
      this.#bulks.push(next);
      return true;
    }
    if (next !== undefined) {
      this.#data.shift();
      this.#queued -= next.length;
      this.#count(next);
      return true;
    }
    if (this.#out.at === this.#out.start) return false;
    this.#count(this.#out.take());
    return true;
  }

  #count(piece: Uint8Array): void {
    this.#share -= piece.length;
    this.#passed += piece.length;
    this.#stream.write(piece);
  }

  #sendFragment(): void {
    const bulk = this.#bulks.peek()!;
    const [head, bytes] = bulk.next();
    this.#queued -= bytes.length;
    this.#flight += bytes.length;
    this.#stream.write(head);
    this.#stream.write(bytes);
    if (bulk.left === 0) this.#bulks.shift();
  }

  /**
   * Called when all lanes are empty. If `end` was called, sends the last frame and ends the stream.
   */
  #finish(): void {
    if (this.#last === undefined) return;
    this.#isClosed = true;
    this.#stream.write(this.#last);
    this.#stream.end();
  }
}
