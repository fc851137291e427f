/**
 * A stream over a socket of Bun, plain or TLS. `write` returns how many bytes the system accepted and keeps
 * no others; the rest waits for `drain`.
 *
 * Queued chunks are shared: a broadcast is one chunk of memory for all members of a room. They are therefore
 * copied for a joint write into a buffer that all streams use, and stay unchanged: a member that never reads
 * costs no copy.
 *
 * Ends are passed on at the flush point, in slices: Bun reports the ends of thousands of sockets in one turn
 * of the event loop, and continues to report more while its callbacks run.
 *
 * @module
 */
import type { FlushPoint } from "./flush_point.ts";
import { JOIN_BYTES_MAX, QueuedStream } from "./queued_stream.ts";
import type { Address } from "./stream.ts";

/** The part of Bun's socket that this file uses. */
export interface RawSocket {
  /** The stream, after the socket was passed on. */
  data: BunStream | undefined;
  /** Undefined on a Unix socket. */
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

/**
 * The buffer in which the streams of one host join chunks for a write. Its content is unused after
 * the write.
 */
export class JoinBuffer {
  readonly bytes: Uint8Array = new Uint8Array(JOIN_BYTES_MAX);
}

/** A stream over a socket of Bun. */
export class BunStream extends QueuedStream {
  readonly #socket: RawSocket;
  readonly #joined: JoinBuffer;
  /** Number of bytes of the first chunk that the system has accepted. */
  #offset = 0;
  /** Whether the peer has ended its data, and the handler has not been called for it yet. */
  #hasEnded = false;
  /** The system's message once the connection is closed; empty if it was closed in order. */
  #closedBy: string | undefined;
  /**
   * Whether a write is in progress, from `launch` to `done`. Bun may call `drain` at other times
   * too.
   */
  #isWriting = false;

  constructor(point: FlushPoint, joined: JoinBuffer, socket: RawSocket, remote: Address) {
    super(point, remote);
    this.#joined = joined;
    this.#socket = socket;
  }

  /** Callbacks of Bun that are forwarded to the stream in `socket.data`. */
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
    this.wake();
  }

  override flush(): void {
    const [hasEnded, closedBy] = [this.#hasEnded, this.#closedBy];
    this.#hasEnded = false;
    if (hasEnded) this.pushEnd();
    if (closedBy !== undefined) this.gone(closedBy);
    super.flush();
  }

  /** Called when the peer has ended its data. */
  #peerEnded(): void {
    this.#hasEnded = true;
    this.wake();
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
        this.join(this.#joined.bytes, this.#offset, length);
        taken = this.#socket.write(this.#joined.bytes, 0, length);
      } else taken = this.#socket.write(chunk, this.#offset, length);
      // The result is -1 if the socket is closed. `close` will be called then.
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

  /** Removes the bytes that the system has accepted. */
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
