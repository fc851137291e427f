/**
 * The outside world on Deno.
 *
 * TLS takes three of Deno's ways, each for what only it can do:
 *
 * | side | call | why |
 * |---|---|---|
 * | accept | `node:tls` | the only one with `setNoDelay` and client certificates |
 * | dial, one authority | `Deno.connect`, `setNoDelay`, `Deno.startTls` | half the round trip of `node:tls` |
 * | dial, own certificate | `node:tls` | `Deno.startTls` shows none; `Deno.connectTls` has no `setNoDelay` |
 *
 * `bench/host/dial_bench.ts` measures them.
 *
 * @module
 */
import { isIP } from "node:net";
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
  ServerTls,
  SpawnOptions,
} from "./host.ts";
import { listenError } from "./listen_error.ts";
import { NodeStream } from "./node_stream.ts";
import type { Address, Stream } from "./stream.ts";
import { TlsListener } from "./tls_listener.ts";
import { spawnChild, SystemClock, systemLog, systemRandom, systemSecretFile } from "./system.ts";
import type { Clock } from "../base/clock.ts";
import type { LogSink } from "../base/log.ts";
import type { Random } from "../base/random.ts";

/** How many silent addresses are remembered; past it an attempt may cost a descriptor each. */
const SILENT_MAX = 1024;

/** Turns of the event loop in which Deno looks at sockets once, when it is busy. */
const TURNS_PER_LOOK = 61;

/** Deno. */
export class DenoHost implements Host {
  readonly runtime = "deno";
  readonly clock: Clock = new SystemClock((timer) => Deno.unrefTimer(timer as unknown as number));
  readonly random: Random = systemRandom;
  readonly log: LogSink = systemLog;
  readonly #point = new FlushPoint(queueMicrotask);
  readonly #window = new WriteWindow();
  /**
   * Where TLS was not answered in time. Deno does not let go of a socket whose `startTls` is under
   * way, so another attempt there goes through `node:tls`, which does.
   */
  readonly #silent = new Set<string>();

  atFlush(task: () => void): void {
    this.#point.task(task);
  }

  /**
   * Deno looks at sockets in about every 61st turn of its loop while immediates keep it busy, so
   * that many of them are what one look costs: some 0.2 ms.
   */
  yieldToIo(task: () => void): void {
    let left = TURNS_PER_LOOK;
    const turn = (): void => {
      if (--left > 0) setImmediate(turn);
      else task();
    };
    setImmediate(turn);
  }

  listen(options: ListenOptions, accept: (stream: Stream) => void): Promise<Listener> {
    return options.tls === undefined
      ? this.#listenPlain(options, accept)
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
      return options.tls !== undefined && (options.tls.cert || this.#silent.has(place(options)))
        ? await this.#dialByNode(options, options.tls, cancel.signal)
        : await this.#dial(options, cancel.signal);
    } catch (error) {
      if (timedOut) throw connectTimeout(options);
      if (options.signal?.aborted) throw connectAborted(options);
      throw connectError(error, options);
    } finally {
      clearTimeout(timer);
      options.signal?.removeEventListener("abort", abort);
    }
  }

  spawn(options: SpawnOptions): Child {
    const args = options.args ?? [];
    return options.runtime === "deno"
      ? spawnChild(Deno.execPath(), ["run", "-A", options.file, ...args])
      : spawnChild(Deno.env.get("BUN_BIN") ?? "bun", [options.file, ...args]);
  }

  secretFile(path: string, make: () => string): string {
    return systemSecretFile(path, make);
  }

  // deno-lint-ignore require-await -- a failure is a rejection here too
  async #listenPlain(options: ListenOptions, accept: (stream: Stream) => void): Promise<Listener> {
    let listener: Deno.TcpListener;
    try {
      listener = Deno.listen({ hostname: options.hostname, port: options.port });
    } catch (error) {
      throw listenError(error, options);
    }
    const accepting = this.#accept(listener, accept, options);
    return {
      address: addressOf(listener.addr as Deno.NetAddr),
      secure() {},
      close() {
        listener.close();
        // The port is free when the last `accept` has been given up.
        return accepting;
      },
    };
  }

  async #accept(
    listener: Deno.TcpListener,
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
        conn.setNoDelay(true);
        const remote = addressOf(conn.remoteAddr as Deno.NetAddr);
        accept(new DenoStream(this.#point, this.#window, conn, remote));
      } catch (error) {
        if (error instanceof Deno.errors.BadResource) return;
        if (error instanceof Deno.errors.Interrupted) return;
        // The dialler is gone again. Who waits behind a thousand of them is not to wait for each.
        if (error instanceof Deno.errors.NotConnected) continue;
        // Out of descriptors, most likely: the next attempt may succeed.
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
    const listener = new TlsListener(this.#point, this.clock, options, secured, accept, mayConnect);
    await listener.open();
    return listener;
  }

  async #dial(options: ConnectOptions, signal: AbortSignal): Promise<Stream> {
    const { hostname, port } = options;
    const tcp = await Deno.connect({ hostname, port, signal });
    tcp.setNoDelay(true);
    const remote = addressOf(tcp.remoteAddr as Deno.NetAddr);
    let conn: Deno.Conn = tcp;
    if (options.tls !== undefined) {
      const { ca, serverName } = options.tls;
      const close = (): void => {
        if (this.#silent.size < SILENT_MAX) this.#silent.add(place(options));
        closeQuietly(conn);
      };
      signal.addEventListener("abort", close);
      try {
        const secured = await Deno.startTls(tcp, { hostname: serverName, caCerts: [ca] });
        conn = secured;
        await secured.handshake();
      } catch (error) {
        closeQuietly(conn);
        throw error;
      } finally {
        signal.removeEventListener("abort", close);
      }
    }
    return new DenoStream(this.#point, this.#window, conn, remote);
  }

  #dialByNode(options: ConnectOptions, wanted: ClientTls, signal: AbortSignal): Promise<Stream> {
    const { hostname, port } = options;
    const { ca, cert, key, serverName } = wanted;
    return new Promise((connected, fail) => {
      const socket = tls.connect({
        host: hostname,
        port,
        ca,
        ...(cert && { cert, key }),
        // An address may not stand in SNI; without a name the host that was dialled is verified.
        ...(isIP(serverName) === 0 && { servername: serverName }),
        minVersion: "TLSv1.3",
        allowHalfOpen: true,
      } as tls.ConnectionOptions);
      signal.addEventListener("abort", () => socket.destroy(new Error("aborted")), { once: true });
      socket.once("error", fail);
      socket.once("close", () => fail(new Error("the connection was closed")));
      socket.once("secureConnect", () => {
        socket.off("error", fail);
        this.#silent.delete(place(options));
        const remote = { hostname: socket.remoteAddress ?? hostname, port };
        connected(new NodeStream(this.#point, socket, remote));
      });
    });
  }
}

/** Whether this process may connect to an address without asking its user. */
function mayConnect({ hostname, port }: Address): boolean {
  const host = `${hostname.includes(":") ? `[${hostname}]` : hostname}:${port}`;
  return Deno.permissions.querySync({ name: "net", host }).state === "granted";
}

function addressOf(address: Deno.NetAddr): Address {
  return { hostname: address.hostname, port: address.port };
}

function closeQuietly(conn: Deno.Conn): void {
  try {
    conn.close();
  } catch {
    // `startTls` took the connection over and closed it.
  }
}
