/**
 * The options of `serve`, checked and completed with defaults.
 *
 * | option | default | at the limit |
 * |---|---|---|
 * | `maxConnections` | 10 000 | the longest resting connection is closed, or the oldest silent one of the address that has most; otherwise 503 |
 * | `maxConnectionsPerAddress` | no limit | 503 |
 * | `handshakeTimeout` | 10 s until a request's head is complete, and for the upgrade hook | 408; 503 while the hook is pending |
 * | `requestBodyTimeout` | 60 s without a byte of a request's body | 408 |
 * | `responseTimeout` | 120 s until the fetch hook has answered | 503 |
 * | `sendTimeout` | 60 s in which the client takes nothing | the connection is aborted |
 * | `keepAliveTimeout` | 75 s between two requests | closed |
 * | `maxRequestsPerConnection` | 1000 | the last answer closes |
 * | `maxRequestBodySize` | 1 MiB | 413 |
 * | `maxRequestBodiesSize` | 256 MiB for all that wait for an answer | 503 |
 * | `maxPayloadLength` | 16 MiB | the connection closes with 1009 |
 * | messages of all connections that have arrived in part | 256 MiB, or `maxPayloadLength` if more | the connection that holds most closes with 1013 |
 * | `backpressureLimit` | 16 MiB | by `backpressurePolicy`: the connection closes with 1013, the message is dropped, or the latest is held |
 * | `idleTimeout` | 30 s of silence, with a ping at half of it | the connection is aborted |
 * | `closeTimeout` | 5 s without progress after our close | the connection is closed |
 * | `perMessageDeflate` | off | a message that would inflate beyond `maxPayloadLength`: 1009 |
 *
 * @module
 */
import type { LogSink } from "../base/log.ts";
import type { Address } from "../host/stream.ts";
import type { SpawnOptions } from "../actor/self.ts";
import { checkPem } from "../base/pem.ts";
import { checkNames } from "../base/spelling.ts";
import {
  type Backpressure,
  type BackpressureOptions,
  checkBackpressure,
  completeBackpressure,
} from "./backpressure.ts";
import type { ConnectionHandlers } from "./connection.ts";
import type { DeflateSettings } from "./deflate.ts";
import { WINDOW_BITS_MAX, WINDOW_BITS_MIN } from "./extension.ts";
import { normalOrigin, type Origins } from "./origin.ts";
import type { Rooms } from "./rooms.ts";
import { TrustedProxies } from "./trusted_proxies.ts";

const MIB = 1024 * 1024;

/** So much may the bodies of requests take, unless one of them may be larger. */
const BODIES_BYTES_MAX = 256 * MIB;

/** How finely time is looked at, at most and at least. */
const TICK_MS_MAX = 1000;
const TICK_MS_MIN = 5;

/** An option that cannot be. */
export class OptionError extends TypeError {
  /** Tells the class of the error. */
  override readonly name = "OptionError";
  /** Stable code: `"badoption"`. */
  readonly code = "badoption";
}

/** What an upgrade hook gives to accept a WebSocket. */
export interface Acceptance<Data> {
  /** The connection's `data`. */
  readonly data?: Data;
  /** One of the subprotocols that the client offers. */
  readonly protocol?: string | undefined;
  /** Headers for the 101. */
  readonly headers?: HeadersInit | undefined;
  /** For this connection, instead of what the server says. */
  readonly backpressure?: BackpressureOptions | undefined;
}

/** What an upgrade hook may give: nothing or an acceptance to accept, a response to refuse. */
export type UpgradeAnswer<Data> = Response | Acceptance<Data> | undefined | void;

/**
 * How to compress. Every connection that may refer to earlier messages holds memory for it beside the
 * heap, some 225 KiB to compress and 20 to 30 KiB to inflate; one that forgets after each message,
 * which is the default for both sides, holds none, but for the 30 KiB while a message comes in pieces.
 */
export interface DeflateOptions {
  /** Bytes from which on a message is compressed. Default 1024. */
  readonly threshold?: number | undefined;
  /** From 0 to 9: how hard to try. Default 6. */
  readonly level?: number | undefined;
  /** From 1 to 9: how much memory to use for it. Default 8. */
  readonly memLevel?: number | undefined;
  /** The server forgets after each message. Default true. */
  readonly serverNoContextTakeover?: boolean | undefined;
  /** The client shall forget after each message. Default true. */
  readonly clientNoContextTakeover?: boolean | undefined;
  /** The server looks back 2 to the power of this many bytes at most: 8 to 15. Default 15. */
  readonly serverMaxWindowBits?: number | undefined;
  /** The same for a client that can be told. Default 15. */
  readonly clientMaxWindowBits?: number | undefined;
}

/** How to serve. */
export interface ServeOptions<Data = undefined>
  extends ConnectionHandlers<Data>, BackpressureOptions {
  /** Default "127.0.0.1": this machine only. */
  readonly hostname?: string | undefined;
  /** Default 0: the system chooses. */
  readonly port?: number | undefined;
  /** PEM texts. With them the server speaks `wss` and `https`, over TLS 1.2 or 1.3. */
  readonly tls?: { readonly cert: string; readonly key: string } | undefined;
  /** The rooms that connections join. Default: rooms of its own. */
  readonly rooms?: Rooms | undefined;
  /** Where failures of handlers are reported. Default: the host's log. */
  readonly log?: LogSink | undefined;
  /**
   * The origins whose pages may open a WebSocket, such as `"https://example.org"`; pages of others get a
   * 403. `"*"`: all, for servers that do not rely on cookies. A client that sends no Origin is not a
   * browser, and may. Default: pages with the host and port that the request is for, so a proxy must pass
   * the header Host on.
   */
  readonly origins?: readonly string[] | "*" | undefined;
  /** Bytes of a message, as its handler gets it; compressed it may have twice as many. */
  readonly maxPayloadLength?: number | undefined;
  /** Compresses messages with clients that can: RFC 7692. Default false. */
  readonly perMessageDeflate?: boolean | DeflateOptions | undefined;
  /** How the mailboxes of connections are bounded. Default: not at all. */
  readonly mailbox?: SpawnOptions["mailbox"];
  /** Seconds of silence, at half of which the client is pinged; 0: for ever. Default 30. */
  readonly idleTimeout?: number | undefined;
  /**
   * Milliseconds from the accept, or from the first byte of a further request, until a request's head is
   * complete; and again for the upgrade hook. Default 10000.
   */
  readonly handshakeTimeout?: number | undefined;
  /** Milliseconds without a byte of a request's body while it is waited for. Default 60000. */
  readonly requestBodyTimeout?: number | undefined;
  /** Milliseconds until the fetch hook has answered; 0: for ever. Default 120000. */
  readonly responseTimeout?: number | undefined;
  /** Milliseconds in which a client takes nothing of a response that waits for it. Default 60000. */
  readonly sendTimeout?: number | undefined;
  /**
   * Milliseconds that a connection is kept between two plain requests; 0: it is not. It must be longer
   * than a proxy keeps its connections to this server (nginx and AWS: 60 s), or the proxy sends a request
   * at the moment at which it is closed. Default 75000.
   */
  readonly keepAliveTimeout?: number | undefined;
  /** Plain requests on one connection. */
  readonly maxRequestsPerConnection?: number | undefined;
  /** Milliseconds without progress from our close frame, or from the last answer, to the end. */
  readonly closeTimeout?: number | undefined;
  /**
   * Connections and WebSockets of one client, an IPv4 address or an IPv6 /64; one more gets a 503. Behind
   * `trustedProxies`, WebSockets are counted by the address that the proxy names. Default: no limit.
   */
  readonly maxConnectionsPerAddress?: number | undefined;
  /**
   * Addresses and networks of proxies, such as `"10.0.0.0/8"`, whose X-Forwarded-For and
   * X-Forwarded-Proto count: hooks and `remoteAddress` then have the client's address (with port 0), and
   * `request.url` its scheme. Default: none.
   */
  readonly trustedProxies?: readonly string[] | undefined;
  /**
   * Connections begin with the PROXY protocol's header, version 1 or 2; those of other addresses than
   * `trustedProxies` are aborted. Default false.
   */
  readonly proxyProtocol?: boolean | undefined;
  /**
   * WebSockets, requests, and connections kept for the next one. One more takes the place of the kept one
   * that has waited longest; if there is none, it gets a 503.
   */
  readonly maxConnections?: number | undefined;
  /**
   * Bytes of a plain request's body. One that does not arrive together with the head is read from
   * `request.body` as it comes. Default 1 MiB.
   */
  readonly maxRequestBodySize?: number | undefined;
  /**
   * Bytes of the bodies of all plain requests that have no answer yet; a request that would need more gets
   * a 503. Default 256 MiB, or `maxRequestBodySize` if that is more.
   */
  readonly maxRequestBodiesSize?: number | undefined;
  /**
   * Decides on a WebSocket before it is accepted. One that throws refuses with 500. `remote` is the peer
   * as the system sees it: behind a proxy, the proxy.
   */
  upgrade?(
    request: Request,
    remote: Address,
  ): UpgradeAnswer<Data> | Promise<UpgradeAnswer<Data>>;
  /**
   * Answers what is not a WebSocket; `remote` is as for `upgrade`. `request.signal` is aborted when the
   * client hangs up before it has the whole answer. Default: 404.
   *
   * @example Who asks
   * ```ts
   * import { serve } from "@firn/firn";
   * import { assertEquals } from "@std/assert";
   *
   * await using server = await serve({
   *   fetch: (_request, remote) => new Response(`you ask from ${remote.hostname}`),
   * });
   * const answer = await fetch(server.url.replace("ws:", "http:"));
   * assertEquals(await answer.text(), "you ask from 127.0.0.1");
   * ```
   */
  fetch?(request: Request, remote: Address): Response | Promise<Response>;
}

/** The numbers among the options, checked, in the units that the code uses. */
export interface Limits {
  readonly port: number;
  readonly payloadBytesMax: number;
  readonly backpressure: Backpressure;
  readonly idleMs: number;
  readonly handshakeMs: number;
  readonly bodyMs: number;
  /** 0: the hook may take for ever. */
  readonly responseMs: number;
  readonly sendMs: number;
  /** 0: no connection is kept. */
  readonly keepAliveMs: number;
  readonly requestsMax: number;
  readonly closeTimeoutMs: number;
  readonly connectionsMax: number;
  readonly connectionsPerAddressMax: number;
  readonly origins: Origins;
  readonly trustedProxies: TrustedProxies | undefined;
  readonly proxyProtocol: boolean;
  readonly bodyBytesMax: number;
  readonly bodiesBytesMax: number;
  readonly deflate: DeflateSettings | undefined;
}

type SharedOption =
  | keyof ConnectionHandlers<unknown>
  | keyof BackpressureOptions
  | ("tls" | "log" | "maxPayloadLength" | "perMessageDeflate")
  | ("idleTimeout" | "handshakeTimeout" | "closeTimeout");

/** The names of the options that a server has and a client too. */
export const SHARED_OPTIONS: Readonly<Record<SharedOption, true>> = {
  tls: true,
  log: true,
  maxPayloadLength: true,
  perMessageDeflate: true,
  backpressureLimit: true,
  backpressurePolicy: true,
  idleTimeout: true,
  handshakeTimeout: true,
  closeTimeout: true,
  open: true,
  message: true,
  info: true,
  close: true,
  drain: true,
};

/** The names of all options of a server. */
const OPTIONS: Readonly<Record<keyof ServeOptions, true>> = {
  hostname: true,
  port: true,
  ...SHARED_OPTIONS,
  rooms: true,
  origins: true,
  mailbox: true,
  requestBodyTimeout: true,
  responseTimeout: true,
  sendTimeout: true,
  maxConnectionsPerAddress: true,
  trustedProxies: true,
  proxyProtocol: true,
  keepAliveTimeout: true,
  maxRequestsPerConnection: true,
  maxConnections: true,
  maxRequestBodySize: true,
  maxRequestBodiesSize: true,
  upgrade: true,
  fetch: true,
};

const DEFLATE: Readonly<Record<keyof DeflateOptions, true>> = {
  threshold: true,
  level: true,
  memLevel: true,
  serverNoContextTakeover: true,
  clientNoContextTakeover: true,
  serverMaxWindowBits: true,
  clientMaxWindowBits: true,
};

/** What holds unless it is said otherwise. */
const BACKPRESSURE: Backpressure = { bytesMax: 16 * MIB, policy: "close" };

/** Throws {@linkcode OptionError} for an option that cannot be. */
export function checkOptions<Data>(options: ServeOptions<Data>): Limits {
  checkNames(options, OPTIONS, (words) => new OptionError(words));
  const { open, message, info, close, drain, upgrade, fetch } = options;
  checkHandlers({ open, message, info, close, drain, upgrade, fetch });
  if (options.hostname === "") {
    throw new OptionError('option hostname is empty: use "127.0.0.1", or "0.0.0.0" for all');
  }
  if (options.tls !== undefined) checkTls(options.tls);
  const { mailbox } = options;
  if (mailbox !== undefined && !(mailbox.max >= 1)) {
    throw new OptionError(`option mailbox.max is ${mailbox.max}: use 1 or more`);
  }
  const trustedProxies = options.trustedProxies &&
    new TrustedProxies(options.trustedProxies, (words) => new OptionError(words));
  checkProxyProtocol(options);
  const bodyBytesMax = whole("maxRequestBodySize", options.maxRequestBodySize, MIB, 0);
  const bodiesBytesMax = Math.max(BODIES_BYTES_MAX, bodyBytesMax);
  return {
    port: whole("port", options.port, 0, 0, 65535),
    payloadBytesMax: whole("maxPayloadLength", options.maxPayloadLength, 16 * MIB, 1),
    backpressure: limitsOf(options, BACKPRESSURE)!,
    idleMs: positive("idleTimeout", options.idleTimeout, 30, true) * 1000,
    handshakeMs: positive("handshakeTimeout", options.handshakeTimeout, 10_000),
    bodyMs: positive("requestBodyTimeout", options.requestBodyTimeout, 60_000),
    responseMs: positive("responseTimeout", options.responseTimeout, 120_000, true),
    sendMs: positive("sendTimeout", options.sendTimeout, 60_000),
    keepAliveMs: positive("keepAliveTimeout", options.keepAliveTimeout, 75_000, true),
    requestsMax: whole("maxRequestsPerConnection", options.maxRequestsPerConnection, 1000, 1),
    closeTimeoutMs: positive("closeTimeout", options.closeTimeout, 5_000),
    connectionsMax: whole("maxConnections", options.maxConnections, 10_000, 1),
    connectionsPerAddressMax: whole(
      "maxConnectionsPerAddress",
      options.maxConnectionsPerAddress,
      Number.MAX_SAFE_INTEGER,
      1,
    ),
    origins: originsOf(options.origins),
    trustedProxies,
    proxyProtocol: options.proxyProtocol === true,
    bodyBytesMax,
    bodiesBytesMax: whole("maxRequestBodiesSize", options.maxRequestBodiesSize, bodiesBytesMax, 0),
    deflate: checkDeflate(options.perMessageDeflate),
  };
}

/** Throws {@linkcode OptionError} for a handler that is no function. */
export function checkHandlers(handlers: object): void {
  for (const [name, each] of Object.entries(handlers)) {
    if (each === undefined || typeof each === "function") continue;
    throw new OptionError(`option ${name} must be a function`);
  }
}

/** Throws {@linkcode OptionError} for certificates that cannot be. */
export function checkTls(tls: { readonly cert: string; readonly key: string }): void {
  if (!tls.cert || !tls.key) {
    throw new OptionError("option tls needs both cert and key, as PEM texts");
  }
  checkPem(tls, (words) => new OptionError(words));
}

/** What a hook or an option says of backpressure, checked; `undefined` if it says nothing. */
export function limitsOf(
  options: BackpressureOptions | undefined,
  otherwise: Backpressure,
): Backpressure | undefined {
  if (options === undefined) return undefined;
  checkBackpressure(options, (words) => new OptionError(words));
  return completeBackpressure(options, otherwise);
}

/** The settings that an option asks for; `undefined` for none. */
export function checkDeflate(
  option: boolean | DeflateOptions | undefined,
): DeflateSettings | undefined {
  if (option === undefined || option === false) return undefined;
  const options: DeflateOptions = option === true ? {} : option;
  checkNames(options, DEFLATE, (words) => new OptionError(`perMessageDeflate: ${words}`));
  const number = (name: keyof DeflateOptions, fallback: number, least: number, most?: number) =>
    whole(`perMessageDeflate.${name}`, options[name] as number | undefined, fallback, least, most);
  const bits = (name: keyof DeflateOptions): number =>
    number(name, WINDOW_BITS_MAX, WINDOW_BITS_MIN, WINDOW_BITS_MAX);
  const { serverNoContextTakeover = true, clientNoContextTakeover = true } = options;
  return {
    wish: {
      server: { takeover: !serverNoContextTakeover, windowBits: bits("serverMaxWindowBits") },
      client: { takeover: !clientNoContextTakeover, windowBits: bits("clientMaxWindowBits") },
    },
    threshold: number("threshold", 1024, 0),
    level: number("level", 6, 0, 9),
    memLevel: number("memLevel", 8, 1, 9),
  };
}

function originsOf(option: ServeOptions["origins"]): Origins {
  if (option === undefined || option === "*") return option;
  if (!Array.isArray(option)) {
    throw new OptionError(
      `option origins is ${JSON.stringify(option)}: use a list, or "*" for all`,
    );
  }
  return new Set(option.map((origin) => {
    const normal = normalOrigin(String(origin));
    if (normal !== undefined) return normal;
    throw new OptionError(
      `option origins has ${JSON.stringify(origin)}: write scheme, host and port only, ` +
        'such as "https://example.org"',
    );
  }));
}

function checkProxyProtocol(
  { proxyProtocol, trustedProxies, tls }: Pick<
    ServeOptions,
    "proxyProtocol" | "trustedProxies" | "tls"
  >,
): void {
  if (proxyProtocol !== true) return;
  if (trustedProxies === undefined || trustedProxies.length === 0) {
    throw new OptionError(
      "option proxyProtocol needs trustedProxies: the proxies that may send it",
    );
  }
  if (tls === undefined) return;
  throw new OptionError("options proxyProtocol and tls exclude each other: end TLS at the proxy");
}

/** A whole number within bounds. */
function whole(
  name: string,
  value: number | undefined,
  fallback: number,
  least: number,
  most: number = Number.MAX_SAFE_INTEGER,
): number {
  if (value === undefined) return fallback;
  if (Number.isInteger(value) && value >= least && value <= most) return value;
  const range = most === Number.MAX_SAFE_INTEGER ? `from ${least}` : `from ${least} to ${most}`;
  throw new OptionError(`option ${name} is ${value}: use a whole number ${range}`);
}

/** A time that ends. */
function positive(
  name: string,
  value: number | undefined,
  fallback: number,
  zeroIsNever: boolean = false,
): number {
  if (value === undefined) return fallback;
  if (Number.isFinite(value) && (value > 0 || (value === 0 && zeroIsNever))) return value;
  const zero = zeroIsNever ? ", or 0 for never" : "";
  throw new OptionError(`option ${name} is ${value}: use a number above 0${zero}`);
}

/** A quarter of the shortest time that is watched: nothing ends much later than it should. */
export function tickMs(limits: Limits): number {
  const { idleMs, handshakeMs, keepAliveMs, closeTimeoutMs, bodyMs, responseMs, sendMs } = limits;
  const shortest = Math.min(
    idleMs || Infinity,
    keepAliveMs || Infinity,
    responseMs || Infinity,
    handshakeMs,
    closeTimeoutMs,
    bodyMs,
    sendMs,
  );
  return Math.max(TICK_MS_MIN, Math.min(TICK_MS_MAX, shortest / 4));
}
