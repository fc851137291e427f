/**
 * The codec of terms, which are the values that actors can send to other nodes.
 *
 * @module
 */
export type { ExitWord, LinkedReason, ShutdownReason } from "../term/exit.ts";
export { decodeTerm } from "../term/decode.ts";
export { encodeTerm } from "../term/encode.ts";
export { ProtocolError, TermError } from "../term/errors.ts";
export type { Home } from "../term/pid.ts";
