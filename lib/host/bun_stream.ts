/**
 * Implements a stream over a plain or TLS socket of Bun. The socket's `write` returns the number of
 * bytes that the system accepted, and discards the rest; the stream writes the rest after `drain`.
 *
 * Queued chunks are shared: a broadcast is one chunk of memory for all members of a room. They
 * therefore stay unchanged: a write that joins several chunks copies them into a buffer that all
 * streams use. For a member that never reads, nothing is copied.
 *
 * Ends are passed on later, in slices: see `end_queue.ts`.
 *
 * @module
 */
import type { Ending, EndQueue } from "./end_queue.ts";
import type { FlushPoint } from "./flush_point.ts";
import { JOIN_BYTES_MAX, QueuedStream } from "./queued_stream.ts";
import type { Address } from "./stream.ts";

/** The part of Bun's socket that this file uses. */
export interface RawSocket {
  /** The stream over this socket; set when the socket has been passed on. */
  data: BunStream | undefined;
  /** The address of the peer. Undefined on a Unix socket. */
  readonly remoteAddress: string | undefined;
  readonly remotePort: number;
  readonly authorized?: boolean;
  getPeerCertificate?(): { raw?: Uint8Array } | undefined;
  write(bytes: Uint8Array, offset: number, length: number): number;
  shutdown(): void;
  end(): void;
  terminate(): void;
  pause(): void;
  resume(): void;
}

/** The objects that all streams of one host share. */
export class SharedParts {
  /** The buffer in which chunks are joined for one write. It can be reused after the write. */
  readonly joined: Uint8Array = new Uint8Array(JOIN_BYTES_MAX);
  readonly ends: EndQueue;

  constructor(ends: EndQueue) {
    this.ends = ends;
  }
}

/** A stream over a socket of Bun. */
export class BunStream extends QueuedStream implements Ending {
  readonly #socket: RawSocket;
  readonly #shared: SharedParts;
  /** Number of bytes of the first queued chunk that the system has already accepted. */
  #offset = 0;
  /** Whether the peer has ended its data, and the handler has not been notified yet. */
  #hasEnded = false;
  /** Whether the stream is in the {@linkcode EndQueue}. */
  #isQueued = false;
  /**
   * The system's message about the close of the connection; empty if it was closed in order.
   * Undefined while the connection is open.
   */
  #closedBy: string | undefined;
  /**
   * Whether a write is in progress, from `launch` to `done`. Bun may call `drain` at other times as
   * well; such a call is ignored.
   */
  #isWriting = false;

  constructor(point: FlushPoint, shared: SharedParts, socket: RawSocket, remote: Address) {
    super(point, remote);
    this.#shared = shared;
    this.#socket = socket;
  }

  /** The callbacks of Bun. They call the stream in `socket.data`. */
  static readonly events = {
    data(socket: RawSocket, bytes: Uint8Array): void {
      socket.data?.push(bytes, false);
    },
    drain(socket: RawSocket): void {
      if (socket.data) socket.data.#go();
    },
    end(socket: RawSocket): void {
      if (socket.data) socket.data.#peerEnded();
    },
  };

  /** Called when Bun reports that the socket has closed. */
  closed(error: Error | undefined): void {
    this.#closedBy ??= error?.message ?? "";
    this.#enqueue();
  }

  passEnd(): void {
    const hasEnded = this.#hasEnded;
    this.#hasEnded = false;
    this.#isQueued = false;
    if (hasEnded) this.pushEnd();
    if (this.#closedBy !== undefined) this.gone(this.#closedBy);
  }

  /** Called when the peer has ended its data. */
  #peerEnded(): void {
    this.#hasEnded = true;
    this.#enqueue();
  }

  #enqueue(): void {
    if (this.#isQueued) return;
    this.#isQueued = true;
    this.#shared.ends.add(this);
  }

  protected override launch(): void {
    this.#isWriting = true;
    this.#go();
  }

  protected override finish(): void {
    this.#socket.shutdown();
  }

  protected override cut(keepsSent: boolean): void {
    // `terminate` resets the connection and discards what the peer has not read.
    if (keepsSent) this.#socket.end();
    else this.#socket.terminate();
  }

  protected override pauseReading(): void {
    this.#socket.pause();
  }

  protected override resumeReading(): void {
    this.#socket.resume();
  }

  #go(): void {
    if (!this.#isWriting) return;
    for (let chunk = this.first; chunk !== undefined && !this.isOver; chunk = this.first) {
      const length = this.hasOne ? chunk.length - this.#offset : this.joinable(this.#offset);
      let taken: number;
      if (length > chunk.length - this.#offset) {
        this.join(this.#shared.joined, this.#offset, length);
        taken = this.#socket.write(this.#shared.joined, 0, length);
      } else taken = this.#socket.write(chunk, this.#offset, length);
      // Bun returns -1 for a closed socket, and calls `close` afterwards.
      if (taken <= 0) return;
      this.sent(taken);
      if (this.hasOne && taken === length) {
        this.#offset = 0;
        this.shift();
      } else this.#consume(taken);
      if (taken < length) return;
    }
    this.#isWriting = false;
    this.done();
  }

  /** Removes `taken` bytes, which the system has accepted, from the queue. */
  #consume(taken: number): void {
    let left = taken;
    for (let chunk = this.first; chunk !== undefined; chunk = this.first) {
      const length = chunk.length - this.#offset;
      if (left < length) {
        this.#offset += left;
        return;
      }
      left -= length;
      this.#offset = 0;
      this.shift();
      if (left === 0) return;
    }
  }
}
