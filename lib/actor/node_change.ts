/**
 * The message about a node that has connected or disconnected.
 *
 * @module
 */
import { RUNTIME, RuntimeMessage } from "./runtime_message.ts";

/**
 * A session with a node was established or has ended. Delivered to actors that called
 * `self.monitorNode(name)`.
 *
 * @example
 * ```ts
 * import { Node, NodeChange, type Self } from "@firn/firn";
 * import { assertEquals } from "@std/assert";
 *
 * await using node = await Node.start({ logLevel: "silent" });
 * const change = new Promise<NodeChange>((resolve) =>
 *   node.spawn(async (self: Self<NodeChange>) => {
 *     self.monitorNode("away@127.0.0.1:9");
 *     const message = await self.receive();
 *     if (message instanceof NodeChange) resolve(message);
 *   })
 * );
 * assertEquals((await change).type, "nodedown");
 * ```
 */
export class NodeChange extends RuntimeMessage {
  /**
   * "nodeup": the session was established. "nodedown": the session has ended, or none existed when
   * `monitorNode` was called.
   */
  readonly type: "nodeup" | "nodedown";
  /** The node, `name@host:port`. */
  readonly node: string;
  /** For "nodedown": why the session ended, or "noconnection" if there was no session. */
  readonly reason: string | undefined;

  /** Internal: throws if a program calls it. */
  constructor(key: symbol, type: "nodeup" | "nodedown", node: string, reason: string | undefined) {
    super(key);
    this.type = type;
    this.node = node;
    this.reason = reason;
  }
}

/** Returns a new {@linkcode NodeChange}. */
export function nodeChange(
  type: "nodeup" | "nodedown",
  node: string,
  reason?: string,
): NodeChange {
  return new NodeChange(RUNTIME, type, node, reason);
}
