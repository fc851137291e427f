/**
 * What can be wrong with a term: the sender's value, or the peer's bytes.
 *
 * @module
 */

/**
 * A value cannot be sent: it, or something within it, is a function, a symbol, an instance of a class,
 * part of a circle, nested too deep, or too long. Nothing was sent, and nothing else is lost.
 */
export class TermError extends Error {
  /** Tells the class of the error. */
  override readonly name = "TermError";
  /** Stable code: what is wrong with the value, or that it is over a limit. */
  readonly code: "badarg" | "system_limit";
  /** Where in the value, like `message.users[3].callback`. */
  readonly path: string;

  /** `what` follows the path in the message. */
  constructor(path: string, what: string, code: "badarg" | "system_limit" = "badarg") {
    super(`${path} ${what}`);
    this.path = path;
    this.code = code;
  }
}

/** Bytes are no term. The session that they came from is over: what follows cannot be understood. */
export class ProtocolError extends Error {
  /** Tells the class of the error. */
  override readonly name = "ProtocolError";
  /** Stable code: `"protocol"`. */
  readonly code = "protocol";
  /** Where it was noticed, in bytes from the beginning of the term or the exit reason. */
  readonly offset: number;
  readonly #what: string;

  /** `what` is in front of the offset in the message. */
  constructor(what: string, offset: number) {
    super(`${what}, at byte ${offset}`);
    this.offset = offset;
    this.#what = what;
  }

  /** The same for bytes that begin `length` bytes earlier. */
  behind(length: number): ProtocolError {
    return new ProtocolError(this.#what, this.offset + length);
  }
}
