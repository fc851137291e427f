/**
 * What tells an actor that a node has come or gone, and who wants to be told.
 *
 * @module
 */
import { type Cell, type Chained, hang } from "./cell.ts";

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

/** An actor wants to know of a node. */
class Watch implements Chained {
  following: Chained | undefined = undefined;
  preceding: Chained | undefined = undefined;
  readonly #gone: () => void;

  constructor(gone: () => void) {
    this.#gone = gone;
  }

  drop(): void {
    this.#gone();
  }
}

/** Who is told of which node. */
export class NodeWatchers {
  readonly #byNode = new Map<string, Set<Cell>>();

  /** Adds an actor; again is the same as once. `isUp`: there is a session with the node. */
  add(actor: Cell, node: string, isUp: boolean): void {
    let watchers = this.#byNode.get(node);
    if (watchers === undefined) this.#byNode.set(node, watchers = new Set());
    if (!watchers.has(actor)) {
      watchers.add(actor);
      hang(new Watch(() => this.remove(actor, node)), actor);
    }
    if (!isUp) actor.deliver(new NodeChange(KEY, "nodedown", node, "noconnection"));
  }

  /** Takes an actor out. Whether it was in. */
  remove(actor: Cell, node: string): boolean {
    const watchers = this.#byNode.get(node);
    if (!watchers?.delete(actor)) return false;
    if (watchers.size === 0) this.#byNode.delete(node);
    return true;
  }

  /** Tells all who want to know. */
  changed(type: "nodeup" | "nodedown", node: string, reason?: string): void {
    const watchers = this.#byNode.get(node);
    if (watchers === undefined) return;
    for (const actor of [...watchers]) actor.deliver(new NodeChange(KEY, type, node, reason));
  }
}
