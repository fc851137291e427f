/**
 * Defines close codes, and encodes and parses the payload of close frames: RFC 6455, section 7.4.
 *
 *     ┌──────────┬─────────────────────────────┐
 *     │ code u16 │ reason, UTF-8, 0..123 bytes │      or empty
 *     └──────────┴─────────────────────────────┘
 *
 * @module
 */
import { EMPTY, utf8Text } from "../base/bytes.ts";

/** The close codes that have a name: RFC 6455, section 7.4.1, and the IANA registry. */
export const CLOSE_CODES = {
  normal: 1000, // the connection was closed normally
  goingAway: 1001, // the server stops, or the user has left the page
  protocolError: 1002,
  unsupportedData: 1003,
  noStatus: 1005, // never sent: reported if the peer's close frame had no code
  abnormal: 1006, // never sent: reported if no close frame arrived
  invalidPayload: 1007, // a text message was not UTF-8
  policyViolation: 1008,
  messageTooBig: 1009,
  mandatoryExtension: 1010, // sent by clients: the server did not agree to a required extension
  internalError: 1011,
  serviceRestart: 1012,
  tryAgainLater: 1013,
  badGateway: 1014,
} as const;

/**
 * Maximum length of the reason of a close frame, in bytes: a control frame has at most 125, and the
 * code takes two.
 */
const REASON_BYTES_MAX = 123;

/**
 * The error for a close code that must not be sent.
 *
 * @example
 * ```ts
 * import { connect, Node } from "@firn/firn";
 * import { CloseCodeError } from "@firn/firn/ws";
 * import { assertThrows } from "@std/assert";
 *
 * await using node = await Node.start({ logLevel: "silent" });
 * const server = await node.serve({});
 * await using client = await connect(server.url);
 * assertThrows(() => client.connection.close(1006), CloseCodeError);
 * ```
 */
export class CloseCodeError extends RangeError {
  /** The name of the class. */
  override readonly name = "CloseCodeError";
  /** Stable code: `"badclosecode"`. */
  readonly code = "badclosecode";
}

/** The result of parsing a close frame: its code and reason, or the rule that it violates. */
export type CloseFrame =
  | { readonly ok: true; readonly code: number; readonly reason: string }
  | { readonly ok: false; readonly rule: "closeLength" | "closeCode" | "closeReason" };

/** Returns whether a close frame with this code is valid. */
export function isWireCode(code: number): boolean {
  if (code >= 3000) return code <= 4999;
  if (code < 1000 || code > 1014) return false;
  return code !== 1004 && code !== CLOSE_CODES.noStatus && code !== CLOSE_CODES.abnormal;
}

/** Throws {@linkcode CloseCodeError} unless this library may send the code. */
export function checkCloseCode(code: number): void {
  const ours = Number.isInteger(code) && isWireCode(code) &&
    code !== CLOSE_CODES.mandatoryExtension;
  if (ours) return;
  throw new CloseCodeError(
    `cannot close with code ${code}: use 1000 to 1003, 1007 to 1009, 1011 to 1014 or 3000 to 4999`,
  );
}

/** Parses the payload of a close frame. An empty payload has the code 1005: no status. */
export function parseClose(payload: Uint8Array): CloseFrame {
  if (payload.length === 0) return { ok: true, code: CLOSE_CODES.noStatus, reason: "" };
  if (payload.length === 1) return { ok: false, rule: "closeLength" };
  const code = (payload[0]! << 8) | payload[1]!;
  if (!isWireCode(code)) return { ok: false, rule: "closeCode" };
  const reason = utf8Text(payload.subarray(2));
  if (reason === undefined) return { ok: false, rule: "closeReason" };
  return { ok: true, code, reason };
}

/** Encodes the payload of a close frame. A long reason is truncated at a character boundary. */
export function buildClose(code: number, reason: string): Uint8Array {
  if (code === CLOSE_CODES.noStatus) return EMPTY;
  const payload = new Uint8Array(2 + REASON_BYTES_MAX);
  payload[0] = code >> 8;
  payload[1] = code & 0xff;
  // `encodeInto` writes complete characters only.
  const { written } = new TextEncoder().encodeInto(reason, payload.subarray(2));
  return payload.subarray(0, 2 + written);
}
