/**
 * Implements the WebSocket server: listens, accepts and counts connections, applies time limits,
 * and stops.
 *
 *     accept ──▶ HttpConnection ──101──▶ WebSocketConnection ──▶ closed
 *                 ▲  │ └──── answered, rejected, late ────▶ closed
 *                 └──┘ answered: it waits for its next request
 *
 * One timer checks all connections; there is no timer per connection or message.
 *
 * Longer than 400 lines: half of it is the documented interface of a server.
 *
 * @module
 */
import { inPortions } from "../base/portions.ts";
import { ReceiveBudget } from "../base/receive_budget.ts";
import { place } from "../host/connect_error.ts";
import type { Host, Listener, ListenerReport, ServerTls } from "../host/host.ts";
import type { Address, Stream } from "../host/stream.ts";
import { type Admission, HttpConnection, type HttpConnectionTerms } from "./http_connection.ts";
import type { System } from "../actor/system.ts";
import { BodyBudget } from "./body.ts";
import { ClientCounts } from "./client_counts.ts";
import { checkCloseCode, CLOSE_CODES } from "./close.ts";
import { type ConnectionTerms, WebSocketConnection } from "./websocket_connection.ts";
import { DeflatePool } from "./deflate.ts";
import { connectionActors } from "./connection_actor.ts";
import { HttpDate } from "./http_date.ts";
import { RequestOrigins } from "./http_request.ts";
import { OptionError, type ServeOptions } from "./options.ts";
import { checkOptions, checkTls, type Limits, tickMs } from "./limits.ts";
import { logLines } from "./log_line.ts";
import { Rooms } from "./rooms.ts";
import { Scratch } from "./scratch.ts";

/**
 * Maximum number of connections that are being rejected with 503. Further connections are aborted.
 */
const REJECTED_MAX = 100;

/**
 * Number of consecutive turns without a new connection after which the system's queue of
 * connections counts as empty. A stopping server that shares its port waits for this.
 */
const QUEUE_TURNS = 3;
/**
 * Maximum time in milliseconds for which a stopping server that shares its port accepts connections
 * from the system's queue.
 */
const QUEUE_MS_MAX = 1_000;

/**
 * Maximum time for which a stopping server that shares its port waits for the first requests of its
 * newest connections, in milliseconds.
 */
const OPENING_MS_MAX = 1_000;

/**
 * Maximum memory for the incomplete WebSocket messages of all connections of a server, in bytes,
 * unless `maxPayloadLength` is larger.
 */
const INCOMPLETE_BYTES_MAX: number = 256 * 1024 * 1024;

/** Default number of connections that `stop` closes in one batch. */
const STOP_BATCH_SIZE = 1000;
/** Default pause between two batches, in milliseconds. */
const STOP_BATCH_MS = 100;

/** Options of `stop`. */
export interface StopOptions {
  /** Number of connections closed in one batch, the oldest first. Default 1000. */
  readonly batchSize?: number | undefined;
  /** Milliseconds between batches, so that clients do not reconnect all at once. Default 100. */
  readonly batchInterval?: number | undefined;
  /** The code of the close frames. Default 1001: going away. */
  readonly code?: number | undefined;
  /** The reason in the close frames, truncated to 123 bytes. Default: none. */
  readonly reason?: string | undefined;
  /** Milliseconds after the last batch until open connections are aborted. Default 5000. */
  readonly timeout?: number | undefined;
}

/** Other long-lived responses of a server, which `stop` closes together with its connections. */
export interface Closeable {
  /** Closes the response with a code of RFC 6455, section 7.4, and a reason. */
  close(code: number, reason: string | undefined): void;
}

/** The interface from a server to its node. */
export interface ServerPorts {
  /** Called when the listener fails while it is open, and when it recovers. */
  report(address: string, report: ListenerReport): void;
  /** Returns the long-lived responses, which end only when they are closed. */
  responses?: (() => Iterable<Closeable>) | undefined;
}

/** A running server. */
export interface Server extends AsyncDisposable {
  /** The address of the listener, or the path of its Unix socket. */
  readonly hostname: string;
  /** The actual port; 0 for a Unix socket. */
  readonly port: number;
  /** The URL to connect to, with `ws:` or `wss:`; for a Unix socket `ws+unix:` and its path. */
  readonly url: string;
  /** The number of WebSockets that are open or closing. */
  readonly connections: number;
  /** The rooms of the server's connections. */
  readonly rooms: Rooms;
  /**
   * Replaces the certificate for new connections; open connections stay. Throws an `OptionError` on
   * a server without TLS.
   */
  reload(options: { readonly tls: NonNullable<ServeOptions["tls"]> }): void;
  /** Stops accepting, and closes all connections. Resolves when all are closed. */
  stop(options?: StopOptions): Promise<void>;
}

/**
 * Serves WebSockets. Rejects with an `OptionError` or a `ListenError`. With a system, the server's
 * connections are actors.
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
  system: System | undefined = undefined,
  ports: ServerPorts | undefined = undefined,
): Promise<Server> {
  const limits = checkOptions(options);
  const server = new WebSocketServer(host, options, limits, system, ports);
  await server.listen();
  return server;
}

class WebSocketServer<Data> implements Server {
  readonly rooms: Rooms;
  readonly #host: Host;
  readonly #options: ServeOptions<Data>;
  readonly #limits: Limits;
  readonly #ports: ServerPorts | undefined;
  readonly #arrivals = new Set<HttpConnection<Data>>();
  /**
   * Connections that are being rejected because the server is full. They do not count as
   * connections of the server.
   */
  readonly #rejected = new Set<HttpConnection<Data>>();
  /** Connections that wait for their next request, longest idle first. */
  readonly #resting = new Set<HttpConnection<Data>>();
  readonly #connections = new Set<WebSocketConnection<Data>>();
  /** The number of connections of each client. */
  readonly #clients = new ClientCounts();
  readonly #arrivalTerms: HttpConnectionTerms<Data>;
  readonly #connectionTerms: ConnectionTerms<Data>;
  #lastId = 0;
  #listener: Listener | undefined;
  /** Number of connections accepted so far. */
  #accepted = 0;
  /** Whether the server aborts new connections. */
  #refuses = false;
  #sweep: { cancel(): void } | undefined;
  /** Whether the last tick has not reached all connections yet. */
  #isTicking = false;
  /** The promise of the first `stop`. */
  #stopped: Promise<void> | undefined;
  /** Called when the last connection has closed. */
  #empty: (() => void) | undefined;

  constructor(
    host: Host,
    options: ServeOptions<Data>,
    limits: Limits,
    system: System | undefined,
    ports: ServerPorts | undefined,
  ) {
    this.#host = host;
    this.#ports = ports;
    this.#options = options;
    this.#limits = limits;
    this.rooms = options.rooms ?? new Rooms(host);
    const log = logLines(options.log ?? host.log, () => host.clock.wall());
    const now = (): number => host.clock.now();
    const date = new HttpDate();
    const deflate = limits.deflate && new DeflatePool(limits.deflate);
    const isStopping = (): boolean => this.#stopped !== undefined;
    this.#arrivalTerms = {
      get isStopping(): boolean {
        return isStopping();
      },
      options,
      limits,
      log,
      bodies: new BodyBudget(limits.bodiesBytesMax),
      deflate: deflate?.settings.wish,
      origins: new RequestOrigins(),
      now,
      date: () => date.text(host.clock.wall()),
      yieldToIo: (task) => host.yieldToIo(task),
      rests: (arrival) => this.#resting.add(arrival),
      wakes: (arrival) => this.#resting.delete(arrival),
      hasRoomFor: (client, arrival) =>
        !this.#isProxied(arrival.peer, client) ||
        this.#clients.of(client) < limits.connectionsPerAddressMax,
      admit: (...args) => this.#admit(...args),
      ended: (arrival) => {
        this.#arrivals.delete(arrival);
        if (!this.#rejected.delete(arrival)) this.#clients.leave(arrival.peer);
        this.#left();
      },
    };
    this.#connectionTerms = {
      role: "server",
      masker: undefined,
      handlers: options,
      rooms: this.rooms,
      log,
      input: new Scratch(),
      output: new Scratch(),
      payloadBytesMax: limits.payloadBytesMax,
      incomplete: new ReceiveBudget(Math.max(INCOMPLETE_BYTES_MAX, limits.payloadBytesMax)),
      backpressure: limits.backpressure,
      createActor: system && connectionActors(system, options.mailbox),
      system,
      closeTimeoutMs: limits.closeTimeoutMs,
      sendMs: limits.sendMs,
      deflate,
      silence: limits.idleMs === 0
        ? undefined
        : { quietMs: limits.idleMs / 2, deadlineMs: limits.idleMs },
      tickMs: tickMs(limits),
      now,
      later: (task) => host.atFlush(task),
      yieldToIo: (task) => host.yieldToIo(task),
      ended: (connection) => {
        this.#connections.delete(connection);
        this.#clients.leave(connection.remoteAddress);
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
    if (this.#options.unix !== undefined) return `ws+unix:${this.#options.unix}`;
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
      reusePort: this.#options.reusePort,
      unix: this.#options.unix,
      tls: listenerTls(this.#options.tls),
      handshakeMs: this.#limits.handshakeMs,
      report: (report) => this.#reported(report),
    }, (stream) => this.#arrive(stream));
    this.#sweep = this.#host.clock.every(this.#connectionTerms.tickMs, () => this.#tick());
  }

  #reported(report: ListenerReport): void {
    const log = this.#arrivalTerms.log;
    const { state, message } = report;
    if (state === "failed") log("error", `the listener of ${this.url} has failed: ${message}`);
    else log("warn", `the listener of ${this.url} accepts connections again, ${message}`);
    this.#ports?.report(place({ ...this.#listener!.address, unix: this.#options.unix }), report);
  }

  reload({ tls }: { readonly tls: NonNullable<ServeOptions["tls"]> }): void {
    checkTls(tls);
    if (this.#options.tls === undefined) {
      throw new OptionError("option tls cannot be reloaded: the server was started without it");
    }
    for (const name of ["hosts", "ca"] as const) {
      if ((tls[name] === undefined) === (this.#options.tls[name] === undefined)) continue;
      throw new OptionError(`option tls.${name} can be changed, not added or removed: restart`);
    }
    this.#listener!.secure(listenerTls(tls)!);
  }

  stop(options: StopOptions = {}): Promise<void> {
    checkCloseCode(options.code ?? CLOSE_CODES.goingAway);
    checkStop(options);
    if (this.#stopped === undefined) return this.#stopped = this.#stop(options);
    // Lets other I/O run first, so that a program that calls `stop` in a loop does not block the
    // process.
    return this.#stopped.then(() => new Promise((turn) => this.#host.yieldToIo(turn)));
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.stop();
  }

  #arrive(stream: Stream): void {
    this.#accepted++;
    const { size } = this.#arrivals;
    const { connectionsMax, connectionsPerAddressMax, trustedProxies } = this.#limits;
    const room = connectionsMax - this.#connections.size - size;
    if (this.#refuses || room <= -REJECTED_MAX) return stream.abort();
    const { remote } = stream;
    const arrival = new HttpConnection(this.#arrivalTerms, stream);
    this.#arrivals.add(arrival);
    const isOneTooMany = this.#clients.of(remote) >= connectionsPerAddressMax &&
      !trustedProxies?.has(remote.hostname);
    const hasRoom = room + this.#rejected.size > 0;
    if (!isOneTooMany && (hasRoom || this.#makeRoom(remote))) return this.#clients.enter(remote);
    this.#rejected.add(arrival);
    const words = isOneTooMany ? "too many connections from this address" : "too many connections";
    arrival.refuse({ status: 503, words });
  }

  /**
   * Makes room for a new connection. Closes the connection that has waited longest for its next
   * request. If there is none, closes the oldest silent connection of the address that has the
   * most, provided that it has more than the new client. Returns false if no connection was closed.
   */
  #makeRoom(newcomer: Address): boolean {
    const [longest] = this.#resting;
    if (longest !== undefined) {
      longest.yieldPlace();
      return true;
    }
    const silent = new ClientCounts();
    for (const each of this.#arrivals) {
      if (each.isSilent && !this.#rejected.has(each)) silent.enter(each.peer);
    }
    // `most` begins with the number of silent connections of the new client, this one included. A
    // connection is closed only for an address that has more of them.
    let most = silent.of(newcomer);
    let victim: HttpConnection<Data> | undefined;
    for (const each of this.#arrivals) {
      if (!each.isSilent || this.#rejected.has(each) || silent.of(each.peer) <= most) continue;
      most = silent.of(each.peer);
      victim = each;
    }
    victim?.abort();
    return victim !== undefined;
  }

  /** Returns whether the client is behind a trusted proxy, whose connections serve many clients. */
  #isProxied(peer: Address, client: Address): boolean {
    return peer !== client && this.#limits.trustedProxies?.has(peer.hostname) === true;
  }

  #admit(arrival: HttpConnection<Data>, stream: Stream, admission: Admission<Data>): void {
    const { acceptance: { data, protocol }, client, backpressure, deflate, early } = admission;
    const id = ++this.#lastId;
    const settled = { id, data: data as Data, protocol, deflate, backpressure, client };
    const connection = new WebSocketConnection(this.#connectionTerms, stream, settled);
    this.#arrivals.delete(arrival);
    this.#clients.leave(arrival.peer);
    this.#clients.enter(client);
    this.#connections.add(connection);
    connection.start(early);
  }

  #tick(): void {
    if (this.#isTicking) return;
    this.#isTicking = true;
    const { clock } = this.#host;
    inPortions(
      this.#all(),
      this.#host,
      (each) => each.tick(clock.now()),
      () => this.#isTicking = false,
    );
  }

  #abort(): void {
    inPortions(this.#all(), this.#host, (each) => each.abort());
  }

  *#all(): Generator<HttpConnection<Data> | WebSocketConnection<Data>> {
    yield* this.#arrivals;
    yield* this.#connections;
  }

  async #stop({
    batchSize = STOP_BATCH_SIZE,
    batchInterval = STOP_BATCH_MS,
    code = CLOSE_CODES.goingAway,
    reason,
    timeout = 5000,
  }: StopOptions): Promise<void> {
    if (this.#options.reusePort) await this.#drainQueue();
    this.#refuses = true;
    const closed = this.#listener!.close();
    if (this.#options.reusePort) await this.#awaitOpening();
    await new Promise<void>((over) =>
      inPortions(this.#arrivals, this.#host, (arrival) => arrival.dismiss(), over)
    );
    // Waits until the broadcasts of this turn were sent, including those of channels.
    await new Promise<void>((sent) => this.#host.atFlush(sent));
    const left: Closeable[] = [...this.#connections, ...this.#ports?.responses?.() ?? []];
    let timer = NO_TIMER;
    const batch = (): void => {
      inPortions(left.splice(0, batchSize), this.#host, (each) => each.close(code, reason));
      timer = left.length > 0
        ? this.#host.clock.after(batchInterval, batch)
        : this.#host.clock.after(timeout, () => this.#abort());
    };
    batch();
    if (!this.#isEmpty) await new Promise<void>((wake) => this.#empty = wake);
    timer.cancel();
    this.#sweep?.cancel();
    this.#connectionTerms.deflate?.close();
    await closed;
  }

  /**
   * Accepts the connections in the system's queue, which would be reset when the listener closes,
   * unless `net.ipv4.tcp_migrate_req` is 1.
   */
  async #drainQueue(): Promise<void> {
    const endAt = this.#host.clock.now() + QUEUE_MS_MAX;
    for (let idle = 0; idle < QUEUE_TURNS && this.#host.clock.now() < endAt; idle++) {
      const before = this.#accepted;
      await new Promise<void>((later) => this.#host.yieldToIo(later));
      if (this.#accepted > before) idle = 0;
    }
  }

  /** Waits until the newest connections have sent their first request. */
  async #awaitOpening(): Promise<void> {
    const endAt = this.#host.clock.now() + OPENING_MS_MAX;
    const isOpening = (): boolean => [...this.#arrivals].some((arrival) => arrival.isOpening);
    while (isOpening() && this.#host.clock.now() < endAt) {
      await new Promise<void>((later) => this.#host.clock.after(OPENING_MS_MAX / 50, later));
    }
  }

  get #isEmpty(): boolean {
    return this.#arrivals.size === 0 && this.#connections.size === 0;
  }

  #left(): void {
    if (this.#isEmpty) this.#empty?.();
  }
}

/** Returns the parts of the option `tls` that a listener needs. */
function listenerTls(tls: ServeOptions["tls"]): ServerTls | undefined {
  if (tls === undefined) return undefined;
  const { cert, key, ca, hosts } = tls;
  return { cert, key, clientCa: ca, takesTls12: true, ...(hosts && { hosts }) };
}

/** The initial value of the variable that holds a timer. */
const NO_TIMER = { cancel(): void {} };

/** Throws {@linkcode OptionError} if an option of `stop` is invalid. */
function checkStop({ batchSize = 1, batchInterval = 0, timeout = 0 }: StopOptions): void {
  if (!(batchSize >= 1)) throw new OptionError(`option batchSize is ${batchSize}: use 1 or more`);
  for (const [name, ms] of Object.entries({ batchInterval, timeout })) {
    if (!(ms >= 0)) throw new OptionError(`option ${name} is ${ms}: use 0 or more`);
  }
}
