/**
 * A listener of `node:tls`. Deno accepts sessions with it, because on Deno only this listener
 * supports `setNoDelay` and client certificates. On Bun, only this listener supports several
 * certificates. A watchdog reopens it when it no longer accepts connections.
 *
 * @module
 */
import type { AddressInfo, ListenOptions as NetListenOptions, Socket } from "node:net";
import tls, { type TLSSocket } from "node:tls";
import type { Clock } from "../base/clock.ts";
import { AcceptWatchdog } from "./accept_watchdog.ts";
import type { FlushPoint } from "./flush_point.ts";
import type { Listener, ListenerReport, ListenOptions, ServerTls } from "./host.ts";
import { listenError } from "./listen_error.ts";
import { NodeStream } from "./node_stream.ts";
import type { Address, Stream } from "./stream.ts";
import { Unproven } from "./unproven.ts";

/** Default time limit of a client's TLS handshake, in milliseconds. */
const HANDSHAKE_MS = 5_000;

/** Listens, and passes on sockets whose TLS handshake has succeeded. */
export class TlsListener implements Listener {
  readonly #point: FlushPoint;
  readonly #clock: Clock;
  readonly #options: ListenOptions;
  readonly #accept: (stream: Stream) => void;
  readonly #mayConnect: (address: Address) => boolean;
  /**
   * Sockets in the TLS handshake. They are closed with the listener; established sessions are not.
   */
  readonly #handshakes = new Unproven<Socket>();
  #tls: ServerTls;
  #server: tls.Server | undefined;
  #address: Address | undefined;
  #watchdog: AcceptWatchdog | undefined;

  /** `mayConnect` returns whether the process has permission to connect to its own address. */
  constructor(
    point: FlushPoint,
    clock: Clock,
    options: ListenOptions,
    secured: ServerTls,
    accept: (stream: Stream) => void,
    mayConnect: (address: Address) => boolean,
  ) {
    this.#point = point;
    this.#clock = clock;
    this.#options = options;
    this.#tls = secured;
    this.#accept = accept;
    this.#mayConnect = mayConnect;
  }

  get address(): Address {
    return this.#address!;
  }

  /** Starts to listen. Rejects with a `ListenError`. */
  async open(): Promise<void> {
    const { hostname, port } = this.#options;
    this.#server = await this.#listen({ hostname, port });
    const bound = this.#server.address() as AddressInfo;
    this.#address = { hostname: bound.address, port: bound.port };
    // Without the permission to connect, the watchdog would cause a permission prompt.
    // A connection to a shared port may reach another process.
    if (this.#options.reusePort || !this.#mayConnect(this.#address)) return;
    this.#watchdog = new AcceptWatchdog(this.#clock, {
      address: () => this.#server && this.#address,
      reopen: () => this.#reopen(),
      report: (report: ListenerReport) => this.#options.report?.(report),
    });
  }

  secure(next: ServerTls): void {
    this.#tls = next;
    this.#server?.setSecureContext(contextOf(next));
  }

  close(): Promise<void> {
    this.#watchdog?.close();
    // Not awaited, because its callback waits for every open session, which may outlive the
    // listener.
    this.#server?.close();
    this.#server = undefined;
    for (const raw of this.#handshakes) raw.destroy();
    return this.#watchdog?.done ?? Promise.resolve();
  }

  async #reopen(): Promise<void> {
    this.#server?.close();
    this.#server = undefined;
    const server = await this.#listen(this.#address!);
    if (this.#watchdog?.isClosed) server.close();
    else this.#server = server;
  }

  async #listen(at: Address): Promise<tls.Server> {
    const server = tls.createServer({
      ...contextOf(this.#tls),
      // Called at each handshake, so that `secure` replaces these certificates too.
      SNICallback: (name, done) => done(null, hostContext(this.#tls, name)),
      handshakeTimeout: this.#options.handshakeMs ?? HANDSHAKE_MS,
      allowHalfOpen: true,
    });
    const handshakes = this.#handshakes;
    server.on("connection", (raw: Socket) => {
      this.#watchdog?.accepted(raw.remotePort ?? 0);
      handshakes.add(raw, raw.remoteAddress ?? "")?.destroy();
      raw.on("close", () => handshakes.delete(raw));
    });
    server.on("secureConnection", (socket) => {
      handshakes.delete(rawOf(socket));
      const remote = { hostname: socket.remoteAddress ?? "", port: socket.remotePort ?? 0 };
      this.#accept(new NodeStream(this.#point, socket, remote));
    });
    // Without `destroy`, the socket of a client that failed or stays silent would stay open.
    server.on("tlsClientError", (error, socket) => {
      const raw = rawOf(socket);
      const remote = { hostname: raw.remoteAddress ?? "", port: raw.remotePort ?? 0 };
      if (!this.#watchdog?.isProbe(remote.port)) this.#options.refused?.(remote, error.message);
      socket.destroy();
    });
    await new Promise<void>((listening, fail) => {
      server.once("error", (error) => fail(listenError(error, at)));
      const { reusePort = false } = this.#options;
      const options: NetListenOptions = { port: at.port, host: at.hostname, reusePort };
      server.listen(options, listening);
    });
    // An error of an open listener must not end the process. The watchdog detects its consequences.
    server.on("error", () => {});
    return server;
  }
}

/**
 * Returns the certificate for the name that a client has requested. Returns `undefined` if the
 * listener's own certificate applies.
 */
function hostContext(secured: ServerTls, name: string): tls.SecureContext | undefined {
  const { hosts = {}, clientCa, takesTls12 } = secured;
  const wanted = name.toLowerCase();
  const found = Object.entries(hosts).find(([host]) => {
    const known = host.toLowerCase();
    return known === wanted ||
      known.startsWith("*.") && wanted.slice(wanted.indexOf(".")) === known.slice(1);
  });
  if (found === undefined) return undefined;
  const { cert, key } = found[1];
  const minVersion = takesTls12 ? "TLSv1.2" : "TLSv1.3";
  return tls.createSecureContext({ cert, key, minVersion, ...(clientCa && { ca: clientCa }) });
}

function contextOf(secured: ServerTls): tls.TlsOptions {
  const { cert, key, clientCa, takesTls12 } = secured;
  const minVersion = takesTls12 ? "TLSv1.2" : "TLSv1.3";
  if (clientCa === undefined) return { cert, key, minVersion };
  return {
    cert,
    key,
    ca: clientCa,
    requestCert: true,
    rejectUnauthorized: true,
    minVersion,
  };
}

/**
 * Returns the TCP socket under a TLS socket. It still has the remote address after TLS has failed.
 */
function rawOf(socket: TLSSocket): Socket {
  return (socket as unknown as { _parent?: Socket })._parent ?? socket;
}
