/**
 * A stream over a socket of `node:tls`, or of `node:net` on a shared port. Deno's own TLS cannot
 * replace `node:tls`. For accepted sessions, it has no `setNoDelay`, so that Nagle's algorithm
 * would delay messages, and it cannot request a client certificate.
 *
 * @module
 */
import type { Socket } from "node:net";
import type { TLSSocket } from "node:tls";
import type { FlushPoint } from "./flush_point.ts";
import { QueuedStream } from "./queued_stream.ts";
import type { Address } from "./stream.ts";

/** A stream over a session of `node:tls`, client or server, or over a connection of `node:net`. */
export class NodeStream extends QueuedStream {
  readonly #socket: Socket;

  constructor(point: FlushPoint, socket: TLSSocket | Socket, remote: Address) {
    super(point, remote);
    this.#socket = socket;
    if ("getPeerCertificate" in socket) {
      this.peerCertificate = socket.getPeerCertificate()?.raw;
    }
    socket.setNoDelay(true);
    socket.on("data", (bytes: Uint8Array) => {
      // Passes on a plain Uint8Array, because the methods of a Buffer cost more and behave
      // differently.
      this.push(new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.byteLength), false);
    });
    socket.on("end", () => this.pushEnd());
    socket.on("error", (error: Error) => this.gone(error.message));
    socket.on("close", () => this.gone(""));
  }

  protected override launch(): void {
    const chunk = this.take();
    this.#socket.write(chunk, (error) => {
      if (error) return this.gone(error.message);
      this.sent(chunk.length);
      this.done();
    });
  }

  protected override finish(): void {
    this.#socket.end();
  }

  protected override cut(): void {
    this.#socket.destroy();
  }

  // `pause` alone stops the events and lets memory fill. To apply back-pressure to the peer, the
  // TCP socket under TLS must stop reading; the types do not declare it, but both runtimes have it.
  protected override pauseReading(): void {
    this.#socket.pause();
    this.#handle?.readStop?.();
  }

  protected override resumeReading(): void {
    this.#handle?.readStart?.();
    this.#socket.resume();
  }

  get #handle(): Handle | undefined {
    const socket = this.#socket as unknown as { _parent?: { _handle?: Handle }; _handle?: Handle };
    return socket._parent?._handle ?? socket._handle;
  }
}

interface Handle {
  readStop?(): void;
  readStart?(): void;
}
