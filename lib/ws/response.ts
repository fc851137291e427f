/**
 * Implements the client's side of the opening handshake: RFC 6455, section 4.1. Deterministic.
 *
 *     GET /chat HTTP/1.1                      ──▶ HTTP/1.1 101 Switching Protocols
 *     Host: example.org                           Upgrade: websocket
 *     Upgrade: websocket                          Connection: Upgrade
 *     Connection: Upgrade                         Sec-WebSocket-Accept: …
 *     Sec-WebSocket-Key: …
 *     Sec-WebSocket-Version: 13
 *
 * @module
 */
import { Buffer } from "node:buffer";
import { concat } from "../base/bytes.ts";
import { type DeflateTerms, offerDeflate, readDeflateAnswer } from "./extension.ts";
import { acceptKey, hasToken, parseHeader } from "./handshake.ts";

/** Maximum number of bytes of the head of a response. The attempt fails if it is longer. */
const HEAD_BYTES_MAX = 16 * 1024;

/** The contents of a client's request to open a WebSocket. */
export interface UpgradeRequest {
  /** The path and the query. */
  readonly target: string;
  /** Host and port, as in the URL. */
  readonly host: string;
  /** The value of Sec-WebSocket-Key: 16 random bytes in base64. */
  readonly key: string;
  readonly protocols: readonly string[];
  readonly deflate: DeflateTerms | undefined;
  /** Further headers of the application. */
  readonly headers: Iterable<readonly [string, string]>;
}

/** The result of reading the next bytes of the response. */
export type Answer =
  | { readonly state: "more" }
  /** The WebSocket is open. `early` contains the bytes after the head. */
  | {
    readonly state: "open";
    readonly protocol: string | undefined;
    readonly deflate: DeflateTerms | undefined;
    readonly early: Uint8Array;
  }
  /**
   * The server rejected the request or violated a rule; `status` is that of the response, or 0 if
   * there is none.
   */
  | {
    readonly state: "refused";
    readonly status: number;
    readonly words: string;
    /** The value of the Retry-After header. */
    readonly retryAfter: string | undefined;
  };

/** Encodes a client's request to open a WebSocket. */
export function encodeUpgrade(request: UpgradeRequest): Uint8Array {
  let text = `GET ${request.target} HTTP/1.1\r\nHost: ${request.host}\r\n` +
    `Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Key: ${request.key}\r\n` +
    "Sec-WebSocket-Version: 13\r\n";
  if (request.protocols.length > 0) {
    text += `Sec-WebSocket-Protocol: ${request.protocols.join(", ")}\r\n`;
  }
  if (request.deflate !== undefined) {
    text += `Sec-WebSocket-Extensions: ${offerDeflate(request.deflate)}\r\n`;
  }
  for (const [name, value] of request.headers) text += `${name}: ${value}\r\n`;
  return Buffer.from(`${text}\r\n`, "latin1");
}

/** Reads the response as its bytes arrive. */
export class AnswerReader {
  readonly #request: UpgradeRequest;
  #bytes: Uint8Array = new Uint8Array(0);

  constructor(request: UpgradeRequest) {
    this.#request = request;
  }

  /** Reads the next chunk. Called until it returns something other than "more". */
  push(chunk: Uint8Array): Answer {
    const bytes = this.#bytes = concat([this.#bytes, chunk]);
    const text = Buffer.from(bytes.buffer).toString(
      "latin1",
      0,
      Math.min(bytes.length, HEAD_BYTES_MAX),
    );
    const end = text.indexOf("\r\n\r\n");
    if (end >= 0) return this.#judge(text.slice(0, end), bytes.subarray(end + 4));
    if (bytes.length < HEAD_BYTES_MAX) return { state: "more" };
    return refused(0, "the head of the answer is too long");
  }

  #judge(text: string, early: Uint8Array): Answer {
    const [line, ...lines] = text.split("\r\n");
    const found = /^HTTP\/1\.1 (\d{3})(?: |$)/.exec(line!);
    if (found === null) return refused(0, "the answer is not HTTP/1.1");
    const status = Number(found[1]);
    if (status !== 101) {
      const retryAfter = readHeaders(lines)?.get("retry-after");
      return refused(status, `the server answers ${line!.slice(9, 100)}`, retryAfter);
    }
    const headers = readHeaders(lines);
    if (headers === undefined) return refused(status, "a header of the answer is malformed");
    if (!hasToken(headers.get("upgrade"), "websocket")) {
      return refused(status, "the header Upgrade: websocket is missing");
    }
    if (!hasToken(headers.get("connection"), "upgrade")) {
      return refused(status, "the header Connection: Upgrade is missing");
    }
    if (headers.get("sec-websocket-accept") !== acceptKey(this.#request.key)) {
      return refused(status, "Sec-WebSocket-Accept does not match the key");
    }
    const protocol = headers.get("sec-websocket-protocol");
    if (protocol !== undefined && !this.#request.protocols.includes(protocol)) {
      return refused(status, "the server chose a protocol that was not offered");
    }
    const deflate = readDeflateAnswer(
      headers.get("sec-websocket-extensions"),
      this.#request.deflate,
    );
    if (deflate === undefined) {
      return refused(status, "the server chose extension parameters that were not offered");
    }
    return { state: "open", protocol, deflate: deflate === "none" ? undefined : deflate, early };
  }
}

/**
 * Returns the headers by name in lower case, with repeated ones joined, or `undefined` if one is
 * malformed.
 */
function readHeaders(lines: readonly string[]): Map<string, string> | undefined {
  const headers = new Map<string, string>();
  for (const line of lines) {
    const header = parseHeader(line);
    if (header === undefined) return undefined;
    const [name, value] = header;
    const before = headers.get(name);
    headers.set(name, before === undefined ? value : `${before}, ${value}`);
  }
  return headers;
}

function refused(status: number, words: string, retryAfter?: string): Answer {
  return { state: "refused", status, words, retryAfter };
}
