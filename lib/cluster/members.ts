/**
 * Records the members of the cluster: this node, its seeds, and each node with which it or a peer
 * has had a session, except nodes that have left gracefully. A majority is more than half of these
 * members.
 *
 * A lost node remains a member. A node that crashed and does not return also remains a member,
 * until a node with its name has connected and then stopped gracefully.
 *
 * @module
 */

/**
 * Maximum number of recorded members, and of recorded nodes that left. Further members are ignored.
 * Of the nodes that left, the oldest is removed.
 */
export const MEMBERS_MAX = 1024;

/** Records the known members of the cluster. */
export class Members {
  readonly #known: Set<string>;
  readonly #left = new Set<string>();

  constructor(self: string, seeds: readonly string[]) {
    this.#known = new Set([self, ...seeds].slice(0, MEMBERS_MAX));
  }

  /** The number of members, this node included. */
  get size(): number {
    return this.#known.size;
  }

  /** The smallest number that is more than half of the members. */
  get majority(): number {
    return Math.floor(this.#known.size / 2) + 1;
  }

  /** The names of the members. */
  get known(): readonly string[] {
    return [...this.#known];
  }

  /** The names of the nodes that have left gracefully. */
  get left(): readonly string[] {
    return [...this.#left];
  }

  /** Called when a session with a node has opened. Adds the node to the members. */
  met(node: string): void {
    this.#left.delete(node);
    if (this.#known.size < MEMBERS_MAX) this.#known.add(node);
  }

  /** Called when a node has stopped gracefully. Removes the node from the members. */
  leave(node: string): void {
    if (!this.#known.delete(node)) return;
    if (this.#left.size === MEMBERS_MAX) this.#left.delete(this.#left.values().next().value!);
    this.#left.add(node);
  }

  /**
   * Adds the members that a peer has recorded. Removes those that the peer has recorded as left,
   * unless this node is connected to them.
   */
  learn(known: readonly string[], left: readonly string[], isUp: (node: string) => boolean): void {
    for (const node of left) if (!isUp(node)) this.leave(node);
    for (const node of known) {
      if (!this.#left.has(node) && this.#known.size < MEMBERS_MAX) this.#known.add(node);
    }
  }
}
