/**
 * What tells an actor that a node has come or gone.
 *
 * @module
 */
import { RUNTIME, RuntimeMessage } from "./runtime_message.ts";

/**
 * A session with a node is up, or is over: for actors that asked with `self.monitorNode(name)`.
 */
export class NodeChange extends RuntimeMessage {
  /** Which of the two. */
  readonly type: "nodeup" | "nodedown";
  /** The node, `name@host:port`. */
  readonly node: string;
  /** Why it went: the reason of the event "nodedown", or "noconnection" if it was not there. */
  readonly reason: string | undefined;

  /** For the runtime only: it throws for a program. */
  constructor(key: symbol, type: "nodeup" | "nodedown", node: string, reason: string | undefined) {
    super(key);
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
  return new NodeChange(RUNTIME, type, node, reason);
}
