/**
 * The option `quorum`, and the error of a registration without a quorum.
 *
 * @module
 */
import { ArgumentError } from "../actor/errors.ts";

/**
 * How many nodes must have granted a name, this one included: a number, or more than half of the known members
 * (`members.ts`). A number must be more than half of all nodes; otherwise two sides may have a quorum.
 */
export type Quorum = number | "majority";

/** Throws `ArgumentError` if a quorum is invalid. */
export function checkQuorum(quorum: Quorum | undefined): void {
  if (quorum === undefined || quorum === "majority") return;
  if (Number.isInteger(quorum) && quorum >= 1) return;
  throw new ArgumentError(`quorum is ${String(quorum)}: use a number of nodes, or "majority"`);
}

/**
 * Rejection of a registration: too few nodes are connected and have granted the name.
 *
 * @example
 * ```ts
 * import { Node } from "@firn/firn";
 * import { QuorumError } from "@firn/firn/cluster";
 * import { assertRejects } from "@std/assert";
 *
 * await using node = await Node.start({ logLevel: "silent" });
 * const pid = node.spawn(() => () => {});
 * await assertRejects(() => node.global.register("cart", pid, { quorum: 2 }), QuorumError);
 * ```
 */
export class QuorumError extends Error {
  /** The name of the class. */
  override readonly name = "QuorumError";
  /** Stable code: `"noquorum"`. */
  readonly code = "noquorum";
  /** Creates the error from the name and the counts. */
  constructor(name: string, granted: number, needed: number, isFresh = false) {
    const words = isFresh
      ? "this node has just started, and members are missing that may know of a holder"
      : `${granted} of the ${needed} nodes that it needs have granted it`;
    super(`no quorum for the global name ${JSON.stringify(name)}: ${words}`);
  }
}
