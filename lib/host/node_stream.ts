/**
 * A stream over a `node:tls` socket, which Deno's own TLS cannot replace where a session is
 * accepted (no `setNoDelay`: Nagle's algorithm stalls spaced messages) or where both sides show
 * certificates.
 *
 * @module
 */
import type { TLSSocket } from "node:tls";
import type { FlushPoint } from "./flush_point.ts";
import { QueuedStream } from "./queued_stream.ts";
import type { Address } from "./stream.ts";

/** A TLS session of `node:tls`, either side. */
export class NodeStream extends QueuedStream {
  readonly #socket: TLSSocket;

  constructor(point: FlushPoint, socket: TLSSocket, remote: Address) {
    super(point, remote);
    this.#socket = socket;
    this.peerCertificate = socket.getPeerCertificate()?.raw;
    socket.setNoDelay(true);
    socket.on("data", (bytes: Uint8Array) => this.push(bytes, false));
    socket.on("end", () => this.pushEnd());
    socket.on("error", (error: Error) => this.#break(error.message));
    socket.on("close", () => this.#break("the connection was closed"));
  }

  protected override launch(): void {
    const chunk = this.take();
    this.#socket.write(chunk, (error) => {
      if (error) return this.#break(error.message);
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

  protected override pauseReading(): void {
    this.#socket.pause();
  }

  protected override resumeReading(): void {
    this.#socket.resume();
  }

  #break(message: string): void {
    if (this.isOver) return;
    this.#socket.destroy();
    this.over({ kind: "broken", message });
  }
}
