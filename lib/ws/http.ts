/**
 * Encodes HTTP responses. Requests and responses are the platform's classes. Deterministic.
 *
 * @module
 */
import { Buffer, isUtf8 } from "node:buffer";
import { concat, EMPTY, utf8 } from "../base/bytes.ts";
import { hasToken, type Refusal, type RequestHead } from "./handshake.ts";

/** Reason phrases by status, for human readers; clients ignore them. */
const PHRASES: Readonly<Record<number, string>> = {
  200: "OK",
  201: "Created",
  202: "Accepted",
  204: "No Content",
  205: "Reset Content",
  206: "Partial Content",
  301: "Moved Permanently",
  302: "Found",
  303: "See Other",
  304: "Not Modified",
  307: "Temporary Redirect",
  308: "Permanent Redirect",
  400: "Bad Request",
  401: "Unauthorized",
  403: "Forbidden",
  404: "Not Found",
  405: "Method Not Allowed",
  408: "Request Timeout",
  409: "Conflict",
  410: "Gone",
  411: "Length Required",
  413: "Content Too Large",
  414: "URI Too Long",
  416: "Range Not Satisfiable",
  422: "Unprocessable Content",
  426: "Upgrade Required",
  429: "Too Many Requests",
  431: "Request Header Fields Too Large",
  500: "Internal Server Error",
  501: "Not Implemented",
  502: "Bad Gateway",
  503: "Service Unavailable",
  504: "Gateway Timeout",
  505: "HTTP Version Not Supported",
};

/** Headers that only the server sets: those that describe the connection or the end of the body. */
const SERVER_HEADERS: ReadonlySet<string> = new Set([
  "connection",
  "content-length",
  "keep-alive",
  "transfer-encoding",
  "upgrade",
]);

/** The way in which the end of a body is marked. */
export type Framing =
  | { readonly kind: "length"; readonly length: number }
  | { readonly kind: "chunked" }
  /** The body ends with the connection, or there is no body. */
  | { readonly kind: "none" };

/**
 * What happens to the connection after a response: "close": it is closed. "upgrade": it is closed,
 * and the response asks the client to switch to WebSocket. Otherwise it is kept for `keptMs`
 * milliseconds for the next request.
 */
export type Persistence = "close" | "upgrade" | { readonly keptMs: number };

/** The encoded response `100 Continue`, for which a client may wait before it sends a body. */
export const CONTINUE: Uint8Array = Buffer.from("HTTP/1.1 100 Continue\r\n\r\n");

/** The last chunk of a chunked body. */
export const LAST_CHUNK: Uint8Array = Buffer.from("0\r\n\r\n");

/** The encoded headers of a response. */
export interface ResponseLines {
  /** The headers as sent, without those that the server sets. */
  readonly text: string;
  readonly isAscii: boolean;
  readonly hasDate: boolean;
  readonly hasType: boolean;
  /** Whether the Connection header contains "close". */
  readonly closes: boolean;
  /** The value of the Content-Length header, if it is a number. */
  readonly length: number | undefined;
}

/** Encodes the headers of a response. */
export function linesOf(headers: Headers): ResponseLines {
  let text = "";
  let [hasDate, hasType, closes] = [false, false, false];
  let length: number | undefined;
  headers.forEach((value, name) => {
    if (!SERVER_HEADERS.has(name)) text += `${name}: ${value}\r\n`;
    if (name === "date") hasDate = true;
    else if (name === "content-type") hasType = true;
    else if (name === "connection") closes = hasToken(value, "close");
    else if (name === "content-length" && /^\d+$/.test(value)) length = Number(value);
  });
  return { text, isAscii: isAscii(text), hasDate, hasType, closes, length };
}

/** Encodes the response that rejects a request, with a text body. */
export function encodeRefusal(
  { status, words, headers = {} }: Refusal,
  date: string,
  method: string | undefined,
): Uint8Array {
  const body = utf8(`${words}\n`);
  const lines = new Headers({ "Content-Type": "text/plain; charset=utf-8", date, ...headers });
  const persistence = status === 426 ? "upgrade" : "close";
  const framing: Framing = { kind: "length", length: body.length };
  const read = linesOf(lines);
  const head = encodeHead(headOf(status, read.text, framing, persistence), read.isAscii);
  return method === "HEAD" ? head : concat([head, body]);
}

/** Returns the head of a response with the headers `lines`. Each character stands for one byte. */
export function headOf(
  status: number,
  lines: string,
  framing: Framing,
  persistence: Persistence,
): string {
  let text = `HTTP/1.1 ${status} ${PHRASES[status] ?? ""}\r\n${lines}`;
  if (framing.kind === "length") text += `content-length: ${framing.length}\r\n`;
  if (framing.kind === "chunked") text += "transfer-encoding: chunked\r\n";
  return `${text}${connectionLines(persistence)}\r\n`;
}

/**
 * Encodes the text `head`, followed by the bytes `body`. `head` may end with a body that is ASCII.
 * `isAscii` is whether the headers are ASCII.
 */
export function encodeHead(head: string, isAscii: boolean, body: Uint8Array = EMPTY): Uint8Array {
  const bytes = Buffer.allocUnsafe(head.length + body.length);
  // Deno encodes a text as UTF-8 in a fifth of the time that Latin-1 takes.
  bytes.write(head, isAscii ? "utf8" : "latin1");
  if (body.length > 0) bytes.set(body, head.length);
  return bytes;
}

/** Returns whether a text is ASCII, so that it has the same bytes in UTF-8 and in Latin-1. */
export function isAscii(text: string): boolean {
  // deno-lint-ignore no-control-regex
  return /^[\x00-\x7f]*$/.test(text);
}

/**
 * Returns the header lines about the connection. They state how long the connection is kept, so
 * that clients do not send a request while the server closes the connection.
 */
function connectionLines(persistence: Persistence): string {
  if (persistence === "close") return "connection: close\r\n";
  // RFC 9110, section 7.8: `Upgrade` must be listed in `Connection` too.
  if (persistence === "upgrade") return "upgrade: websocket\r\nconnection: upgrade, close\r\n";
  const seconds = Math.floor(persistence.keptMs / 1000);
  return `connection: keep-alive\r\n${seconds > 0 ? `keep-alive: timeout=${seconds}\r\n` : ""}`;
}

/** Maximum length in bytes of a chunk that is copied into one buffer with the lines around it. */
const JOINED_CHUNK_BYTES_MAX = 4096;

const CRLF = Buffer.from("\r\n");

/**
 * Encodes one chunk of a chunked body as buffers to write. The bytes of a long chunk are not
 * copied. `bytes` must not be empty, because an empty chunk ends the body.
 */
export function encodeChunk(bytes: Uint8Array): Uint8Array[] {
  const pieces = [Buffer.from(`${bytes.length.toString(16)}\r\n`), bytes, CRLF];
  return bytes.length <= JOINED_CHUNK_BYTES_MAX ? [concat(pieces)] : pieces;
}

/** Returns whether a response has no body, regardless of its headers. */
export function isBodiless(method: string, status: number): boolean {
  return method === "HEAD" || status === 204 || status === 304;
}

/**
 * Returns how the end of a response is marked: by `Content-Length` if the length is known,
 * otherwise by chunks, or by the end of an HTTP/1.0 connection. For HEAD, `length` is that of the
 * omitted body.
 */
export function framingOf(
  head: RequestHead,
  status: number,
  length: number | undefined,
  hasBody: boolean,
): Framing {
  // RFC 9110, section 8.6: a 204 response has no Content-Length.
  if (status === 204) return { kind: "none" };
  const bodiless = isBodiless(head.method, status);
  if (!hasBody && !bodiless) return { kind: "length", length: 0 };
  if (length !== undefined) return { kind: "length", length };
  if (status === 304) return { kind: "none" };
  // A response to HEAD is framed too, because otherwise some clients wait for the end of the
  // connection.
  return head.version === "1.1" ? { kind: "chunked" } : { kind: "none" };
}

/**
 * Whether the platform's `Response` sets the content type of a text, as the Fetch standard
 * requires: true on Deno.
 */
const HAS_TYPES: boolean = new Response("").headers.has("content-type");

/**
 * Returns the Content-Type line for a body whose response does not set a type. Bun's `Response`
 * does not set one for a string; a browser would then guess the type, and might run a user's text
 * as HTML.
 */
export function typeLine(bytes: Uint8Array): string {
  if (HAS_TYPES || bytes.length === 0) return "";
  // The bytes may be only the start of a body, and end inside a character.
  let end = bytes.length;
  while (end > 0 && bytes.length - end < 3 && bytes[end - 1]! >= 0x80) end--;
  const isText = isUtf8(bytes) || isUtf8(bytes.subarray(0, end)) ||
    isUtf8(bytes.subarray(0, Math.max(0, end - 1)));
  return `content-type: ${isText ? "text/plain;charset=utf-8" : "application/octet-stream"}\r\n`;
}
