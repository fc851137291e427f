/**
 * An in-memory network: hosts whose streams are queues in this process. They use the time and
 * randomness of the real host. Connections have no TLS, so every listener is trusted.
 */
import { ConnectError, type Host, ListenError } from "../../lib/host/host.ts";
import { type Address, IGNORE, type Stream, type StreamEnd } from "../../lib/host/stream.ts";
import type { StreamHandler } from "../../lib/host/stream.ts";
import { derOf } from "../../lib/mesh/certificate.ts";
import { makeHost } from "./host.ts";
import { hostWith } from "./mesh.ts";

/** An event in transit to one end of a connection: delivers it to the end's handler. */
type Step = (handler: StreamHandler) => void;

/** One end of a connection. */
class MemoryStream implements Stream {
  readonly remote: Address;
  peerCertificate: Uint8Array | undefined = undefined;
  handler: StreamHandler = IGNORE;
  unsent = 0;
  other!: MemoryStream;
  readonly #host: Host;
  #written: Uint8Array[] = [];
  #arrived: Step[] = [];
  isPaused = false;
  #scheduled = false;
  #hasEnded = false;
  #isClosed = false;

  constructor(host: Host, remote: Address) {
    this.#host = host;
    this.remote = remote;
  }

  write(bytes: Uint8Array): void {
    if (this.#hasEnded || this.#isClosed || bytes.length === 0) return;
    if (this.unsent === 0) this.#host.atFlush(() => this.#flush());
    this.unsent += bytes.length;
    this.#written.push(bytes);
  }

  pause(): void {
    this.isPaused = true;
  }

  resume(): void {
    this.isPaused = false;
    this.#schedule();
  }

  end(): void {
    if (this.#hasEnded || this.#isClosed) return;
    this.#flush();
    this.#hasEnded = true;
    this.other.arrive((handler) => handler.end());
    if (this.other.#hasEnded) this.#closeBoth();
  }

  abort(): void {
    if (this.#isClosed) return;
    this.other.arrive(() => this.other.close({ kind: "broken", message: "ECONNRESET" }));
    this.close({ kind: "aborted" });
  }

  /** Delivers an event in a later turn. Events are delivered in order. */
  arrive(step: Step): void {
    this.#arrived.push(step);
    this.#schedule();
  }

  close(end: StreamEnd): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#arrived = [];
    this.#written = [];
    this.handler.close(end);
  }

  #closeBoth(): void {
    for (const end of [this, this.other]) end.arrive(() => end.close({ kind: "closed" }));
  }

  #flush(): void {
    if (this.#isClosed || this.#written.length === 0) return;
    for (const written of this.#written.splice(0)) {
      // Overwrites a chunk after it was handled, because a handler may use it only during the call.
      const bytes = written.slice();
      this.other.arrive((handler) => {
        handler.data(bytes);
        bytes.fill(0xee);
      });
    }
    this.unsent = 0;
    this.arrive((handler) => handler.drain());
  }

  #schedule(): void {
    if (this.#scheduled || this.isPaused || this.#arrived.length === 0) return;
    this.#scheduled = true;
    this.#host.yieldToIo(() => {
      this.#scheduled = false;
      while (!this.isPaused && !this.#isClosed) {
        const step = this.#arrived.shift();
        if (step === undefined) return;
        step(this.handler);
      }
    });
  }
}

/** An in-memory network, which finds listeners by port. */
export class MemoryNetwork {
  readonly #listeners = new Map<
    number,
    { readonly accept: (stream: Stream) => void; cert: string | undefined }
  >();
  #lastPort = 1000;

  /** Creates a host on this network. */
  host(): Host {
    return hostWith((real) => ({
      listen: (options, accept) => {
        const port = options.port || ++this.#lastPort;
        if (this.#listeners.has(port)) {
          return Promise.reject(new ListenError("EADDRINUSE", `port ${port} is in use`));
        }
        const listener = { accept, cert: options.tls?.cert };
        this.#listeners.set(port, listener);
        return Promise.resolve({
          address: { hostname: options.hostname, port },
          secure: ({ cert }) => void (listener.cert = cert),
          close: () => {
            this.#listeners.delete(port);
            return Promise.resolve();
          },
        });
      },
      connect: ({ hostname, port }) => {
        const listener = this.#listeners.get(port);
        if (listener === undefined) {
          return Promise.reject(new ConnectError("refused", `no process listens on port ${port}`));
        }
        const near = new MemoryStream(real, { hostname, port });
        const far = new MemoryStream(real, { hostname, port: ++this.#lastPort });
        near.peerCertificate = listener.cert === undefined ? undefined : derOf(listener.cert);
        near.other = far;
        far.other = near;
        listener.accept(far);
        return Promise.resolve(near);
      },
    }), makeHost());
  }
}
