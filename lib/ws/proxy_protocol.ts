/**
 * Reads the header that a proxy sends before the client's bytes, with the client's address: the
 * PROXY protocol, versions 1 (text) and 2 (binary), as HAProxy defines it. Deterministic.
 *
 *     version 1   PROXY TCP4 192.0.2.1 192.0.2.9 51234 443 CRLF
 *     version 2   12 bytes of signature, version and command, family, length u16, addresses, extensions
 *
 * @module
 */
import { Buffer } from "node:buffer";
import { isIP } from "node:net";
import { concat, EMPTY } from "../base/bytes.ts";
import type { Address } from "../host/stream.ts";

const SIGNATURE = Buffer.from("\r\n\r\n\0\r\nQUIT\n", "latin1");
const LINE_BYTES_MAX = 107;
/** Maximum number of bytes of a header, extensions included. A longer header is malformed. */
const HEADER_BYTES_MAX = 4096;

/** The result of reading the next bytes of the header. */
export type ProxyProgress =
  | { readonly state: "more" }
  | { readonly state: "malformed" }
  /**
   * The header is complete. `client` is undefined for the proxy's own connections, such as health
   * checks.
   */
  | {
    readonly state: "header";
    readonly client: Address | undefined;
    /** The bytes that follow the header. */
    readonly rest: Uint8Array;
  };

const MORE: ProxyProgress = { state: "more" };
const MALFORMED: ProxyProgress = { state: "malformed" };

/** Reads one header as its bytes arrive. */
export class ProxyReader {
  #bytes: Uint8Array = EMPTY;

  /** Reads the next bytes. Called until it returns something other than "more". */
  push(chunk: Uint8Array): ProxyProgress {
    const bytes = this.#bytes = concat([this.#bytes, chunk]);
    const seen = Math.min(bytes.length, SIGNATURE.length);
    if (SIGNATURE.subarray(0, seen).equals(bytes.subarray(0, seen))) return this.#binary(bytes);
    return this.#text(bytes);
  }

  #text(bytes: Uint8Array): ProxyProgress {
    const text = Buffer.from(bytes.subarray(0, LINE_BYTES_MAX)).toString("latin1");
    if (!text.startsWith("PROXY ".slice(0, text.length))) return MALFORMED;
    const end = text.indexOf("\r\n");
    if (end < 0) return bytes.length < LINE_BYTES_MAX ? MORE : MALFORMED;
    const rest = bytes.slice(end + 2);
    const [, family, source = "", destination = "", port = "", to = "", ...more] = text
      .slice(0, end).split(" ");
    if (family === "UNKNOWN") return { state: "header", client: undefined, rest };
    const kind = family === "TCP4" ? 4 : family === "TCP6" ? 6 : 0;
    const isRight = kind !== 0 && isIP(source) === kind && isIP(destination) === kind &&
      isPort(port) && isPort(to) && more.length === 0;
    if (!isRight) return MALFORMED;
    return { state: "header", client: { hostname: source, port: Number(port) }, rest };
  }

  #binary(bytes: Uint8Array): ProxyProgress {
    if (bytes.length < 16) return MORE;
    const view = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
    const version = bytes[12]! >> 4;
    const command = bytes[12]! & 15;
    const length = 16 + view.readUInt16BE(14);
    if (version !== 2 || command > 1 || length > HEADER_BYTES_MAX) return MALFORMED;
    if (bytes.length < length) return MORE;
    const rest = bytes.slice(length);
    const family = bytes[13]! >> 4;
    if (command === 0 || family === 0 || family === 3) {
      return { state: "header", client: undefined, rest };
    }
    const size = family === 1 ? 4 : family === 2 ? 16 : 0;
    if (size === 0 || length < 16 + 2 * size + 4) return MALFORMED;
    const hostname = addressText(view.subarray(16, 16 + size));
    const port = view.readUInt16BE(16 + 2 * size);
    return { state: "header", client: { hostname, port }, rest };
  }
}

function isPort(text: string): boolean {
  return /^(0|[1-9]\d{0,4})$/.test(text) && Number(text) <= 65535;
}

function addressText(bytes: Buffer): string {
  if (bytes.length === 4) return bytes.join(".");
  const groups = Array.from({ length: 8 }, (_, i) => bytes.readUInt16BE(2 * i).toString(16));
  return new URL(`http://[${groups.join(":")}]/`).hostname.slice(1, -1);
}
