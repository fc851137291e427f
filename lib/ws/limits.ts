/**
 * Checks the options of `serve` and fills in defaults.
 *
 * @module
 */
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
import { type DeflateOptions, OptionError, type ServeOptions } from "./options.ts";
import { normalOrigin, type Origins } from "./origin.ts";
import { TrustedProxies } from "./trusted_proxies.ts";

const MIB = 1024 * 1024;

/** Default of `maxRequestBodiesSize`, in bytes, unless `maxRequestBodySize` is larger. */
const BODIES_BYTES_MAX = 256 * MIB;

/** Maximum interval at which time limits are checked, in milliseconds. */
const TICK_MS_MAX = 1000;
/** Minimum interval at which time limits are checked, in milliseconds. */
const TICK_MS_MIN = 5;

/** The checked options of a server, with defaults filled in and times in milliseconds. */
export interface Limits {
  readonly port: number;
  readonly payloadBytesMax: number;
  readonly backpressure: Backpressure;
  readonly idleMs: number;
  readonly handshakeMs: number;
  readonly bodyMs: number;
  /** Time limit of the fetch hook; 0 means no limit. */
  readonly responseMs: number;
  readonly sendMs: number;
  /**
   * Time for which a connection waits for its next request; with 0, it is closed after each
   * response.
   */
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

/** The names of the options that servers and clients have in common. */
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
  unix: true,
  reusePort: true,
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

/** The default backpressure settings. */
export const BACKPRESSURE: Backpressure = { bytesMax: 16 * MIB, policy: "close" };

/**
 * Returns the checked options with defaults filled in. Throws {@linkcode OptionError} if an option
 * is invalid.
 */
export function checkOptions<Data>(options: ServeOptions<Data>): Limits {
  checkNames(options, OPTIONS, (words) => new OptionError(words));
  const { open, message, info, close, drain, upgrade, fetch } = options;
  checkHandlers({ open, message, info, close, drain, upgrade, fetch });
  if (options.hostname === "") {
    throw new OptionError('option hostname is empty: use "127.0.0.1", or "0.0.0.0" for all');
  }
  if (options.tls !== undefined) checkTls(options.tls);
  checkUnix(options);
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

/** Throws {@linkcode OptionError} if a handler is not a function. */
export function checkHandlers(handlers: object): void {
  for (const [name, each] of Object.entries(handlers)) {
    if (each === undefined || typeof each === "function") continue;
    throw new OptionError(`option ${name} must be a function`);
  }
}

/** Throws {@linkcode OptionError} if a certificate is invalid. */
export function checkTls(tls: NonNullable<ServeOptions["tls"]>): void {
  const { cert, key, ca, hosts = {} } = tls;
  if (!cert || !key) throw new OptionError("option tls needs both cert and key, as PEM texts");
  checkPem({ cert, key, ...(ca !== undefined && { ca }) }, (words) => new OptionError(words));
  for (const [host, pair] of Object.entries(hosts)) {
    if (!pair?.cert || !pair.key) {
      throw new OptionError(`option tls.hosts needs both cert and key for ${JSON.stringify(host)}`);
    }
    checkPem(pair, (words) => new OptionError(`${words} (in tls.hosts, for ${host})`));
  }
}

function checkUnix(
  { unix, hostname, port, tls }: Pick<ServeOptions, "unix" | "hostname" | "port" | "tls">,
): void {
  if (unix === undefined) return;
  if (typeof unix !== "string" || unix === "" || unix.includes("\0")) {
    throw new OptionError(`option unix is ${JSON.stringify(unix)}: use the path of a socket`);
  }
  for (const [name, value] of Object.entries({ hostname, port, tls })) {
    if (value === undefined) continue;
    throw new OptionError(`options unix and ${name} exclude each other`);
  }
}

/**
 * Returns the checked backpressure options, with values of `otherwise` for options that are not
 * set; `undefined` if `options` is `undefined`. Throws {@linkcode OptionError}.
 */
export function limitsOf(
  options: BackpressureOptions | undefined,
  otherwise: Backpressure,
): Backpressure | undefined {
  if (options === undefined) return undefined;
  checkBackpressure(options, (words) => new OptionError(words));
  return completeBackpressure(options, otherwise);
}

/** Returns the checked settings of compression, or `undefined` if it is off. */
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

/** Returns the checked option `origins`, normalised. Throws {@linkcode OptionError}. */
export function originsOf(option: ServeOptions["origins"]): Origins {
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

/**
 * Returns an integer option, or `fallback` if it is not set. Throws unless it is from `least` to
 * `most`.
 */
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

/**
 * Returns a positive finite option, or `fallback` if it is not set. Throws if it is invalid. With
 * `zeroIsNever`, 0 is allowed.
 */
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

/**
 * Returns the tick interval: a quarter of the shortest time limit, so that limits are enforced
 * closely.
 */
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
