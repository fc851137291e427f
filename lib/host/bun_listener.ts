/**
 * Implements a listener with Bun's own sockets.
 *
 * @module
 */
import { AcceptWatchdog } from "./accept_watchdog.ts";
import { BunStream, type RawSocket, type SharedParts } from "./bun_stream.ts";
import type { FlushPoint } from "./flush_point.ts";
import type { Listener, ListenOptions, ServerTls } from "./host.ts";
import { listenError } from "./listen_error.ts";
import type { Address, Stream } from "./stream.ts";
import { UNIX_PEER } from "./unix_socket.ts";
import { Unproven } from "./unproven.ts";
import type { Clock, Timer } from "../base/clock.ts";

/** Default time limit of a client's TLS handshake, in milliseconds. */
const HANDSHAKE_MS = 5_000;

/** The TLS versions, by BoringSSL's numbers: Bun accepts no names for them. */
const TLS_1_2 = 0x0303;
const TLS_1_3 = 0x0304;

/**
 * The part of Bun's API that is used. Declared here, because Bun's types are a package, and `lib`
 * has no dependencies.
 */
export interface BunApi {
  listen(options: unknown): RawListener;
}

interface RawListener {
  readonly hostname: string;
  readonly port: number;
  stop(closeOpen?: boolean): void;
}

/** A listener that passes on accepted sockets; with TLS, those whose handshake has succeeded. */
export class BunListener implements Listener {
  readonly #bun: BunApi;
  readonly #point: FlushPoint;
  readonly #shared: SharedParts;
  readonly #clock: Clock;
  readonly #options: ListenOptions;
  readonly #accept: (stream: Stream) => void;
  /** Sockets whose TLS handshake has not finished. */
  readonly #handshakes = new Map<RawSocket, { readonly remote: Address; readonly timer: Timer }>();
  readonly #unproven = new Unproven<RawSocket>();
  #tls: ServerTls | undefined;
  #raw: RawListener | undefined;
  #address: Address | undefined;
  #watchdog: AcceptWatchdog | undefined;

  constructor(
    bun: BunApi,
    point: FlushPoint,
    shared: SharedParts,
    clock: Clock,
    options: ListenOptions,
    accept: (stream: Stream) => void,
  ) {
    this.#bun = bun;
    this.#point = point;
    this.#shared = shared;
    this.#clock = clock;
    this.#options = options;
    this.#accept = accept;
    this.#tls = options.tls;
  }

  get address(): Address {
    return this.#address!;
  }

  // deno-lint-ignore require-await -- a failure is a rejection here too
  async open(): Promise<void> {
    this.#listen(this.#options.port);
    const { unix } = this.#options;
    this.#address = unix === undefined
      ? { hostname: this.#raw!.hostname, port: this.#raw!.port }
      : { hostname: unix, port: 0 };
    // Bun's listeners resume accepting by themselves, so the watchdog is needed only because
    // `secure` opens a new listener, which may fail. A shared port cannot be watched, because a
    // probe may reach another process.
    if (this.#tls === undefined || this.#options.reusePort) return;
    this.#watchdog = new AcceptWatchdog(this.#clock, {
      address: () => this.#raw && this.#address,
      // deno-lint-ignore require-await -- a failure is a rejection here too
      reopen: async () => this.#reopen(),
      report: (report) => this.#options.report?.(report),
    });
  }

  /** Listens again on the same port. Throws a `ListenError` if that fails. */
  #reopen(): void {
    this.#raw?.stop(false);
    this.#raw = undefined;
    this.#listen(this.address.port);
  }

  /** Listens on `port`. Throws a `ListenError` if that fails. */
  #listen(port: number): void {
    const { hostname, unix } = this.#options;
    const secured = this.#tls;
    try {
      this.#raw = this.#bun.listen({
        ...(unix === undefined ? { hostname, port } : { unix }),
        allowHalfOpen: true,
        ...(this.#options.reusePort && { reusePort: true }),
        tls: secured && {
          cert: secured.cert,
          key: secured.key,
          minVersion: versionOf(secured),
          ...(secured.clientCa !== undefined && {
            ca: secured.clientCa,
            requestCert: true,
            rejectUnauthorized: true,
          }),
        },
        socket: {
          ...BunStream.events,
          open: (raw: RawSocket) => this.#opened(raw),
          handshake: (raw: RawSocket, ok: boolean, error: Error | null) =>
            this.#handshakeEnded(raw, ok, error),
          close: (raw: RawSocket, error?: Error) => this.#closed(raw, error),
          error: (raw: RawSocket, error: Error) => this.#closed(raw, error),
        },
      });
    } catch (error) {
      throw listenError(error, { hostname, port, unix });
    }
  }

  secure(tls: ServerTls): void {
    this.#tls = tls;
    if (this.#watchdog?.isClosed) return;
    // Bun cannot change the certificates of a listener, so a new one replaces it on the port.
    try {
      this.#reopen();
    } catch (error) {
      this.#watchdog?.lost((error as Error).message);
    }
  }

  close(): Promise<void> {
    this.#watchdog?.close();
    this.#raw?.stop(false);
    const handshakes = [...this.#handshakes];
    this.#handshakes.clear();
    for (const [raw, { timer }] of handshakes) {
      timer.cancel();
      raw.terminate();
    }
    return this.#watchdog?.done ?? Promise.resolve();
  }

  #opened(raw: RawSocket): void {
    if (this.#tls === undefined) return this.#up(raw);
    this.#watchdog?.accepted(raw.remotePort);
    const ms = this.#options.handshakeMs ?? HANDSHAKE_MS;
    const timer = this.#clock.after(ms, () => this.#refuse(raw, "TLS handshake timeout"));
    // The address is read now, because a closed socket no longer has one.
    const remote = addressOf(raw);
    this.#handshakes.set(raw, { remote, timer });
    const oldest = this.#unproven.add(raw, remote.hostname);
    if (oldest !== undefined) this.#refuse(oldest, "TLS handshake timeout");
  }

  #handshakeEnded(raw: RawSocket, ok: boolean, error: Error | null): void {
    const handshake = this.#handshakes.get(raw);
    if (handshake === undefined) return;
    // If the handshake has succeeded with an error, the error concerns the client's certificate. It
    // is ignored unless a certificate was requested.
    const judged = this.#tls?.clientCa !== undefined;
    if (!ok || (judged && (error || !raw.authorized))) {
      return this.#refuse(raw, error?.message ?? "no certificate");
    }
    handshake.timer.cancel();
    this.#handshakes.delete(raw);
    this.#unproven.delete(raw);
    this.#up(raw);
  }

  #up(raw: RawSocket): void {
    const stream = new BunStream(this.#point, this.#shared, raw, addressOf(raw));
    if (this.#tls?.clientCa !== undefined) {
      stream.peerCertificate = raw.getPeerCertificate?.()?.raw;
    }
    raw.data = stream;
    this.#accept(stream);
  }

  #refuse(raw: RawSocket, message: string): void {
    const handshake = this.#handshakes.get(raw);
    if (handshake === undefined) return;
    handshake.timer.cancel();
    this.#handshakes.delete(raw);
    this.#unproven.delete(raw);
    const { remote } = handshake;
    if (!this.#watchdog?.isProbe(remote.port)) this.#options.refused?.(remote, message);
    raw.terminate();
  }

  #closed(raw: RawSocket, error: Error | undefined): void {
    if (raw.data) raw.data.closed(error);
    else this.#refuse(raw, error?.message ?? "it hung up during the TLS handshake");
  }
}

/** Returns the number of the lowest allowed version of TLS. */
export function versionOf(tls: { readonly takesTls12?: boolean | undefined }): number {
  return tls.takesTls12 ? TLS_1_2 : TLS_1_3;
}

/** Returns the address of the peer. */
export function addressOf(raw: RawSocket): Address {
  return raw.remoteAddress === undefined
    ? UNIX_PEER
    : { hostname: raw.remoteAddress, port: raw.remotePort };
}
