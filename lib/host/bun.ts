/**
 * The host on Bun, with Bun's own sockets for both plain and TLS: they pass the same contract as
 * `node:tls` on Bun in about half the round-trip time (`bench/host/dial_bench.ts`).
 *
 * @module
 */
import { claimRejectionsOnBun } from "./unhandled_rejections.ts";
import { Socket } from "node:net";
import process from "node:process";
import { readFile } from "node:fs/promises";
import { setImmediate } from "node:timers";
import { addressOf, type BunApi, BunListener, versionOf } from "./bun_listener.ts";
import { BunStream, type RawSocket, SharedParts } from "./bun_stream.ts";
import { connectAborted, connectError, connectTimeout } from "./connect_error.ts";
import { EndQueue } from "./end_queue.ts";
import { FlushPoint } from "./flush_point.ts";
import {
  type Child,
  ConnectError,
  type ConnectOptions,
  type Host,
  type Listener,
  type ListenOptions,
  type MemoryUse,
  type SpawnOptions,
} from "./host.ts";
import type { Stream } from "./stream.ts";
import { TlsListener } from "./tls_listener.ts";
import { removeStaleSocket } from "./unix_socket.ts";
import {
  machineMemory,
  spawnChild,
  SystemClock,
  systemLog,
  systemLookup,
  systemLookupService,
  systemMemory,
  systemOnTermination,
  systemOnUserSignal,
  systemRandom,
  systemSecretFile,
  systemWriteText,
} from "./system.ts";
import { assert } from "../base/assert.ts";
import type { Clock } from "../base/clock.ts";
import type { LogSink } from "../base/log.ts";
import type { Random } from "../base/random.ts";
import type { Claims, RejectionClaim } from "../base/rejections.ts";

/** Bun's error code for a certificate that is trusted but does not contain the expected name. */
const OTHER_NAME = "ERR_TLS_CERT_ALTNAME_INVALID";

/** Maximum time to wait for an untrusted server to close its side, in milliseconds. */
const CLOSE_MS = 1_000;

/**
 * Implements {@linkcode Host} with Bun's sockets. Listeners with several certificates use
 * `node:tls`.
 */
export class BunHost implements Host {
  readonly runtime = "bun";
  readonly clock: Clock = new SystemClock((timer) => (timer as unknown as Unref).unref());
  readonly random: Random = systemRandom;
  readonly log: LogSink = systemLog;
  #heapLimit: number | undefined;
  readonly #bun: BunApi = (globalThis as unknown as { Bun: BunApi }).Bun;
  readonly #point = new FlushPoint(setImmediate, () => this.clock.now());
  readonly #shared = new SharedParts(new EndQueue(setImmediate, this.clock));

  claimRejections(claims: Claims): RejectionClaim {
    return claimRejectionsOnBun(claims);
  }

  atFlush(task: () => void): void {
    this.#point.task(task);
  }

  yieldToIo(task: () => void): void {
    setImmediate(task);
  }

  async listen(options: ListenOptions, accept: (stream: Stream) => void): Promise<Listener> {
    const { tls, unix } = options;
    if (unix !== undefined) await removeStaleSocket(unix);
    // `Bun.listen` supports only one certificate.
    if (tls?.hosts !== undefined) {
      const listener = new TlsListener(this.#point, this.clock, options, tls, accept, () => true);
      await listener.open();
      return listener;
    }
    const listener = new BunListener(
      this.#bun,
      this.#point,
      this.#shared,
      this.clock,
      options,
      accept,
    );
    await listener.open();
    return listener;
  }

  connect(options: ConnectOptions): Promise<Stream> {
    const { hostname, port, signal } = options;
    const wanted = options.tls;
    return new Promise<Stream>((connected, fail) => {
      // Connects with `node:net`, because `Bun.connect` keeps the descriptor of an aborted attempt
      // open for minutes.
      const dialing = new Socket({ allowHalfOpen: true });
      let socket: RawSocket | undefined;
      let settled = false;
      const settle = (failure?: ConnectError): void => {
        if (settled) return;
        settled = true;
        timer.cancel();
        signal?.removeEventListener("abort", abort);
        if (failure === undefined) return;
        socket?.terminate();
        dialing.destroy();
        fail(failure);
      };
      const timer = this.clock.after(
        options.timeoutMs,
        () => settle(connectTimeout(options)),
      );
      const abort = (): void => settle(connectAborted(options));
      signal?.addEventListener("abort", abort);
      if (signal?.aborted) return abort();

      const up = (raw: RawSocket): void => {
        if (settled) return raw.terminate();
        const stream = new BunStream(this.#point, this.#shared, raw, addressOf(raw));
        if (wanted !== undefined) stream.peerCertificate = raw.getPeerCertificate?.()?.raw;
        raw.data = stream;
        settle();
        connected(stream);
      };
      const socketHandler = {
        ...BunStream.events,
        open(): void {},
        // Verifies the server's certificate. `ok` alone is not sufficient, because Bun reports an
        // unverified certificate together with success.
        handshake: (raw: RawSocket, ok: boolean, error: Error | null): void => {
          if (ok && !error && raw.authorized) return up(raw);
          // Bun compares names after it has verified the chain, and only then reports this code.
          if (wanted?.anyName && (error as { code?: string } | null)?.code === OTHER_NAME) {
            return up(raw);
          }
          // Closes in order, without a reset: during TLS, Deno's server would not detect a reset
          // for seconds.
          raw.shutdown();
          socket = undefined;
          this.clock.after(CLOSE_MS, () => raw.terminate());
          settle(connectError(error ?? new Error("certificate not verified"), options));
        },
        close(raw: RawSocket, error?: Error): void {
          if (raw.data) return raw.data.closed(error);
          settle(new ConnectError("broken", `cannot connect to ${hostname}:${port}: it hung up`));
        },
        // Called also with the peer's alerts after this side has rejected the peer. They must not
        // be thrown.
        error(raw: RawSocket, error: Error): void {
          if (raw.data) raw.data.closed(error);
          else settle(connectError(error, options));
        },
      };
      dialing.once("connect", () => {
        if (settled) return;
        const raw = takeHandle(dialing);
        raw.data = undefined;
        if (wanted === undefined) {
          raw.reload({ socket: socketHandler });
          return up(raw);
        }
        [, socket] = raw.upgradeTLS({
          data: undefined,
          tls: {
            ca: wanted.ca,
            serverName: wanted.serverName,
            minVersion: versionOf(wanted),
            // Bun would reject the certificate with a reset. `handshake` above closes the
            // connection in order.
            rejectUnauthorized: false,
            ...(wanted.cert && { cert: wanted.cert, key: wanted.key }),
          },
          socket: socketHandler,
        });
      });
      dialing.on("error", (error) => settle(connectError(error, options)));
      dialing.connect({ host: hostname, port });
    });
  }

  onUserSignal(task: () => void): () => void {
    return systemOnUserSignal(task);
  }

  writeText(path: string, text: string): void {
    systemWriteText(path, text);
  }

  memory(): MemoryUse | undefined {
    return systemMemory(() => this.#heapLimit ??= machineMemory());
  }

  spawn(options: SpawnOptions): Child {
    const { args = [], errors } = options;
    const flags = options.flags ?? (options.runtime === "deno" ? ["-A"] : []);
    return options.runtime === "bun"
      ? spawnChild(process.execPath, [...flags, options.file, ...args], errors)
      : spawnChild(
        process.env["DENO_BIN"] ?? "deno",
        ["run", ...flags, options.file, ...args],
        errors,
      );
  }

  lookup(hostname: string): Promise<string[]> {
    return systemLookup(hostname);
  }

  lookupService(service: string): Promise<{ hostname: string; port: number }[]> {
    return systemLookupService(service);
  }

  readText(path: string): Promise<string> {
    return readFile(path, "utf8");
  }

  onTermination(task: () => Promise<void>): () => void {
    return systemOnTermination(task);
  }

  secretFile(path: string, make: () => string): string {
    return systemSecretFile(path, make);
  }
}

interface Unref {
  unref(): void;
}

/** The part of Bun's connected socket that this file uses. A `node:net` socket contains one. */
interface ConnectedSocket extends RawSocket {
  /** Replaces the callbacks of the socket. */
  reload(options: { readonly socket: unknown }): void;
  /** Starts TLS. Returns the encrypted side and the decrypted side. */
  upgradeTLS(options: unknown): [RawSocket, RawSocket];
}

/** Returns the Bun socket inside a `node:net` socket, which must not be used afterwards. */
function takeHandle(socket: Socket): ConnectedSocket {
  const holder = socket as unknown as { _handle: ConnectedSocket | null };
  const handle = holder._handle;
  assert(handle !== null, "node:net holds no socket after its connect event");
  holder._handle = null;
  return handle;
}
