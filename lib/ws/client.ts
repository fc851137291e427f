/**
 * A WebSocket client on the same frames as the server: the same limits, the same strictness.
 *
 *     connecting ──open──▶ open ──it ends──▶ waiting ──the delay is over──▶ connecting
 *          └──────────────── it fails ──────────▲
 *     any of them ──close()──▶ closed
 *
 * It connects again by itself, after a delay that doubles from one failure to the next and is drawn
 * by chance between its half and its whole, so that clients which lost a server together do not come
 * back together. Only the first connection is waited for: when that fails, `connect` rejects.
 *
 * @module
 */
import { Buffer } from "node:buffer";
import { rootCertificates } from "node:tls";
import type { Timer } from "../base/clock.ts";
import type { LogSink } from "../base/log.ts";
import type { System } from "../actor/system.ts";
import type { Host } from "../host/host.ts";
import type { Stream, StreamEnd, StreamHandler } from "../host/stream.ts";
import { checkNames } from "../base/spelling.ts";
import type { BackpressureOptions } from "./backpressure.ts";
import { CLOSE_CODES } from "./close.ts";
import {
  type Connection,
  type ConnectionHandlers,
  type ConnectionTerms,
  WebSocketConnection,
} from "./connection.ts";
import { DeflatePool } from "./deflate.ts";
import { incarnate } from "./connection_actor.ts";
import { Masker } from "./masker.ts";
import {
  checkHandlers,
  checkOptions,
  type DeflateOptions,
  OptionError,
  SHARED_OPTIONS,
  tickMs,
} from "./options.ts";
import type { SendResult } from "./outbox.ts";
import { type Answer, AnswerReader, type Asked, encodeAsk } from "./response.ts";
import { Rooms } from "./rooms.ts";
import { Scratch } from "./scratch.ts";

/** How to connect again. */
export interface ReconnectOptions {
  /** Milliseconds before the first attempt. Default 250. */
  readonly minDelay?: number | undefined;
  /** Milliseconds that the delay grows to. Default 10000. */
  readonly maxDelay?: number | undefined;
  /** It is given up after so many failures in a row. Default: never. */
  readonly attempts?: number | undefined;
}

/** How to connect. */
export interface ClientOptions<Data = undefined>
  extends ConnectionHandlers<Data>, BackpressureOptions {
  /** The connections' `data`. */
  readonly data?: Data;
  /** Subprotocols to offer, the best first. */
  readonly protocols?: readonly string[] | undefined;
  /** Further headers of the request. */
  readonly headers?: HeadersInit | undefined;
  /**
   * For `wss:`. PEM texts: `ca`, whom to believe (default: the authorities that browsers believe), and
   * `cert` and `key` to show. `serverName` must stand in the certificate (default: the URL's host).
   */
  readonly tls?: {
    readonly ca?: string | undefined;
    readonly serverName?: string | undefined;
    readonly cert?: string | undefined;
    readonly key?: string | undefined;
  } | undefined;
  /** Offers to compress messages. Default false. */
  readonly perMessageDeflate?: boolean | DeflateOptions | undefined;
  /** Bytes of a message. Default 16 MiB. */
  readonly maxPayloadLength?: number | undefined;
  /** Seconds of silence, at half of which the server is pinged; 0: for ever. Default 120. */
  readonly idleTimeout?: number | undefined;
  /** Milliseconds until the server has answered. Default 10000. */
  readonly handshakeTimeout?: number | undefined;
  /** Milliseconds from our goodbye to the end. Default 5000. */
  readonly closeTimeout?: number | undefined;
  /** Whether to connect again when a connection ends, and how. Default true. */
  readonly reconnect?: boolean | ReconnectOptions | undefined;
  /** Where failures of handlers are reported. Default: the host's log. */
  readonly log?: LogSink | undefined;
}

/** The names of all options. */
const OPTIONS: Readonly<Record<keyof ClientOptions, true>> = {
  ...SHARED_OPTIONS,
  data: true,
  protocols: true,
  headers: true,
  reconnect: true,
};

const RECONNECT: Readonly<Record<keyof ReconnectOptions, true>> = {
  minDelay: true,
  maxDelay: true,
  attempts: true,
};

/** The server did not open a WebSocket. */
export class HandshakeError extends Error {
  /** Tells the class of the error. */
  override readonly name = "HandshakeError";
  /** Stable code: `"handshake"`. */
  readonly code = "handshake";
  /** The status of its answer; 0 if there was none. */
  readonly status: number;

  /** With its status and words. */
  constructor(status: number, message: string) {
    super(message);
    this.status = status;
  }
}

/** Where a {@linkcode Client} is. */
export type ClientState = "connecting" | "open" | "waiting" | "closed";

/** A WebSocket client. */
export interface Client<Data = undefined> extends AsyncDisposable {
  /** Whom it connects to. */
  readonly url: string;
  /** Where in its life it is. */
  readonly state: ClientState;
  /** The connection that there is, or that was last. */
  readonly connection: Connection<Data>;
  /** Sends over it; `"closed"` while there is none. */
  send(data: string | Uint8Array): SendResult;
  /** Says goodbye and connects no more; resolves when it is over. */
  close(code?: number, reason?: string): Promise<void>;
}

/**
 * Connects. Rejects with an `OptionError`, a `ConnectError` or a {@linkcode HandshakeError}. With a system
 * its connections are actors.
 */
export async function connect<Data = undefined>(
  host: Host,
  url: string | URL,
  options: ClientOptions<Data> = {},
  system: System | undefined = undefined,
): Promise<Client<Data>> {
  const at = checkUrl(url);
  checkNames(options, OPTIONS, (words) => new OptionError(words));
  const client = new WebSocketClient(host, at, options, system);
  await client.first();
  return client;
}

class WebSocketClient<Data> implements Client<Data> {
  readonly url: string;
  readonly #host: Host;
  readonly #at: URL;
  readonly #options: ClientOptions<Data>;
  readonly #handshakeMs: number;
  readonly #terms: ConnectionTerms<Data>;
  readonly #delay: Delay | undefined;
  readonly #abort = new AbortController();
  #state: ClientState = "connecting";
  #connection: WebSocketConnection<Data> | undefined;
  #lastId = 0;
  /** When the connection that there is was opened. */
  #openedAt = 0;
  #sweep: Timer | undefined;
  #timer: Timer | undefined;
  /** Called when it is over. */
  #over: (() => void) | undefined;

  constructor(
    host: Host,
    url: URL,
    options: ClientOptions<Data>,
    system: System | undefined,
  ) {
    const { maxPayloadLength, idleTimeout, handshakeTimeout, closeTimeout } = options;
    const { open, message, info, close, drain, perMessageDeflate } = options;
    const limits = checkOptions({
      ...{ maxPayloadLength, idleTimeout, handshakeTimeout, closeTimeout, perMessageDeflate },
      backpressureLimit: options.backpressureLimit,
      backpressurePolicy: options.backpressurePolicy,
    });
    checkHandlers({ open, message, info, close, drain });
    const { reconnect = true } = options;
    this.#delay = reconnect === false
      ? undefined
      : new Delay(reconnect === true ? {} : reconnect, () => host.random.next());
    this.url = url.href;
    this.#host = host;
    this.#at = url;
    this.#options = options;
    this.#handshakeMs = limits.handshakeMs;
    this.#terms = {
      role: "client",
      handlers: options,
      rooms: new Rooms(host),
      log: options.log ?? host.log,
      input: new Scratch(),
      output: new Scratch(),
      payloadBytesMax: limits.payloadBytesMax,
      backpressure: limits.backpressure,
      closeTimeoutMs: limits.closeTimeoutMs,
      sendMs: limits.sendMs,
      deflate: limits.deflate && new DeflatePool(limits.deflate),
      masker: new Masker(host.random),
      embody: system && incarnate(system, undefined),
      silence: limits.idleMs === 0
        ? undefined
        : { quietMs: limits.idleMs / 2, deadlineMs: limits.idleMs },
      tickMs: tickMs(limits),
      now: () => host.clock.now(),
      later: (task) => host.atFlush(task),
      yieldToIo: (task) => host.yieldToIo(task),
      ended: () => this.#ended(),
    };
  }

  get state(): ClientState {
    return this.#state;
  }

  get connection(): Connection<Data> {
    return this.#connection!;
  }

  /** The first connection; rejects if it fails. */
  async first(): Promise<void> {
    const { clock } = this.#host;
    const tick = (): void => this.#connection?.tick(clock.now());
    this.#sweep = clock.every(this.#terms.tickMs, tick);
    try {
      await this.#dial();
    } catch (error) {
      this.#end();
      throw error;
    }
  }

  send(data: string | Uint8Array): SendResult {
    return this.#state === "open" ? this.#connection!.send(data) : "closed";
  }

  async close(code: number = CLOSE_CODES.normal, reason: string = ""): Promise<void> {
    if (this.#state === "closed") return;
    const over = new Promise<void>((done) => {
      const before = this.#over;
      this.#over = () => {
        before?.();
        done();
      };
    });
    const wasOpen = this.#state === "open";
    if (wasOpen) this.#connection!.close(code, reason);
    this.#timer?.cancel();
    this.#abort.abort();
    if (!wasOpen) this.#end();
    await over;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  async #dial(): Promise<void> {
    const { hostname, port, protocol } = this.#at;
    const name = hostname.replace(/^\[|\]$/g, "");
    const secure = protocol === "wss:";
    const { ca, serverName = name, cert, key } = this.#options.tls ?? {};
    const stream = await this.#host.connect({
      hostname: name,
      port: Number(port || (secure ? 443 : 80)),
      tls: secure
        ? { ca: ca ?? rootCertificates.join("\n"), serverName, cert, key, takesTls12: true }
        : undefined,
      timeoutMs: this.#handshakeMs,
      signal: this.#abort.signal,
    });
    const asked = this.#ask();
    const answer = await this.#answer(stream, asked);
    // It may have been given up in the meantime.
    if (answer.state !== "open" || this.#abort.signal.aborted) {
      stream.abort();
      const { status, words } = answer.state === "open" ? GIVEN_UP : answer;
      throw new HandshakeError(status, `cannot open ${this.url}: ${words}`);
    }
    const { protocol: chosen, deflate, early } = answer;
    this.#connection = new WebSocketConnection(this.#terms, stream, {
      id: ++this.#lastId,
      data: this.#options.data as Data,
      protocol: chosen,
      deflate,
    });
    this.#state = "open";
    this.#openedAt = this.#host.clock.now();
    this.#connection.start(early);
  }

  #ask(): Asked {
    const { protocols = [], headers } = this.#options;
    return {
      target: this.#at.pathname + this.#at.search,
      host: this.#at.host,
      key: Buffer.from(this.#host.random.bytes(16)).toString("base64"),
      protocols,
      deflate: this.#terms.deflate?.settings.wish,
      headers: new Headers(headers),
    };
  }

  /** Asks, and reads the answer, until the deadline. */
  #answer(stream: Stream, asked: Asked): Promise<Exclude<Answer, { state: "more" }>> {
    return new Promise((settle) => {
      const reader = new AnswerReader(asked);
      const { signal } = this.#abort;
      const over = (answer: Exclude<Answer, { state: "more" }>): void => {
        timer.cancel();
        signal.removeEventListener("abort", giveUp);
        settle(answer);
      };
      const fail = (words: string): void => over({ state: "refused", status: 0, words });
      const giveUp = (): void => over(GIVEN_UP);
      const timer = this.#host.clock.after(this.#handshakeMs, () => fail("no answer in time"));
      signal.addEventListener("abort", giveUp);
      const handler: StreamHandler = {
        data(bytes) {
          const answer = reader.push(bytes);
          if (answer.state === "more") return;
          // What follows is the connection's to read.
          stream.pause();
          over(answer);
        },
        drain() {},
        end: () => fail("the server hung up"),
        close: (end: StreamEnd) => fail(end.kind === "broken" ? end.message : "the server hung up"),
      };
      stream.handler = handler;
      stream.write(encodeAsk(asked));
    });
  }

  /** A connection has ended. */
  #ended(): void {
    const lasted = this.#host.clock.now() - this.#openedAt;
    if (this.#abort.signal.aborted) this.#end();
    else this.#again(lasted);
  }

  /** Waits, and connects again. */
  #again(lastedMs: number): void {
    const ms = this.#delay?.next(lastedMs);
    if (ms === undefined) return this.#end();
    this.#state = "waiting";
    this.#timer = this.#host.clock.after(ms, () => {
      this.#state = "connecting";
      this.#dial().catch(() => {
        if (this.#abort.signal.aborted) this.#end();
        else this.#again(0);
      });
    });
  }

  #end(): void {
    if (this.#state === "closed") return;
    this.#state = "closed";
    this.#abort.abort();
    this.#sweep?.cancel();
    this.#timer?.cancel();
    this.#terms.deflate?.close();
    this.#over?.();
  }
}

const GIVEN_UP = { state: "refused", status: 0, words: "it was given up" } as const;

/** The delays from one attempt to the next. */
export class Delay {
  readonly #min: number;
  readonly #max: number;
  readonly #attempts: number;
  readonly #chance: () => number;
  #failures = 0;

  /** `chance` gives a number in [0, 1). */
  constructor(options: ReconnectOptions, chance: () => number) {
    checkNames(options, RECONNECT, (words) => new OptionError(`reconnect: ${words}`));
    const { minDelay = 250, maxDelay = 10_000, attempts = Infinity } = options;
    for (const [name, ms] of Object.entries({ minDelay, maxDelay, attempts })) {
      if (!(ms > 0)) throw new OptionError(`option reconnect.${name} is ${ms}: use more than 0`);
    }
    this.#min = minDelay;
    this.#max = maxDelay;
    this.#attempts = attempts;
    this.#chance = chance;
  }

  /**
   * Milliseconds to wait after a connection that lasted so long; `undefined`: it is given up. One that
   * lasted longer than the longest delay was no failure.
   */
  next(lastedMs: number): number | undefined {
    if (lastedMs > this.#max) this.#failures = 0;
    if (this.#failures >= this.#attempts) return undefined;
    const ms = Math.min(this.#max, this.#min * 2 ** Math.min(this.#failures++, 30));
    return ms * (0.5 + this.#chance() / 2);
  }
}

function checkUrl(url: string | URL): URL {
  const text = String(url);
  const parsed = URL.canParse(text) ? new URL(text) : undefined;
  if (parsed !== undefined && /^wss?:$/.test(parsed.protocol) && parsed.hash === "") return parsed;
  throw new OptionError(
    `cannot connect to ${JSON.stringify(text)}: use ws://host:port/path or wss`,
  );
}
