/**
 * Why a question about an actor or a node was not answered.
 *
 * @module
 */

/** Why, in one word. */
export type ObserveFailure =
  /** The node does not permit it: see `NodeOptions.observe`. */
  | "denied"
  /** There is no such actor, or it has exited. */
  | "noproc"
  /** There is no session with the node, or it was lost. */
  | "noconnection"
  /** The node did not answer in time. */
  | "timeout"
  /** The node answers as many questions as it does at once. */
  | "busy"
  /** The node runs a version without this function, or it does not apply to this actor. */
  | "unsupported"
  /** An argument is invalid. */
  | "badarg";

/** A question about an actor or a node was not answered. */
export class ObserveError extends Error {
  /** Name of the error class. */
  override readonly name = "ObserveError";
  /** The reason. */
  readonly code: ObserveFailure;

  /** Creates an error with its code and message. */
  constructor(code: ObserveFailure, message: string) {
    super(message);
    this.code = code;
  }
}
