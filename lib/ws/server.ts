/**
 * The WebSocket server: listens, lets arrivals in, keeps count and time, and stops.
 *
 *     accept ──▶ Arrival ──101──▶ WebSocketConnection ──▶ gone
 *                   └──── answered, refused, late ────────▶ gone
 *
 * One timer sweeps over all of them; nothing is armed per connection or per message.
 *
 * @module
 */
import type { Host, Listener } from "../host/host.ts";
import type { Stream } from "../host/stream.ts";
import { type Admission, Arrival, type ArrivalTerms } from "./arrival.ts";
import { checkCloseCode, CLOSE_CODES } from "./close.ts";
import { type ConnectionTerms, WebSocketConnection } from "./connection.ts";
import { DeflateShop } from "./deflate.ts";
import { checkOptions, type Limits, type ServeOptions } from "./options.ts";
import { Rooms } from "./rooms.ts";
import { Scratch } from "./scratch.ts";

/** How finely time is looked at, at most and at least. */
const TICK_MS_MAX = 1000;
const TICK_MS_MIN = 5;

/** This many refused with 503 may be on their way out at once; more are cut off. */
const TURNED_AWAY_MAX = 100;

/** How to stop. */
export interface StopOptions {
  /** The code of the close frames. Default 1001: going away. */
  readonly code?: number | undefined;
  /** Its reason; cut to 123 bytes. */
  readonly reason?: string | undefined;
  /** Milliseconds until those who have not gone are cut off. Default 5000. */
  readonly timeout?: number | undefined;
}

/** A running server. */
export interface Server extends AsyncDisposable {
  /** The address that it listens on. */
  readonly hostname: string;
  /** The port that it really has. */
  readonly port: number;
  /** Where to connect, with `ws:` or `wss:`. */
  readonly url: string;
  /** How many WebSockets are open, or not quite closed. */
  readonly connections: number;
  /** What its connections join. */
  readonly rooms: Rooms;
  /** Accepts no more, says goodbye to everybody, and resolves when all are gone. */
  stop(options?: StopOptions): Promise<void>;
}

/**
 * Serves WebSockets. Rejects with an `OptionError` or a `ListenError`.
 *
 * @example
 * ```ts ignore
 * await using server = await serve(host, {
 *   port: 8080,
 *   open: (conn) => conn.join("lobby"),
 *   message: (conn, text) => server.rooms.broadcastFrom(conn, "lobby", text),
 * });
 * ```
 */
export async function serve<Data = undefined>(
  host: Host,
  options: ServeOptions<Data> = {},
): Promise<Server> {
  const limits = checkOptions(options);
  const server = new WebSocketServer(host, options, limits);
  await server.listen();
  return server;
}

class WebSocketServer<Data> implements Server {
  readonly rooms: Rooms;
  readonly #host: Host;
  readonly #options: ServeOptions<Data>;
  readonly #limits: Limits;
  readonly #arrivals = new Set<Arrival<Data>>();
  readonly #connections = new Set<WebSocketConnection<Data>>();
  readonly #arrivalTerms: ArrivalTerms<Data>;
  readonly #connectionTerms: ConnectionTerms<Data>;
  #lastId = 0;
  #listener: Listener | undefined;
  #sweep: { cancel(): void } | undefined;
  /** The one stop; called again, it is the same. */
  #stopped: Promise<void> | undefined;
  /** Called when the last one has gone. */
  #empty: (() => void) | undefined;

  constructor(host: Host, options: ServeOptions<Data>, limits: Limits) {
    this.#host = host;
    this.#options = options;
    this.#limits = limits;
    this.rooms = options.rooms ?? new Rooms(host);
    const log = options.log ?? host.log;
    const now = (): number => host.clock.now();
    const deflate = limits.deflate && new DeflateShop(limits.deflate);
    this.#arrivalTerms = {
      options,
      limits,
      log,
      deflate: deflate?.settings.wish,
      now,
      admit: (...args) => this.#admit(...args),
      ended: (arrival) => {
        this.#arrivals.delete(arrival);
        this.#left();
      },
    };
    this.#connectionTerms = {
      handlers: options,
      rooms: this.rooms,
      log,
      input: new Scratch(),
      output: new Scratch(),
      payloadBytesMax: limits.payloadBytesMax,
      backpressureBytesMax: limits.backpressureBytesMax,
      backpressurePolicy: options.backpressurePolicy ?? "close",
      closeTimeoutMs: limits.closeTimeoutMs,
      deflate,
      silence: limits.idleMs === 0
        ? undefined
        : { quietMs: limits.idleMs / 2, deadlineMs: limits.idleMs },
      tickMs: tickMs(limits),
      now,
      later: (task) => host.atFlush(task),
      ended: (connection) => {
        this.#connections.delete(connection);
        this.#left();
      },
    };
  }

  get hostname(): string {
    return this.#listener!.address.hostname;
  }

  get port(): number {
    return this.#listener!.address.port;
  }

  get url(): string {
    const scheme = this.#options.tls === undefined ? "ws" : "wss";
    const host = this.hostname.includes(":") ? `[${this.hostname}]` : this.hostname;
    return `${scheme}://${host}:${this.port}/`;
  }

  get connections(): number {
    return this.#connections.size;
  }

  async listen(): Promise<void> {
    this.#listener = await this.#host.listen({
      hostname: this.#options.hostname ?? "127.0.0.1",
      port: this.#limits.port,
      tls: this.#options.tls,
      handshakeMs: this.#limits.handshakeMs,
    }, (stream) => this.#arrive(stream));
    this.#sweep = this.#host.clock.every(this.#connectionTerms.tickMs, () => this.#tick());
  }

  stop(options: StopOptions = {}): Promise<void> {
    checkCloseCode(options.code ?? CLOSE_CODES.goingAway);
    return this.#stopped ??= this.#stop(options);
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.stop();
  }

  #arrive(stream: Stream): void {
    const { size } = this.#arrivals;
    const room = this.#limits.connectionsMax - this.#connections.size - size;
    if (this.#stopped !== undefined || room <= -TURNED_AWAY_MAX) return stream.abort();
    const arrival = new Arrival(this.#arrivalTerms, stream);
    this.#arrivals.add(arrival);
    if (room <= 0) arrival.refuse({ status: 503, words: "too many connections" });
  }

  #admit(arrival: Arrival<Data>, stream: Stream, admission: Admission<Data>): void {
    const { acceptance: { data, protocol }, deflate, early } = admission;
    const settled = { id: ++this.#lastId, data: data as Data, protocol, deflate };
    const connection = new WebSocketConnection(this.#connectionTerms, stream, settled);
    this.#arrivals.delete(arrival);
    this.#connections.add(connection);
    connection.start(early);
  }

  #tick(): void {
    const now = this.#host.clock.now();
    for (const arrival of this.#arrivals) arrival.tick(now);
    for (const connection of this.#connections) connection.tick(now);
  }

  async #stop(
    { code = CLOSE_CODES.goingAway, reason, timeout = 5000 }: StopOptions,
  ): Promise<void> {
    const closed = this.#listener!.close();
    for (const arrival of this.#arrivals) if (arrival.isIdle) arrival.abort();
    for (const connection of this.#connections) connection.close(code, reason);
    const timer = this.#host.clock.after(timeout, () => {
      for (const arrival of this.#arrivals) arrival.abort();
      for (const connection of this.#connections) connection.abort();
    });
    if (!this.#isEmpty) await new Promise<void>((wake) => this.#empty = wake);
    timer.cancel();
    this.#sweep?.cancel();
    this.#connectionTerms.deflate?.close();
    await closed;
  }

  get #isEmpty(): boolean {
    return this.#arrivals.size === 0 && this.#connections.size === 0;
  }

  #left(): void {
    if (this.#isEmpty) this.#empty?.();
  }
}

/** A quarter of the shortest time that is watched: nothing ends much later than it should. */
function tickMs({ idleMs, handshakeMs, closeTimeoutMs }: Limits): number {
  const shortest = Math.min(idleMs === 0 ? Infinity : idleMs, handshakeMs, closeTimeoutMs);
  return Math.max(TICK_MS_MIN, Math.min(TICK_MS_MAX, shortest / 4));
}
