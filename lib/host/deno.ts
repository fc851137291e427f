/**
 * The host on Deno.
 *
 * Plain TCP uses `Deno.listen` and `Deno.connect`. TLS uses `node:tls` on both sides, because
 * Deno's own TLS lacks what nodes need:
 *
 * | | trusts only the given authority | reads the peer's certificate | `setNoDelay` | round trip |
 * |---|---|---|---|---|
 * | `node:tls` | yes | yes | yes | 11 µs more |
 * | `Deno.startTls` | no: also `DENO_CERT` and the system store | no | yes | |
 * | `Deno.connectTls` | no: as above | no | no: spaced messages stall for 40 ms | |
 * | `Deno.listenTls` | cannot ask for a client certificate | no | no | |
 *
 * With `Deno.startTls`, an attacker with a certificate from any trusted authority could relay a
 * session between two nodes, read it and change it without the cookie
 * (`tests/process/relay_test.ts` tries). `bench/host/dial_bench.ts` measures all of them.
 *
 * @module
 */
import { claimRejectionsOnDeno } from "./unhandled_rejections.ts";
import { connect as connectTcp, isIP } from "node:net";
import { readFile } from "node:fs/promises";
import { setImmediate } from "node:timers";
import tls from "node:tls";
import { connectAborted, connectError, connectTimeout, place } from "./connect_error.ts";
import { DenoStream, WriteWindow } from "./deno_stream.ts";
import { FlushPoint } from "./flush_point.ts";
import type {
  Child,
  ClientTls,
  ConnectOptions,
  Host,
  Listener,
  ListenOptions,
  MemoryUse,
  ServerTls,
  SpawnOptions,
} from "./host.ts";
import { listenError } from "./listen_error.ts";
import { NodeStream } from "./node_stream.ts";
import { listenShared } from "./shared_listener.ts";
import type { Address, Stream } from "./stream.ts";
import { TlsListener } from "./tls_listener.ts";
import { removeStaleSocket, UNIX_PEER } from "./unix_socket.ts";
import {
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
  v8HeapLimit,
} from "./system.ts";
import type { Clock } from "../base/clock.ts";
import type { LogSink } from "../base/log.ts";
import type { Random } from "../base/random.ts";
import type { Claims, RejectionClaim } from "../base/rejections.ts";

/** Number of immediates in which a busy Deno polls its sockets at least once. */
const TURNS_PER_POLL = 61;

/**
 * Implements {@linkcode Host} with Deno's connections for plain streams, and `node:tls` for TLS.
 */
export class DenoHost implements Host {
  readonly runtime = "deno";
  readonly clock: Clock = new SystemClock((timer) => Deno.unrefTimer(timer as unknown as number));
  readonly random: Random = systemRandom;
  readonly log: LogSink = systemLog;
  #heapLimit: number | undefined;
  readonly #point = new FlushPoint(queueMicrotask);
  readonly #window = new WriteWindow();

  claimRejections(claims: Claims): RejectionClaim {
    return claimRejectionsOnDeno(claims);
  }

  atFlush(task: () => void): void {
    this.#point.task(task);
  }

  /**
   * Runs `task` after {@linkcode TURNS_PER_POLL} immediates, about 0.2 ms: while immediates keep
   * the event loop busy, Deno polls its sockets only once in about 61 of them.
   */
  yieldToIo(task: () => void): void {
    let left = TURNS_PER_POLL;
    const turn = (): void => {
      if (--left > 0) setImmediate(turn);
      else task();
    };
    setImmediate(turn);
  }

  listen(options: ListenOptions, accept: (stream: Stream) => void): Promise<Listener> {
    return options.tls === undefined
      ? options.reusePort
        ? listenShared(this.#point, options, accept)
        : this.#listenPlain(options, accept)
      : this.#listenTls(options, options.tls, accept);
  }

  async connect(options: ConnectOptions): Promise<Stream> {
    const cancel = new AbortController();
    let timedOut = false;
    const timer = setTimeout(() => {
      timedOut = true;
      cancel.abort();
    }, options.timeoutMs);
    const abort = (): void => cancel.abort();
    options.signal?.addEventListener("abort", abort);
    try {
      if (options.signal?.aborted) throw connectAborted(options);
      return options.tls === undefined
        ? await this.#dialPlain(options, cancel.signal)
        : await this.#dialTls(options, options.tls, cancel.signal);
    } catch (error) {
      if (timedOut) throw connectTimeout(options);
      if (options.signal?.aborted) throw connectAborted(options);
      throw connectError(error, options);
    } finally {
      clearTimeout(timer);
      options.signal?.removeEventListener("abort", abort);
    }
  }

  onUserSignal(task: () => void): () => void {
    return systemOnUserSignal(task);
  }

  writeText(path: string, text: string): void {
    systemWriteText(path, text);
  }

  memory(): MemoryUse | undefined {
    return systemMemory(() => this.#heapLimit ??= v8HeapLimit());
  }

  spawn(options: SpawnOptions): Child {
    const { args = [], errors } = options;
    const flags = options.flags ?? (options.runtime === "deno" ? ["-A"] : []);
    return options.runtime === "deno"
      ? spawnChild(Deno.execPath(), ["run", ...flags, options.file, ...args], errors)
      : spawnChild(Deno.env.get("BUN_BIN") ?? "bun", [...flags, options.file, ...args], errors);
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

  async #listenPlain(options: ListenOptions, accept: (stream: Stream) => void): Promise<Listener> {
    const { hostname, port, unix } = options;
    let listener: Deno.TcpListener | Deno.UnixListener;
    try {
      if (unix === undefined) listener = Deno.listen({ hostname, port });
      else {
        await removeStaleSocket(unix);
        listener = Deno.listen({ transport: "unix", path: unix });
      }
    } catch (error) {
      throw listenError(error, options);
    }
    const accepting = this.#accept(listener, accept, options);
    return {
      address: unix === undefined
        ? addressOf(listener.addr as Deno.NetAddr)
        : { hostname: unix, port: 0 },
      secure() {},
      close() {
        listener.close();
        // Awaited, because the port is free only after the last `accept` has been cancelled.
        return accepting;
      },
    };
  }

  async #accept(
    listener: Deno.TcpListener | Deno.UnixListener,
    accept: (stream: Stream) => void,
    { report }: ListenOptions,
  ): Promise<void> {
    let failedAt: number | undefined;
    for (;;) {
      try {
        const conn = await listener.accept();
        if (failedAt !== undefined) {
          const ms = Math.round(this.clock.now() - failedAt);
          failedAt = undefined;
          report?.({ state: "recovered", message: `after ${ms} ms` });
        }
        // A Unix socket has neither Nagle's algorithm nor an address.
        if ("setNoDelay" in conn) conn.setNoDelay(true);
        const { remoteAddr } = conn;
        const remote = remoteAddr.transport === "unix"
          ? UNIX_PEER
          : addressOf(remoteAddr as Deno.NetAddr);
        accept(new DenoStream(this.#point, this.#window, conn, remote));
      } catch (error) {
        if (error instanceof Deno.errors.BadResource) return;
        if (error instanceof Deno.errors.Interrupted) return;
        // The client has disconnected already. Continues without a delay, because there may be a
        // thousand such clients.
        if (error instanceof Deno.errors.NotConnected) continue;
        // The process is probably out of descriptors. The next attempt may succeed.
        if (failedAt === undefined) {
          failedAt = this.clock.now();
          const message = error instanceof Error ? error.message : String(error);
          report?.({ state: "failed", message });
        }
        await new Promise((wake) => setTimeout(wake, 10));
      }
    }
  }

  async #listenTls(
    options: ListenOptions,
    secured: ServerTls,
    accept: (stream: Stream) => void,
  ): Promise<Listener> {
    // Without the permission, `node:tls` throws an error that cannot be caught.
    if (Deno.permissions.requestSync({ name: "net", host: place(options) }).state !== "granted") {
      throw listenError(new Deno.errors.NotCapable(), options);
    }
    const listener = new TlsListener(this.#point, this.clock, options, secured, accept, mayConnect);
    await listener.open();
    return listener;
  }

  async #dialPlain(options: ConnectOptions, signal: AbortSignal): Promise<Stream> {
    const { hostname, port } = options;
    const conn = await Deno.connect({ hostname, port, signal });
    conn.setNoDelay(true);
    const remote = addressOf(conn.remoteAddr as Deno.NetAddr);
    return new DenoStream(this.#point, this.#window, conn, remote);
  }

  #dialTls(options: ConnectOptions, wanted: ClientTls, signal: AbortSignal): Promise<Stream> {
    const { hostname, port } = options;
    const { ca, cert, key, serverName } = wanted;
    return new Promise((connected, fail) => {
      // Uses a separate TCP socket. Otherwise, the peer's end of stream would be lost if it arrived
      // while reading is paused, behind more data than the buffers can hold.
      const raw = connectTcp({ host: hostname, port, allowHalfOpen: true, noDelay: true });
      signal.addEventListener("abort", () => raw.destroy(new Error("aborted")), { once: true });
      raw.once("error", fail);
      raw.once("connect", () => {
        const remote = { hostname: raw.remoteAddress ?? hostname, port };
        const connecting: tls.ConnectionOptions & { allowHalfOpen: boolean } = {
          socket: raw,
          ca,
          ...(cert && { cert, key }),
          // SNI must not contain an address; without a name, the host that was dialed is verified.
          ...(isIP(serverName) === 0 ? { servername: serverName } : { host: hostname }),
          ...(wanted.anyName && { checkServerIdentity: () => undefined }),
          minVersion: wanted.takesTls12 ? "TLSv1.2" : "TLSv1.3",
          allowHalfOpen: true,
        };
        const socket = tls.connect(connecting);
        socket.once("error", fail);
        socket.once("close", () => fail(new Error("the connection was closed")));
        socket.once("secureConnect", () => {
          socket.off("error", fail);
          connected(new NodeStream(this.#point, socket, remote));
        });
      });
    });
  }
}

/**
 * Returns whether this process may connect to an address, without asking the user for permission.
 */
function mayConnect(address: Address): boolean {
  return Deno.permissions.querySync({ name: "net", host: place(address) }).state === "granted";
}

function addressOf(address: Deno.NetAddr): Address {
  return { hostname: address.hostname, port: address.port };
}
