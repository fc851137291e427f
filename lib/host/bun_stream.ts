/**
 * A stream over a socket of Bun, plain or TLS. Bun copies the data before `write` returns, and
 * returns the number of bytes accepted; the rest waits for `drain`.
 *
 * @module
 */
import type { FlushPoint } from "./flush_point.ts";
import { QueuedStream } from "./queued_stream.ts";
import type { Address } from "./stream.ts";

/** The part of Bun's socket that is used here. */
export interface RawSocket {
  /** The stream, after the socket was passed on. */
  data: BunStream | undefined;
  readonly remoteAddress: string;
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

/** A socket of Bun. */
export class BunStream extends QueuedStream {
  readonly #socket: RawSocket;
  #chunk: Uint8Array | undefined;
  #offset = 0;

  constructor(point: FlushPoint, socket: RawSocket, remote: Address) {
    super(point, remote);
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
      socket.data?.pushEnd();
    },
  };

  /** Called when Bun reports that the socket is closed. */
  closed(error: Error | undefined): void {
    this.gone(error?.message ?? "");
  }

  protected override launch(): void {
    this.#chunk = this.take();
    this.#offset = 0;
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
    const chunk = this.#chunk;
    if (chunk === undefined || this.isOver) return;
    const length = this.#socket.write(chunk, this.#offset, chunk.length - this.#offset);
    // -1: the socket is closed, and `close` will be called.
    if (length <= 0) return;
    this.#offset += length;
    this.sent(length);
    if (this.#offset < chunk.length) return;
    this.#chunk = undefined;
    this.done();
  }
}
