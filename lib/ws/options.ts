/**
 * What `serve` is told, checked and completed with defaults.
 *
 * | option | default | at the limit |
 * |---|---|---|
 * | `maxConnections` | 10 000 | whoever has waited longest between two requests goes; if there is none: 503 |
 * | `handshakeTimeout` | 10 s, for each request | 408; 503 while a hook is pending |
 * | `keepAliveTimeout` | 10 s between two requests | closed |
 * | `maxRequestsPerConnection` | 1000 | the last answer closes |
 * | `maxRequestBodySize` | 1 MiB | 413 |
 * | `maxRequestBodiesSize` | 256 MiB for all that wait for an answer | 503 |
 * | `maxPayloadLength` | 16 MiB | the connection closes with 1009 |
 * | `backpressureLimit` | 16 MiB | by `backpressurePolicy`: the connection closes with 1013, the message is dropped, or the latest is held |
 * | `idleTimeout` | 120 s | pinged at half of it, cut off at all of it |
 * | `closeTimeout` | 5 s | cut off |
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
import type { Rooms } from "./rooms.ts";

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
   * The origins whose pages may connect, such as `"https://example.org"`; others get a 403. A client
   * that names no origin is not a browser, and may. Default: all.
   */
  readonly origins?: readonly string[] | undefined;
  /** Bytes of a message, as its handler gets it; compressed it may have twice as many. */
  readonly maxPayloadLength?: number | undefined;
  /** Compresses messages with clients that can: RFC 7692. Default false. */
  readonly perMessageDeflate?: boolean | DeflateOptions | undefined;
  /** How the mailboxes of connections are bounded. Default: not at all. */
  readonly mailbox?: SpawnOptions["mailbox"];
  /** Seconds of silence; 0: for ever. */
  readonly idleTimeout?: number | undefined;
  /**
   * Milliseconds from the accept, or from the first byte of a further request, until the request is
   * whole; and again from there to the answer.
   */
  readonly handshakeTimeout?: number | undefined;
  /** Milliseconds that a connection is kept between two plain requests; 0: it is not. */
  readonly keepAliveTimeout?: number | undefined;
  /** Plain requests on one connection. */
  readonly maxRequestsPerConnection?: number | undefined;
  /** Milliseconds from our goodbye to the end. */
  readonly closeTimeout?: number | undefined;
  /**
   * WebSockets, requests, and connections kept for the next one. One more takes the place of the kept one
   * that has waited longest; if there is none, it gets a 503.
   */
  readonly maxConnections?: number | undefined;
  /** Bytes of a plain request's body, which is whole before the hook is asked. */
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
   * Answers what is not a WebSocket, and is told who asks, as `upgrade` is. Default: 404.
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
  /** 0: no connection is kept. */
  readonly keepAliveMs: number;
  readonly requestsMax: number;
  readonly closeTimeoutMs: number;
  readonly connectionsMax: number;
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
  for (const origin of options.origins ?? []) checkOrigin(origin);
  const bodyBytesMax = whole("maxRequestBodySize", options.maxRequestBodySize, MIB, 0);
  const bodiesBytesMax = Math.max(BODIES_BYTES_MAX, bodyBytesMax);
  return {
    port: whole("port", options.port, 0, 0, 65535),
    payloadBytesMax: whole("maxPayloadLength", options.maxPayloadLength, 16 * MIB, 1),
    backpressure: limitsOf(options, BACKPRESSURE)!,
    idleMs: positive("idleTimeout", options.idleTimeout, 120, true) * 1000,
    handshakeMs: positive("handshakeTimeout", options.handshakeTimeout, 10_000),
    keepAliveMs: positive("keepAliveTimeout", options.keepAliveTimeout, 10_000, true),
    requestsMax: whole("maxRequestsPerConnection", options.maxRequestsPerConnection, 1000, 1),
    closeTimeoutMs: positive("closeTimeout", options.closeTimeout, 5_000),
    connectionsMax: whole("maxConnections", options.maxConnections, 10_000, 1),
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

function checkOrigin(origin: string): void {
  if (URL.canParse(origin) && new URL(origin).origin === origin) return;
  throw new OptionError(
    `option origins has ${JSON.stringify(origin)}: write scheme, host and port only, ` +
      'such as "https://example.org"',
  );
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
export function tickMs({ idleMs, handshakeMs, keepAliveMs, closeTimeoutMs }: Limits): number {
  const shortest = Math.min(
    idleMs || Infinity,
    keepAliveMs || Infinity,
    handshakeMs,
    closeTimeoutMs,
  );
  return Math.max(TICK_MS_MIN, Math.min(TICK_MS_MAX, shortest / 4));
}
