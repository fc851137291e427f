/**
 * Implements the parts of streams that all hosts share: the queue, the single write in flight, and
 * the lifecycle.
 *
 *     write ─▶ queue ─(flush point)─▶ launch ─▶ host sends `take()` ─▶ done ─▶ empty? ─▶ drain
 *                                        ▲                                       │
 *                                        └─────────── more was queued ───────────┘
 *
 * There is one write in flight. Data queued behind it is sent together in the next one, so a busy
 * stream batches its writes. (On Deno this is also required for correctness: a write can be short,
 * and a second write in flight would put its bytes into the gap.)
 *
 * Reading and writing end separately, in either order. After both, the stream is `closed`.
 *
 * @module
 */
import { EMPTY } from "../base/bytes.ts";
import type { Flushable, FlushPoint } from "./flush_point.ts";
import { type Address, IGNORE, type Stream, type StreamEnd, type StreamHandler } from "./stream.ts";

/** Maximum length in bytes of a write that joins several queued chunks. */
export const JOIN_BYTES_MAX: number = 256 * 1024;

/** Number of sent chunks in the array of queued chunks at which they are removed from it. */
const CONSUMED_MAX = 1024;

/** The part of a stream that is the same on all hosts. */
export abstract class QueuedStream implements Stream, Flushable {
  readonly remote: Address;
  peerCertificate: Uint8Array | undefined = undefined;

  readonly #point: FlushPoint;
  /** The first chunk in the queue. A turn usually writes only one, which then needs no array. */
  #first: Uint8Array | undefined;
  /** The chunks behind the first one. Those before the index `#next` have been sent. */
  #rest: Uint8Array[] = [];
  #next = 0;
  #unsent = 0;
  /** Whether the stream waits in the flush point's list. */
  #dirty = false;
  /** Whether a write is in flight. */
  #busy = false;
  /** Whether `end` was called. If so, later writes are dropped. */
  #ending = false;
  #writeOver = false;
  #readOver = false;
  #over = false;
  #paused = false;
  #handler: StreamHandler = IGNORE;
  /** Whether a handler was set. Until then, data and events are held back. */
  #claimed = false;
  /** Data that arrived before a handler was set. */
  #held: Uint8Array[] = [];
  #heldEnd = false;
  #heldClose: StreamEnd | undefined;

  constructor(point: FlushPoint, remote: Address) {
    this.#point = point;
    this.remote = remote;
  }

  get handler(): StreamHandler {
    return this.#handler;
  }

  set handler(handler: StreamHandler) {
    this.#handler = handler;
    if (this.#claimed) return;
    // The call is deferred, because the owner may still be in its own setup.
    queueMicrotask(() => {
      // The handler may have been replaced several times before this runs. One call is enough.
      if (this.#claimed) return;
      this.#claimed = true;
      if (!this.#over) this.startReading();
      this.#release();
      if (this.#heldClose !== undefined) this.#handler.close(this.#heldClose);
    });
  }

  get unsent(): number {
    return this.#unsent;
  }

  get isPaused(): boolean {
    return this.#paused;
  }

  write(bytes: Uint8Array): void {
    if (this.#ending || this.#over || bytes.length === 0) return;
    if (this.#first === undefined) this.#first = bytes;
    else this.#rest.push(bytes);
    this.#unsent += bytes.length;
    this.#schedule();
  }

  pause(): void {
    if (this.#paused || this.#over) return;
    this.#paused = true;
    this.pauseReading();
  }

  resume(): void {
    if (!this.#paused || this.#over) return;
    this.#paused = false;
    this.#release();
    if (!this.#paused && !this.#over) this.resumeReading();
  }

  end(): void {
    if (this.#ending || this.#over) return;
    this.#ending = true;
    this.#schedule();
  }

  abort(keepsSent: boolean = false): void {
    this.over({ kind: "aborted" }, keepsSent);
  }

  /** Called by the flush point at the end of a turn. */
  flush(): void {
    this.#dirty = false;
    if (this.#busy || this.#over) return;
    if (this.#first !== undefined) {
      this.#busy = true;
      this.launch();
    } else if (this.#ending) this.#endWriting();
  }

  /** Begins to send what `take()` returns. The host calls `done` when all of it was sent. */
  protected abstract launch(): void;
  /** Signals the end of the data to the peer. */
  protected abstract finish(): void;
  /**
   * Destroys the stream. With `keepsSent`, bytes accepted by the system must still reach the peer.
   */
  protected abstract cut(keepsSent: boolean): void;
  /** Starts reading. Overridden by hosts that do not read on their own. */
  protected startReading(): void {}
  /** Stops reading, if the host supports it. */
  protected pauseReading(): void {}
  /** Resumes reading after `pauseReading`. */
  protected resumeReading(): void {}

  /** Whether the stream has ended and must not be used any more. */
  protected get isOver(): boolean {
    return this.#over;
  }

  /** The first queued chunk, or undefined if there is none. */
  protected get first(): Uint8Array | undefined {
    return this.#first;
  }

  /** Whether at most one chunk is queued. */
  protected get hasOne(): boolean {
    return this.#rest.length === 0;
  }

  /** Removes the first chunk from the queue. */
  protected shift(): void {
    this.#first = this.#rest[this.#next];
    if (this.#first === undefined) return;
    // Drops the reference, so that sent chunks are not kept in memory while others are queued.
    this.#rest[this.#next++] = EMPTY;
    if (this.#next === this.#rest.length) this.#rest.length = this.#next = 0;
    else if (this.#next >= CONSUMED_MAX && this.#next * 2 > this.#rest.length) {
      this.#rest.splice(0, this.#next);
      this.#next = 0;
    }
  }

  /**
   * Returns the length of the next write in bytes. It joins whole chunks, the first without the
   * `offset` bytes that were already sent. A chunk longer than {@linkcode JOIN_BYTES_MAX} is
   * written alone.
   */
  protected joinable(offset: number): number {
    let length = this.#first!.length - offset;
    for (let at = this.#next; at < this.#rest.length; at++) {
      const more = this.#rest[at]!.length;
      if (length + more > JOIN_BYTES_MAX) break;
      length += more;
    }
    return length;
  }

  /** Copies the first `length` bytes counted by {@linkcode joinable}. The chunks stay queued. */
  protected join(target: Uint8Array, offset: number, length: number): void {
    const first = this.#first!;
    target.set(offset === 0 ? first : first.subarray(offset));
    let filled = first.length - offset;
    for (let at = this.#next; filled < length; at++) {
      target.set(this.#rest[at]!, filled);
      filled += this.#rest[at]!.length;
    }
  }

  /**
   * Removes and returns the next bytes to send as one chunk, which is no longer queued. There must
   * be a queued chunk.
   */
  protected take(): Uint8Array {
    const first = this.#first!;
    const length = this.joinable(0);
    if (length === first.length) {
      this.shift();
      return first;
    }
    const joined = new Uint8Array(length);
    this.join(joined, 0, length);
    for (let left = length; left > 0; this.shift()) left -= this.#first!.length;
    return joined;
  }

  /** Schedules `flush` for the next flush point. */
  protected wake(): void {
    if (this.#dirty) return;
    this.#dirty = true;
    this.#point.dirty(this);
  }

  /** Records that the system accepted `length` bytes of the chunk in flight. */
  protected sent(length: number): void {
    this.#unsent -= length;
  }

  /** Records that the system accepted the whole chunk in flight. */
  protected done(): void {
    if (this.#over) return;
    if (this.#first !== undefined) return this.launch();
    this.#busy = false;
    if (this.#ending) this.#endWriting();
    else this.#handler.drain();
  }

  /**
   * Passes received bytes to the handler. With `borrowed`, the host reuses the memory after this
   * call.
   */
  protected push(bytes: Uint8Array, borrowed: boolean): void {
    if (this.#over || this.#readOver) return;
    if (this.#paused || !this.#claimed) this.#held.push(borrowed ? bytes.slice() : bytes);
    else this.#deliver(bytes);
  }

  /** Notifies the handler that the peer has ended its data. */
  protected pushEnd(): void {
    if (this.#over || this.#readOver || this.#heldEnd) return;
    if (this.#paused || !this.#claimed) this.#heldEnd = true;
    else this.#endReading();
  }

  /** Ends the stream when the system reports that the connection is closed. */
  protected gone(message: string): void {
    // Some hosts report the peer's end of data as the close of the connection, if this side has
    // ended before.
    const inOrder = message === "" && this.#writeOver;
    if (inOrder && !this.#readOver && !this.#over) this.#handler.end();
    this.over(
      inOrder ? { kind: "closed" } : {
        kind: "broken",
        message: message || "the connection was closed",
      },
    );
  }

  /** Ends the stream. Only the first call has an effect. */
  protected over(end: StreamEnd, keepsSent: boolean = end.kind === "closed"): void {
    if (this.#over) return;
    this.#over = true;
    this.cut(keepsSent);
    this.#first = undefined;
    this.#rest = [];
    this.#next = 0;
    this.#held = [];
    this.#unsent = 0;
    if (this.#claimed) this.#handler.close(end);
    else this.#heldClose = end;
  }

  #release(): void {
    while (this.#held.length > 0 && !this.#paused && !this.#over) {
      this.#deliver(this.#held.shift()!);
    }
    if (!this.#heldEnd || this.#paused || this.#over) return;
    this.#heldEnd = false;
    this.#endReading();
  }

  #schedule(): void {
    if (!this.#busy) this.wake();
  }

  #deliver(bytes: Uint8Array): void {
    try {
      this.#handler.data(bytes);
    } catch (error) {
      // Handlers are library code and must handle any input; an exception is a bug and must be
      // visible.
      this.abort();
      queueMicrotask(() => {
        throw error;
      });
    }
  }

  #endReading(): void {
    this.#readOver = true;
    this.#handler.end();
    this.#closeIfDone();
  }

  #endWriting(): void {
    if (this.#writeOver) return;
    this.#writeOver = true;
    this.finish();
    this.#closeIfDone();
  }

  #closeIfDone(): void {
    if (this.#readOver && this.#writeOver) this.over({ kind: "closed" });
  }
}
