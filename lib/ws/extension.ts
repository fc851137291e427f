/**
 * Parses the header `Sec-WebSocket-Extensions`, and negotiates its parameters: RFC 6455, section
 * 9.1, and RFC 7692, section 7.1. Deterministic.
 *
 *     offer    permessage-deflate; client_max_window_bits, permessage-deflate
 *     answer   permessage-deflate; server_no_context_takeover; client_max_window_bits=12
 *
 * | parameter                     | in an offer                      | in an answer               |
 * |-------------------------------|----------------------------------|----------------------------|
 * | `server_no_context_takeover`  | asks the server to reset its     | the server resets it       |
 * |                               | context after each message       |                            |
 * | `client_no_context_takeover`  | the client offers to reset its   | the client must reset it   |
 * |                               | context after each message       |                            |
 * | `server_max_window_bits=n`    | asks for a server window of at   | the server's window has    |
 * |                               | most 2^n bytes                   | at most 2^n bytes          |
 * | `client_max_window_bits[=n]`  | the client accepts a limit; its  | the client's window must   |
 * |                               | window has at most 2^n bytes     | have at most 2^n bytes     |
 *
 * @module
 */

/** The name of the only supported extension. */
const NAME = "permessage-deflate";

/** Maximum number of offers in a header. A header with more is treated as malformed. */
const OFFERS_MAX = 16;

/** Base-2 logarithm of the smallest window size in bytes. */
export const WINDOW_BITS_MIN = 8;
/** Base-2 logarithm of the largest window size in bytes. */
export const WINDOW_BITS_MAX = 15;

/** One extension in a header. */
export interface Extension {
  readonly name: string;
  /**
   * Names and values of the parameters, in order. The value is `true` for a parameter without one.
   */
  readonly params: readonly (readonly [name: string, value: string | true])[];
}

/** The parameters for the messages of one direction. */
export interface Direction {
  /** Whether the compression context is kept from one message to the next. */
  readonly takeover: boolean;
  /** The base-2 logarithm of the maximum window size in bytes. */
  readonly windowBits: number;
}

/** The negotiated parameters of one connection. */
export interface DeflateTerms {
  /** The parameters of messages from the server to the client. */
  readonly server: Direction;
  /** The parameters of messages from the client to the server. */
  readonly client: Direction;
}

const TOKEN = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/;
const WINDOW_BITS = /^([89]|1[0-5])$/;

/** Parses the header `Sec-WebSocket-Extensions`. Returns `undefined` if it is malformed. */
export function parseExtensions(header: string): Extension[] | undefined {
  const all: Extension[] = [];
  for (const each of splitOutside(header, ",")) {
    // A list may have empty elements: RFC 9110, section 5.6.1.
    if (each.trim() === "") continue;
    const [name, ...params] = splitOutside(each, ";").map((part) => part.trim());
    if (!TOKEN.test(name!) || all.length === OFFERS_MAX) return undefined;
    const parsed = params.map(parseParam);
    if (!parsed.every((param) => param !== undefined)) return undefined;
    all.push({ name: name!, params: parsed });
  }
  return all;
}

function parseParam(text: string): readonly [string, string | true] | undefined {
  const equals = text.indexOf("=");
  if (equals < 0) return TOKEN.test(text) ? [text, true] : undefined;
  const name = text.slice(0, equals).trimEnd();
  let value = text.slice(equals + 1).trimStart();
  if (value.startsWith('"')) {
    if (value.length < 2 || !value.endsWith('"')) return undefined;
    value = value.slice(1, -1).replace(/\\(.)/g, "$1");
  }
  return TOKEN.test(name) && TOKEN.test(value) ? [name, value] : undefined;
}

/** Splits a text at separators outside of quotes. */
function splitOutside(text: string, separator: string): string[] {
  const parts: string[] = [];
  let quoted = false;
  let from = 0;
  for (let at = 0; at < text.length; at++) {
    const char = text[at]!;
    if (quoted && char === "\\") at++;
    else if (char === '"') quoted = !quoted;
    else if (!quoted && char === separator) {
      parts.push(text.slice(from, at));
      from = at + 1;
    }
  }
  parts.push(text.slice(from));
  return parts;
}

/** The parameters of one offer or answer. */
interface Params {
  readonly serverForgets: boolean;
  readonly clientForgets: boolean;
  readonly serverBits: number | undefined;
  /** The value of `client_max_window_bits`; `true` if the parameter has no value. */
  readonly clientBits: number | true | undefined;
}

/** Parses the parameters of one offer or answer; returns `undefined` if one is invalid. */
function readParams({ params }: Extension): Params | undefined {
  const seen = new Map(params);
  // Rejects repeated parameters. Unknown ones remain in `seen`, and are rejected below.
  if (seen.size !== params.length) return undefined;
  const flag = (name: string): boolean | undefined => {
    const value = seen.get(name);
    seen.delete(name);
    return value === undefined ? false : value === true ? true : undefined;
  };
  const bits = (name: string): number | true | undefined | null => {
    const value = seen.get(name);
    seen.delete(name);
    if (value === undefined || value === true) return value;
    return WINDOW_BITS.test(value) ? Number(value) : null;
  };
  const serverForgets = flag("server_no_context_takeover");
  const clientForgets = flag("client_no_context_takeover");
  const serverBits = bits("server_max_window_bits");
  const clientBits = bits("client_max_window_bits");
  if (serverForgets === undefined || clientForgets === undefined || seen.size > 0) return undefined;
  if (serverBits === null || serverBits === true || clientBits === null) return undefined;
  return { serverForgets, clientForgets, serverBits, clientBits };
}

/**
 * Returns the first acceptable offer, with the server's answer to it, or `undefined` if no offer is
 * acceptable. `wish` contains the parameters that the server accepts.
 */
export function acceptDeflate(
  offers: readonly Extension[],
  wish: DeflateTerms,
): { readonly terms: DeflateTerms; readonly answer: string } | undefined {
  for (const offer of offers) {
    const params = offer.name === NAME ? readParams(offer) : undefined;
    if (params === undefined) continue;
    const { serverForgets, clientForgets, serverBits, clientBits } = params;
    const server: Direction = {
      takeover: wish.server.takeover && !serverForgets,
      windowBits: Math.min(wish.server.windowBits, serverBits ?? WINDOW_BITS_MAX),
    };
    // A client that omits client_max_window_bits does not accept a limit.
    const clientMax = clientBits === true ? WINDOW_BITS_MAX : clientBits;
    const client: Direction = {
      takeover: wish.client.takeover && !clientForgets,
      windowBits: clientMax === undefined
        ? WINDOW_BITS_MAX
        : Math.min(wish.client.windowBits, clientMax),
    };
    let answer = NAME;
    if (!server.takeover) answer += "; server_no_context_takeover";
    if (!client.takeover) answer += "; client_no_context_takeover";
    if (serverBits !== undefined || server.windowBits < WINDOW_BITS_MAX) {
      answer += `; server_max_window_bits=${server.windowBits}`;
    }
    if (clientMax !== undefined && client.windowBits < WINDOW_BITS_MAX) {
      answer += `; client_max_window_bits=${client.windowBits}`;
    }
    return { terms: { server, client }, answer };
  }
  return undefined;
}

/** Returns the offer of a client with these limits. */
export function offerDeflate({ server, client }: DeflateTerms): string {
  let offer = NAME;
  if (!server.takeover) offer += "; server_no_context_takeover";
  if (!client.takeover) offer += "; client_no_context_takeover";
  if (server.windowBits < WINDOW_BITS_MAX) offer += `; server_max_window_bits=${server.windowBits}`;
  offer += "; client_max_window_bits";
  if (client.windowBits < WINDOW_BITS_MAX) offer += `=${client.windowBits}`;
  return offer;
}

/**
 * Parses a server's answer to the offer `wish`. Returns `"none"` if the answer has no extension,
 * and `undefined` if the offer does not allow the answer.
 */
export function readDeflateAnswer(
  header: string | undefined,
  wish: DeflateTerms | undefined,
): DeflateTerms | "none" | undefined {
  const all = parseExtensions(header ?? "");
  if (all === undefined || all.length > 1) return undefined;
  const [answer] = all;
  if (answer === undefined) return "none";
  const params = answer.name === NAME && wish !== undefined ? readParams(answer) : undefined;
  if (params === undefined || params.clientBits === true) return undefined;
  const serverBits = params.serverBits ?? WINDOW_BITS_MAX;
  if (serverBits > wish!.server.windowBits || (!wish!.server.takeover && !params.serverForgets)) {
    return undefined;
  }
  return {
    server: { takeover: !params.serverForgets, windowBits: serverBits },
    client: {
      takeover: wish!.client.takeover && !params.clientForgets,
      windowBits: Math.min(wish!.client.windowBits, params.clientBits ?? WINDOW_BITS_MAX),
    },
  };
}
