/**
 * Errors of terms: values that cannot be sent, and invalid bytes from a peer.
 *
 * @module
 */

/**
 * The error for a value that cannot be sent: it contains a function, a symbol, an instance of a
 * class or a circular reference, or it is too long or nested too deeply. Nothing was sent, and no
 * other message is lost.
 *
 * @example
 * ```ts
 * import { encodeTerm, TermError } from "@firn/firn/term";
 * import { assertEquals, assertThrows } from "@std/assert";
 *
 * const error = assertThrows(() => encodeTerm({ users: [{ callback() {} }] }), TermError);
 * assertEquals([error.code, error.path.endsWith("users[0].callback")], ["badarg", true]);
 * ```
 */
export class TermError extends Error {
  /** Name of the error class. */
  override readonly name = "TermError";
  /** Stable code. `"badarg"`: the value cannot be sent; `"system_limit"`: it exceeds a limit. */
  readonly code: "badarg" | "system_limit";
  /** Path to the invalid part of the value, such as `message.users[3].callback`. */
  readonly path: string;

  /** `what` describes the fault and follows the path in the message. */
  constructor(path: string, what: string, code: "badarg" | "system_limit" = "badarg") {
    super(`${path} ${what}`);
    this.path = path;
    this.code = code;
  }
}

/**
 * The error for invalid bytes from a peer. The session ends, because the rest of its input cannot
 * be decoded.
 *
 * @example
 * ```ts
 * import { decodeTerm, encodeTerm, ProtocolError } from "@firn/firn/term";
 * import { assertThrows } from "@std/assert";
 *
 * const bytes = encodeTerm("hello");
 * assertThrows(() => decodeTerm(bytes.subarray(0, bytes.length - 1)), ProtocolError);
 * ```
 */
export class ProtocolError extends Error {
  /** Name of the error class. */
  override readonly name = "ProtocolError";
  /** Stable code: `"protocol"`. */
  readonly code = "protocol";
  /** Offset of the fault, in bytes from the beginning of the term or the exit reason. */
  readonly offset: number;
  readonly #what: string;

  /** `what` describes the fault and precedes the offset in the message. */
  constructor(what: string, offset: number) {
    super(`${what}, at byte ${offset}`);
    this.offset = offset;
    this.#what = what;
  }

  /** Returns the same error with its offset increased by `length`. */
  behind(length: number): ProtocolError {
    return new ProtocolError(this.#what, this.offset + length);
  }
}
