/**
 * Implements the server's side of the opening handshake: RFC 6455, section 4.2, over RFC 9112.
 * Deterministic.
 *
 *     GET /path HTTP/1.1                          HTTP/1.1 101 Switching Protocols
 *     Host: example.org                           Upgrade: websocket
 *     Upgrade: websocket                    ──▶   Connection: Upgrade
 *     Connection: Upgrade                         Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=
 *     Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==
 *     Sec-WebSocket-Version: 13
 *
 * The reader rejects everything on which a proxy and this server could disagree about the end or
 * the meaning of a request: bare line feeds, folded lines, NULs, spaces before a colon, repeated
 * headers.
 *
 * @module
 */
import { createHash } from "node:crypto";
import { Buffer } from "node:buffer";
import { EMPTY } from "../base/bytes.ts";
import { type Extension, parseExtensions } from "./extension.ts";

/** Maximum number of bytes of the head of a request. A longer head is answered with 431. */
const HEAD_BYTES_MAX = 16 * 1024;

/** Initial size of the buffer for a head that arrives in pieces, in bytes. */
const HEAD_BYTES_SMALL = 512;

/**
 * Maximum number of bytes of the request line. A request with a longer line is answered with 414.
 */
const REQUEST_LINE_BYTES_MAX = 8 * 1024;

/** Maximum number of headers of a request. A request with more headers is answered with 431. */
const HEADERS_MAX = 100;

/** Headers that may occur only once. A request that repeats one is answered with 400. */
const SINGLE_HEADERS: ReadonlySet<string> = new Set([
  "content-length",
  "host",
  "origin",
  "sec-websocket-key",
  "sec-websocket-version",
  "transfer-encoding",
]);

const METHOD = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/;
const FIELD_NAME = METHOD;
// Matches the value of a header: visible characters, spaces, tabs and non-ASCII bytes.
// deno-lint-ignore no-control-regex
const FIELD_VALUE = /^[^\x00-\x08\x0a-\x1f\x7f]*$/;
// Matches a request target: a path, a complete URL as clients send it to proxies, or the asterisk
// of OPTIONS.
const TARGET = /^(\/[\x21-\x7e]*|https?:\/\/[\x21-\x7e]+|\*)$/i;
const HOST = /^[^\s/?#@\\]+$/;
/**
 * Matches a valid head, from its first byte to the empty line. Other heads are read byte by byte,
 * which finds the first invalid byte. The expression is unambiguous, so it runs in linear time.
 */
const WHOLE_HEAD =
  // deno-lint-ignore no-control-regex
  /^([!#$%&'*+\-.^_`|~0-9A-Za-z]+) (\/[\x21-\x7e]*|[Hh][Tt][Tt][Pp][Ss]?:\/\/[\x21-\x7e]+|\*) HTTP\/1\.([01])\r\n(?:[!#$%&'*+\-.^_`|~0-9A-Za-z]+:[^\x00-\x08\x0a-\x1f\x7f]*\r\n)*\r\n/;
const KEY = /^[A-Za-z0-9+/]{22}==$/;
const KEY_SUFFIX = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";

/** The rejection of a request: the status, the text for the client, and headers. */
export interface Refusal {
  readonly status: number;
  readonly words: string;
  readonly headers?: Readonly<Record<string, string>>;
}

/** The head of a request. */
export interface RequestHead {
  readonly method: string;
  readonly target: string;
  readonly version: "1.0" | "1.1";
  /** Headers with names in lower case, in order. */
  readonly headers: readonly (readonly [name: string, value: string])[];
}

/** The result of reading the next bytes of a request's head. */
export type HeadProgress =
  | { readonly state: "more" }
  /** The head is complete. The bytes of the chunk from offset `rest` on follow the head. */
  | { readonly state: "head"; readonly head: RequestHead; readonly rest: number }
  | { readonly state: "refused"; readonly refusal: Refusal };

const MORE: HeadProgress = { state: "more" };

/** `Buffer.prototype.toString`, which is called with any `Uint8Array` as `this`. */
const decode: (encoding: "latin1", start: number, end: number) => string =
  Buffer.prototype.toString;

/** Reads the heads of one connection's requests as their bytes arrive. */
export class HeadReader {
  #bytes: Uint8Array = EMPTY;
  #length = 0;
  #lines = 0;
  /** Offset of the current line. */
  #lineAt = 0;
  /** The `Host` of the last request. It was valid, so an equal one is not checked again. */
  #host: string | undefined = undefined;

  /** Reads the next chunk. Called until it returns something other than "more". */
  push(chunk: Uint8Array): HeadProgress {
    const whole = this.#length === 0 ? readWhole(chunk) : undefined;
    return whole === undefined ? this.#read(chunk) : this.#judge(whole.head, whole.rest);
  }

  /** Prepares the reader for the next request. */
  reset(): void {
    if (this.#length === 0) return;
    this.#bytes = EMPTY;
    this.#length = 0;
    this.#lines = 0;
    this.#lineAt = 0;
  }

  /** Checks a complete head. The bytes of the chunk from offset `rest` on follow the head. */
  #judge(head: RequestHead, rest: number): HeadProgress {
    const host = headerOf(head, "host");
    const refusal = checkHead(head, host, host === this.#host);
    if (refusal !== undefined) return { state: "refused", refusal };
    this.#host = host;
    return { state: "head", head, rest };
  }

  #read(chunk: Uint8Array): HeadProgress {
    for (let at = 0; at < chunk.length; at++) {
      const byte = chunk[at]!;
      if (this.#length === HEAD_BYTES_MAX) return refused(431, "the request's head is too long");
      if (this.#length === this.#bytes.length) this.#grow();
      const before = this.#length === 0 ? 0 : this.#bytes[this.#length - 1];
      this.#bytes[this.#length++] = byte;
      if (byte === 0x0a) {
        if (before !== 0x0d) return refused(400, "a line ends without a carriage return");
        const empty = this.#length - this.#lineAt === 2;
        this.#lineAt = this.#length;
        if (empty) {
          // Empty lines before the request are skipped, because some clients send one or two.
          if (this.#lines > 0) return this.#parse(at + 1);
          if (this.#length > 4) return refused(400, "the request is empty");
        } else if (++this.#lines > HEADERS_MAX + 1) return refused(431, "too many headers");
      } else if (before === 0x0d) {
        return refused(400, "a carriage return without a line feed");
      } else if (byte === 0) {
        return refused(400, "a NUL stands in the head");
      } else if (this.#lines === 0 && this.#length - this.#lineAt > REQUEST_LINE_BYTES_MAX) {
        return refused(414, "the request line is too long");
      }
    }
    return MORE;
  }

  #grow(): void {
    const size = Math.max(HEAD_BYTES_SMALL, this.#bytes.length * 2);
    const grown = new Uint8Array(Math.min(HEAD_BYTES_MAX, size));
    grown.set(this.#bytes);
    this.#bytes = grown;
  }

  #parse(rest: number): HeadProgress {
    const text = Buffer.from(this.#bytes.buffer).toString("latin1", 0, this.#length - 4);
    const [first, ...lines] = text.replace(/^(\r\n)+/, "").split("\r\n");
    const words = first!.split(" ");
    const [method, target, protocol] = words;
    if (words.length !== 3 || !METHOD.test(method!) || !TARGET.test(target!)) {
      return refused(400, "the request line is malformed");
    }
    if (protocol !== "HTTP/1.1" && protocol !== "HTTP/1.0") {
      return /^HTTP\/\d\.\d$/.test(protocol!)
        ? refused(505, "this server speaks HTTP/1.1")
        : refused(400, "the request line is malformed");
    }
    const headers: [string, string][] = [];
    for (const line of lines) {
      const header = parseHeader(line);
      if (header === undefined) return refused(400, "a header is malformed");
      if (SINGLE_HEADERS.has(header[0]) && headers.some(([name]) => name === header[0])) {
        return refused(400, `the header ${header[0]} stands twice`);
      }
      headers.push(header);
    }
    const version = protocol === "HTTP/1.1" ? "1.1" : "1.0";
    return this.#judge({ method: method!, target: target!, version, headers }, rest);
  }
}

/** Reads a valid head from one chunk; returns `undefined` for any other. */
function readWhole(chunk: Uint8Array): { head: RequestHead; rest: number } | undefined {
  // Called on the chunk itself, because wrapping it in a Buffer costs more than decoding it.
  const text = decode.call(chunk, "latin1", 0, Math.min(chunk.length, HEAD_BYTES_MAX));
  const found = WHOLE_HEAD.exec(text);
  if (found === null) return undefined;
  const [{ length }, method, target, minor] = found;
  let at = text.indexOf("\r\n") + 2;
  if (at > REQUEST_LINE_BYTES_MAX) return undefined;
  const headers: [string, string][] = [];
  while (at < length - 2) {
    const colon = text.indexOf(":", at);
    const end = text.indexOf("\r\n", colon);
    const name = text.slice(at, colon).toLowerCase();
    if (SINGLE_HEADERS.has(name) && headers.some(([each]) => each === name)) return undefined;
    headers.push([name, trimmed(text, colon + 1, end)]);
    at = end + 2;
  }
  if (headers.length > HEADERS_MAX) return undefined;
  const version = minor === "1" ? "1.1" : "1.0";
  return { head: { method: method!, target: target!, version, headers }, rest: length };
}

/** Returns a part of a line without surrounding spaces and tabs. */
function trimmed(text: string, from: number, to: number): string {
  let [start, end] = [from, to];
  while (start < end && isBlank(text.charCodeAt(start))) start++;
  while (end > start && isBlank(text.charCodeAt(end - 1))) end--;
  return text.slice(start, end);
}

function isBlank(code: number): boolean {
  return code === 0x20 || code === 0x09;
}

/** Returns the value of a header, or of all headers of that name joined by commas. */
export function headerOf(head: RequestHead, name: string): string | undefined {
  let value: string | undefined;
  for (const [each, text] of head.headers) {
    if (each === name) value = value === undefined ? text : `${value}, ${text}`;
  }
  return value;
}

/** Returns whether a request tries to open a WebSocket, correctly or not. */
export function wantsWebSocket(head: RequestHead): boolean {
  return hasToken(headerOf(head, "upgrade"), "websocket") ||
    headerOf(head, "sec-websocket-key") !== undefined;
}

/** Returns the rejection of an invalid WebSocket request, or `undefined` if it is valid. */
export function checkUpgrade(head: RequestHead): Refusal | undefined {
  if (head.method !== "GET") {
    return { status: 405, words: "a WebSocket is opened with GET", headers: { Allow: "GET" } };
  }
  if (head.version !== "1.1") return { status: 400, words: "a WebSocket needs HTTP/1.1" };
  if (!hasToken(headerOf(head, "upgrade"), "websocket")) {
    return { status: 400, words: "the header Upgrade: websocket is missing" };
  }
  if (!hasToken(headerOf(head, "connection"), "upgrade")) {
    return { status: 400, words: "the header Connection: Upgrade is missing" };
  }
  if (headerOf(head, "sec-websocket-version") !== "13") {
    return {
      status: 426,
      words: "this server supports only version 13 of the protocol",
      headers: { "Sec-WebSocket-Version": "13" },
    };
  }
  if (!KEY.test(headerOf(head, "sec-websocket-key") ?? "")) {
    return { status: 400, words: "Sec-WebSocket-Key is not 16 bytes in base64" };
  }
  if ((headerOf(head, "content-length") ?? "0") !== "0" || headerOf(head, "transfer-encoding")) {
    return { status: 400, words: "a request to open a WebSocket has no body" };
  }
  if (!offeredProtocols(head).every(isToken)) {
    return { status: 400, words: "the header Sec-WebSocket-Protocol is malformed" };
  }
  if (offeredExtensions(head) === undefined) {
    return { status: 400, words: "the header Sec-WebSocket-Extensions is malformed" };
  }
  return undefined;
}

/**
 * Returns the extensions that the client offers, in order, or `undefined` if the header is
 * malformed.
 */
export function offeredExtensions(head: RequestHead): Extension[] | undefined {
  return parseExtensions(headerOf(head, "sec-websocket-extensions") ?? "");
}

/** Returns the subprotocols that the client offers, in order. */
export function offeredProtocols(head: RequestHead): string[] {
  const offered = headerOf(head, "sec-websocket-protocol") ?? "";
  return offered.split(",").map((each) => each.trim()).filter((each) => each !== "");
}

/** Returns the value of Sec-WebSocket-Accept for a key. */
export function acceptKey(key: string): string {
  return createHash("sha1").update(key + KEY_SUFFIX).digest("base64");
}

/** Encodes the 101 response. `headers` must not contain headers of the handshake. */
export function acceptAnswer(
  head: RequestHead,
  protocol: string | undefined,
  extensions: string | undefined,
  headers: Iterable<readonly [string, string]>,
): Uint8Array {
  let text = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n" +
    `Sec-WebSocket-Accept: ${acceptKey(headerOf(head, "sec-websocket-key") ?? "")}\r\n`;
  if (protocol !== undefined) text += `Sec-WebSocket-Protocol: ${protocol}\r\n`;
  if (extensions !== undefined) text += `Sec-WebSocket-Extensions: ${extensions}\r\n`;
  for (const [name, value] of headers) text += `${name}: ${value}\r\n`;
  return Buffer.from(text + "\r\n", "latin1");
}

/**
 * Returns the rejection of an invalid request of any kind, or `undefined` if it is valid. `isKnown`
 * is whether the host was checked before.
 */
function checkHead(
  head: RequestHead,
  host: string | undefined,
  isKnown: boolean,
): Refusal | undefined {
  if (host === undefined && head.version === "1.1") {
    return { status: 400, words: "the header Host is missing" };
  }
  if (host !== undefined && !isKnown && !(HOST.test(host) && URL.canParse(`http://${host}/`))) {
    return { status: 400, words: "the header Host is malformed" };
  }
  const length = headerOf(head, "content-length");
  if (length !== undefined && !/^\d{1,15}$/.test(length)) {
    return { status: 400, words: "the header Content-Length is malformed" };
  }
  const coding = headerOf(head, "transfer-encoding")?.toLowerCase();
  if (coding === undefined) return undefined;
  if (length !== undefined) {
    return { status: 400, words: "Content-Length and Transfer-Encoding exclude each other" };
  }
  if (head.version === "1.0") {
    return { status: 400, words: "HTTP/1.0 has no Transfer-Encoding: send a Content-Length" };
  }
  return coding === "chunked" ? undefined : checkCoding(coding);
}

/**
 * Returns the rejection of a transfer coding other than "chunked": RFC 9112, sections 6.1 and 6.3.
 */
function checkCoding(coding: string): Refusal {
  const codings = coding.split(",").map((each) => each.trim());
  // A request whose last coding is not "chunked" is invalid, because the end of its body is
  // unknown. So is a request that repeats "chunked".
  return codings.indexOf("chunked") === codings.length - 1
    ? { status: 501, words: "this server supports only the transfer coding chunked" }
    : { status: 400, words: "the header Transfer-Encoding must be chunked" };
}

/**
 * Parses a header line into the name, in lower case, and the value; returns `undefined` if it is
 * malformed.
 */
export function parseHeader(line: string): [string, string] | undefined {
  const colon = line.indexOf(":");
  if (colon < 1) return undefined;
  const name = line.slice(0, colon);
  const value = line.slice(colon + 1).replace(/^[ \t]+|[ \t]+$/g, "");
  if (!FIELD_NAME.test(name) || !FIELD_VALUE.test(value)) return undefined;
  return [name.toLowerCase(), value];
}

/** Returns whether a text is a token: RFC 9110, section 5.6.2. */
export function isToken(text: string): boolean {
  return FIELD_NAME.test(text);
}

/** Returns whether a comma-separated list contains a token, ignoring case. */
export function hasToken(list: string | undefined, token: string): boolean {
  if (list === undefined) return false;
  return list.split(",").some((each) => each.trim().toLowerCase() === token);
}

function refused(status: number, words: string): HeadProgress {
  return { state: "refused", refusal: { status, words } };
}
