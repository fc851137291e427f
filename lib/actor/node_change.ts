/**
 * What tells an actor that a node has come or gone.
 *
 * @module
 */

/** Known to this file only: tells what the runtime made from what a program made to look so. */
const KEY: unique symbol = Symbol("runtime");

/**
 * A session with a node is up, or is over: for actors that asked with `self.monitorNode(name)`.
 * `message instanceof NodeChange` is true of what the runtime made, and of nothing else.
 */
export class NodeChange {
  /** True of each message of this class, and of no imitation. */
  static [Symbol.hasInstance](message: unknown): boolean {
    return typeof message === "object" && message !== null && #genuine in message;
  }
  readonly #genuine = true;
  /** Which of the two. */
  readonly type: "nodeup" | "nodedown";
  /** The node, `name@host:port`. */
  readonly node: string;
  /** Why it went: the reason of the event "nodedown", or "noconnection" if it was not there. */
  readonly reason: string | undefined;

  /** For the runtime only: it throws for a program. */
  constructor(key: symbol, type: "nodeup" | "nodedown", node: string, reason: string | undefined) {
    if (key !== KEY) throw new TypeError("only the runtime makes NodeChange messages");
    this.type = type;
    this.node = node;
    this.reason = reason;
  }
}

/** Makes a {@linkcode NodeChange}. */
export function nodeChange(
  type: "nodeup" | "nodedown",
  node: string,
  reason?: string,
): NodeChange {
  return new NodeChange(KEY, type, node, reason);
}
