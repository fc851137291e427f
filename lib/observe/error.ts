/**
 * Defines the error with which a failed request for observation rejects.
 *
 * @module
 */

/**
 * Codes of {@linkcode ObserveError}.
 *
 * - `"denied"`: the node does not permit the request: see `NodeOptions.observe`;
 * - `"noproc"`: there is no such actor, or it has exited;
 * - `"noconnection"`: there is no session with the node, or it was lost;
 * - `"timeout"`: the node did not answer in time;
 * - `"busy"`: 8 requests of this node already run or wait on that node;
 * - `"unsupported"`: the node's version does not support the request, or it does not apply to
 *   this actor;
 * - `"badarg"`: an argument is invalid.
 */
export type ObserveFailure =
  | "denied"
  | "noproc"
  | "noconnection"
  | "timeout"
  | "busy"
  | "unsupported"
  | "badarg";

/**
 * A request for observation of an actor or a node failed.
 *
 * @example
 * ```ts
 * import { Node } from "@firn/firn";
 * import { ObserveError } from "@firn/firn/observe";
 * import { assertEquals, assertRejects } from "@std/assert";
 *
 * await using node = await Node.start({ logLevel: "silent" });
 * const pid = node.spawn(() => {});
 * await new Promise((later) => setTimeout(later, 10));
 * const error = await assertRejects(() => node.info(pid), ObserveError);
 * assertEquals(error.code, "noproc");
 * ```
 */
export class ObserveError extends Error {
  /** Name of the error class. */
  override readonly name = "ObserveError";
  /** Stable code of the reason. */
  readonly code: ObserveFailure;

  /** Creates an error with its code and message. */
  constructor(code: ObserveFailure, message: string) {
    super(message);
    this.code = code;
  }
}
