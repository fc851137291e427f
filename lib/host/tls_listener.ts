/**
 * A listener of `node:tls`, as Deno accepts sessions: the only one there with `setNoDelay` and client
 * certificates. A watchdog opens it again when it accepts nothing any more.
 *
 * @module
 */
import type { AddressInfo, Socket } from "node:net";
import tls, { type TLSSocket } from "node:tls";
import type { Clock } from "../base/clock.ts";
import { AcceptWatchdog } from "./accept_watchdog.ts";
import type { FlushPoint } from "./flush_point.ts";
import type { Listener, ListenerReport, ListenOptions, ServerTls } from "./host.ts";
import { listenError } from "./listen_error.ts";
import { NodeStream } from "./node_stream.ts";
import type { Address, Stream } from "./stream.ts";
import { Unproven } from "./unproven.ts";

/** How long a dialler's TLS handshake may take by default. Milliseconds. */
const HANDSHAKE_MS = 5_000;

/** Listens, and hands on the sockets whose TLS handshake has succeeded. */
export class TlsListener implements Listener {
  readonly #point: FlushPoint;
  readonly #clock: Clock;
  readonly #options: ListenOptions;
  readonly #accept: (stream: Stream) => void;
  readonly #mayConnect: (address: Address) => boolean;
  /** Sockets in the middle of TLS: open ones outlive the listener, these do not. */
  readonly #shaking = new Unproven<Socket>();
  #tls: ServerTls;
  #server: tls.Server | undefined;
  #address: Address | undefined;
  #watchdog: AcceptWatchdog | undefined;

  /** `mayConnect` tells whether the process has permission to connect to its own address. */
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

  /** Listens. Rejects with a `ListenError`. */
  async open(): Promise<void> {
    const { hostname, port } = this.#options;
    this.#server = await this.#listen({ hostname, port });
    const bound = this.#server.address() as AddressInfo;
    this.#address = { hostname: bound.address, port: bound.port };
    // Without the permission to connect the watchdog could only ask the user for it.
    if (!this.#mayConnect(this.#address)) return;
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
    // Its callback would wait for every open session, and those may outlive the listener.
    this.#server?.close();
    this.#server = undefined;
    for (const raw of this.#shaking) raw.destroy();
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
      handshakeTimeout: this.#options.handshakeMs ?? HANDSHAKE_MS,
      allowHalfOpen: true,
    });
    const shaking = this.#shaking;
    server.on("connection", (raw: Socket) => {
      this.#watchdog?.accepted(raw.remotePort ?? 0);
      shaking.add(raw, raw.remoteAddress ?? "")?.destroy();
      raw.on("close", () => shaking.delete(raw));
    });
    server.on("secureConnection", (socket) => {
      shaking.delete(rawOf(socket));
      const remote = { hostname: socket.remoteAddress ?? "", port: socket.remotePort ?? 0 };
      this.#accept(new NodeStream(this.#point, socket, remote));
    });
    // Without the `destroy` a dialler that failed, or stays silent, would hold its socket open.
    server.on("tlsClientError", (error, socket) => {
      const raw = rawOf(socket);
      const remote = { hostname: raw.remoteAddress ?? "", port: raw.remotePort ?? 0 };
      if (!this.#watchdog?.isProbe(remote.port)) this.#options.refused?.(remote, error.message);
      socket.destroy();
    });
    await new Promise<void>((listening, fail) => {
      server.once("error", (error) => fail(listenError(error, at)));
      server.listen(at.port, at.hostname, listening);
    });
    // An error of an open listener must not end the process; the watchdog sees what follows from it.
    server.on("error", () => {});
    return server;
  }
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

/** The TCP socket under a TLS socket: it still knows its address when TLS has failed. */
function rawOf(socket: TLSSocket): Socket {
  return (socket as unknown as { _parent?: Socket })._parent ?? socket;
}
