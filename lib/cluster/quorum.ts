/**
 * Defines the option `quorum`, and the error of a registration without a quorum.
 *
 * @module
 */
import { ArgumentError } from "../actor/errors.ts";

/**
 * The number of nodes that must grant a name, including this one: a number, or `"majority"` for
 * more than half of the known members (`members.ts`). A number must be more than half of all nodes;
 * otherwise, both sides of a partition may have a quorum.
 */
export type Quorum = number | "majority";

/** Throws `ArgumentError` if a quorum is invalid. */
export function checkQuorum(quorum: Quorum | undefined): void {
  if (quorum === undefined || quorum === "majority") return;
  if (Number.isInteger(quorum) && quorum >= 1) return;
  throw new ArgumentError(`quorum is ${String(quorum)}: use a number of nodes, or "majority"`);
}

/**
 * The error of a registration for which too few nodes are connected and have granted the name.
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
  /** Name of the error class. */
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
