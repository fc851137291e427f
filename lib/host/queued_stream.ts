/**
 * What every host's stream does alike: the queue, the one write in flight, the life.
 *
 *     write ─▶ queue ─(flush point)─▶ launch ─▶ the host sends `take()` ─▶ done ─▶ queue empty? ─▶ drain
 *                                        ▲                                  │
 *                                        └──────── more was queued ─────────┘
 *
 * There is one write in flight. What is queued behind it leaves together in the next one, so a busy
 * stream batches by itself. (On Deno it is also a matter of correctness: a write can be short, and
 * a second one in flight would put its bytes into the gap.)
 *
 * The life: reading and writing end apart, in either order; when both have, it is `closed`.
 *
 * @module
 */
import { concat } from "../base/bytes.ts";
import type { Flushable, FlushPoint } from "./flush_point.ts";
import { type Address, IGNORE, type Stream, type StreamEnd, type StreamHandler } from "./stream.ts";

/** Queued chunks are joined into one write up to this many bytes. */
const JOIN_BYTES_MAX = 256 * 1024;

/** The part of a stream that does not depend on the host. */
export abstract class QueuedStream implements Stream, Flushable {
  readonly remote: Address;
  peerCertificate: Uint8Array | undefined = undefined;

  readonly #point: FlushPoint;
  /** The first chunk that waits. Most turns write one, and need no array for it. */
  #first: Uint8Array | undefined;
  /** The chunks behind it. */
  #rest: Uint8Array[] = [];
  #unsent = 0;
  /** In the flush point's list. */
  #dirty = false;
  /** A write is in flight. */
  #busy = false;
  /** `end` was called: nothing more is taken. */
  #ending = false;
  #writeOver = false;
  #readOver = false;
  #over = false;
  #paused = false;
  #handler: StreamHandler = IGNORE;
  /** A handler was given. Until then everything that happens is held for it. */
  #claimed = false;
  /** What came while nobody wanted it: the host may have had a read under way. */
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
    // Not within the assignment: the owner may not have finished setting itself up.
    queueMicrotask(() => {
      // It may have been handed on before this ran: once is enough.
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

  /** Called by the flush point. */
  flush(): void {
    this.#dirty = false;
    if (this.#busy || this.#over) return;
    if (this.#first !== undefined) {
      this.#busy = true;
      this.launch();
    } else if (this.#ending) this.#endWriting();
  }

  /** Starts to send `take()`; the host calls `done` when all of it has gone. */
  protected abstract launch(): void;
  /** Tells the peer that no more will come. */
  protected abstract finish(): void;
  /** Destroys the stream. `keepsSent`: bytes that the system has taken must still reach the peer. */
  protected abstract cut(keepsSent: boolean): void;
  /** Begins to read: somebody wants it now. For hosts that do not read by themselves. */
  protected startReading(): void {}
  /** Stops reading, if the host can. */
  protected pauseReading(): void {}
  /** Reads again. */
  protected resumeReading(): void {}

  /** True once nothing may be done with the stream any more. */
  protected get isOver(): boolean {
    return this.#over;
  }

  /** True while the owner wants no bytes. */
  protected get isPaused(): boolean {
    return this.#paused;
  }

  /** The next bytes to send, as one chunk. Only when some wait. */
  protected take(): Uint8Array {
    const first = this.#first!;
    this.#first = undefined;
    const rest = this.#rest;
    if (rest.length === 0) return first;
    let count = 0;
    let length = first.length;
    while (count < rest.length && length + rest[count]!.length <= JOIN_BYTES_MAX) {
      length += rest[count++]!.length;
    }
    const joined = concat([first, ...rest.splice(0, count)]);
    this.#first = rest.shift();
    return joined;
  }

  /** `length` bytes of the chunk in flight are with the system. */
  protected sent(length: number): void {
    this.#unsent -= length;
  }

  /** The chunk in flight is with the system, all of it. */
  protected done(): void {
    if (this.#over) return;
    if (this.#first !== undefined) return this.launch();
    this.#busy = false;
    if (this.#ending) this.#endWriting();
    else this.#handler.drain();
  }

  /** Bytes came. `borrowed`: the host will use the memory again after this call. */
  protected push(bytes: Uint8Array, borrowed: boolean): void {
    if (this.#over || this.#readOver) return;
    if (this.#paused || !this.#claimed) this.#held.push(borrowed ? bytes.slice() : bytes);
    else this.#deliver(bytes);
  }

  /** The peer will send no more. */
  protected pushEnd(): void {
    if (this.#over || this.#readOver || this.#heldEnd) return;
    if (this.#paused || !this.#claimed) this.#heldEnd = true;
    else this.#endReading();
  }

  /** The system says that the connection is gone. */
  protected gone(message: string): void {
    // Some hosts tell the peer's end, when it comes after ours, as the close of the whole.
    const inOrder = message === "" && this.#writeOver;
    if (inOrder && !this.#readOver && !this.#over) this.#handler.end();
    this.over(
      inOrder ? { kind: "closed" } : {
        kind: "broken",
        message: message || "the connection was closed",
      },
    );
  }

  /** The stream is over. Only the first call counts. */
  protected over(end: StreamEnd, keepsSent: boolean = end.kind === "closed"): void {
    if (this.#over) return;
    this.#over = true;
    this.cut(keepsSent);
    this.#first = undefined;
    this.#rest = [];
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
    if (this.#dirty || this.#busy) return;
    this.#dirty = true;
    this.#point.dirty(this);
  }

  #deliver(bytes: Uint8Array): void {
    try {
      this.#handler.data(bytes);
    } catch (error) {
      // Handlers are our own code and answer for what peers send; a throw is our bug, and loud.
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
