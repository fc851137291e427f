/**
 * Plain HTTP on the WebSocket port: what requests and responses, which are the platform's own, look
 * like on the wire. Quiet.
 *
 * @module
 */
import { Buffer, isUtf8 } from "node:buffer";
import { concat } from "../base/bytes.ts";
import type { Refusal, RequestHead } from "./handshake.ts";

/** Reason phrases, for people who read the wire; clients ignore them. */
const PHRASES: Readonly<Record<number, string>> = {
  200: "OK",
  201: "Created",
  202: "Accepted",
  204: "No Content",
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

/** Headers that speak of the connection, which is ours, or of a length that we know better. */
const OURS: ReadonlySet<string> = new Set([
  "connection",
  "content-length",
  "keep-alive",
  "transfer-encoding",
  "upgrade",
]);

/** How a body's end is told. */
export type Framing =
  | { readonly kind: "length"; readonly length: number }
  | { readonly kind: "chunked" }
  /** By the end of the connection, or there is none. */
  | { readonly kind: "none" };

/**
 * What an answer says of its connection: that it ends, or how long it is kept for the next request.
 * "upgrade": it ends, for the client is to come again in another protocol.
 */
export type Farewell = "close" | "upgrade" | { readonly keptMs: number };

/** `100 Continue`: the client waits for it before it sends a body. */
export const CONTINUE: Uint8Array = Buffer.from("HTTP/1.1 100 Continue\r\n\r\n");

/** The last chunk of a chunked body. */
export const LAST_CHUNK: Uint8Array = Buffer.from("0\r\n\r\n");

/** The response that refuses a request of this method, if it is known: the words as text. */
export function encodeRefusal(
  { status, words, headers = {} }: Refusal,
  date: string,
  method: string | undefined,
): Uint8Array {
  const body = Buffer.from(`${words}\n`);
  const lines = new Headers({ "Content-Type": "text/plain; charset=utf-8", date, ...headers });
  const farewell = status === 426 ? "upgrade" : "close";
  const head = encodeHead(status, lines, { kind: "length", length: body.length }, farewell);
  return method === "HEAD" ? head : concat([head, body]);
}

/** The head of a response. */
export function encodeHead(
  status: number,
  headers: Headers,
  framing: Framing,
  farewell: Farewell,
  extra: string = "",
): Uint8Array {
  let text = `HTTP/1.1 ${status} ${PHRASES[status] ?? ""}\r\n${extra}`;
  for (const [name, value] of headers) {
    if (!OURS.has(name)) text += `${name}: ${value}\r\n`;
  }
  if (framing.kind === "length") text += `content-length: ${framing.length}\r\n`;
  if (framing.kind === "chunked") text += "transfer-encoding: chunked\r\n";
  return Buffer.from(`${text}${connectionLines(farewell)}\r\n`, "latin1");
}

/** A client that knows how long we wait does not send in the moment in which we close. */
function connectionLines(farewell: Farewell): string {
  if (farewell === "close") return "connection: close\r\n";
  // RFC 9110, section 7.8: who sends `Upgrade` names it in `Connection` too.
  if (farewell === "upgrade") return "upgrade: websocket\r\nconnection: upgrade, close\r\n";
  const seconds = Math.floor(farewell.keptMs / 1000);
  return `connection: keep-alive\r\n${seconds > 0 ? `keep-alive: timeout=${seconds}\r\n` : ""}`;
}

/** A chunk of at most this many bytes is joined into one piece. */
const JOINED_CHUNK_BYTES_MAX = 4096;

const CRLF = Buffer.from("\r\n");

/**
 * One chunk of a chunked body, in the pieces to write. An empty one would end the body and must not be
 * encoded. A long one is not copied.
 */
export function encodeChunk(bytes: Uint8Array): Uint8Array[] {
  const pieces = [Buffer.from(`${bytes.length.toString(16)}\r\n`), bytes, CRLF];
  return bytes.length <= JOINED_CHUNK_BYTES_MAX ? [concat(pieces)] : pieces;
}

/** True for a response that has no body, whatever its headers say. */
export function isBodiless(method: string, status: number): boolean {
  return method === "HEAD" || status === 204 || status === 304;
}

/**
 * How the end of a response is told: by its own `Content-Length`, or else in chunks. `length` may stand
 * beside no body where it says how long the one would be that is left out.
 */
export function framingOf(
  head: RequestHead,
  status: number,
  headers: Headers,
  hasBody: boolean,
): Framing {
  // RFC 9110, section 8.6.
  if (status === 204) return { kind: "none" };
  const bodiless = isBodiless(head.method, status);
  if (!hasBody && !bodiless) return { kind: "length", length: 0 };
  const length = headers.get("content-length");
  if (length !== null && /^\d+$/.test(length)) return { kind: "length", length: Number(length) };
  if (status === 304) return { kind: "none" };
  // After HEAD too: there are clients that wait for the end of the connection where nothing is said.
  return head.version === "1.1" ? { kind: "chunked" } : { kind: "none" };
}

/**
 * The type of a body whose platform does not name it: Bun's class has no type for a string, which a
 * browser would then guess, and run as HTML what is a user's text. Returns a header line.
 */
export function guessType(bytes: Uint8Array): string {
  // The last character may be cut off.
  let end = bytes.length;
  while (end > 0 && bytes.length - end < 3 && bytes[end - 1]! >= 0x80) end--;
  const isText = isUtf8(bytes) || isUtf8(bytes.subarray(0, end)) ||
    isUtf8(bytes.subarray(0, Math.max(0, end - 1)));
  return `content-type: ${isText ? "text/plain;charset=utf-8" : "application/octet-stream"}\r\n`;
}
