/**
 * The members of the cluster as far as this node knows: itself, its seeds, each node that it has met or
 * that a peer has met, except those that left in order. A majority is a majority of these.
 *
 * A node that is lost stays a member. So does one that crashed and never returns, until a node that has
 * its name has come and stopped in order.
 *
 * @module
 */

/** At most this many members, and as many that left, are known; more are ignored. */
export const MEMBERS_MAX = 1024;

/** Known members. */
export class Members {
  readonly #known: Set<string>;
  readonly #left = new Set<string>();

  constructor(self: string, seeds: readonly string[]) {
    this.#known = new Set([self, ...seeds].slice(0, MEMBERS_MAX));
  }

  /** How many there are, with this node. */
  get size(): number {
    return this.#known.size;
  }

  /** More than half of them. */
  get majority(): number {
    return Math.floor(this.#known.size / 2) + 1;
  }

  /** Their names. */
  get known(): readonly string[] {
    return [...this.#known];
  }

  /** The names of those that left. */
  get left(): readonly string[] {
    return [...this.#left];
  }

  /** There is a session with a node. */
  met(node: string): void {
    this.#left.delete(node);
    if (this.#known.size < MEMBERS_MAX) this.#known.add(node);
  }

  /** A node has stopped in order. */
  leave(node: string): void {
    if (!this.#known.delete(node)) return;
    if (this.#left.size === MEMBERS_MAX) this.#left.delete(this.#left.values().next().value!);
    this.#left.add(node);
  }

  /** What a peer knows. Whom this node is connected with, it knows better. */
  learn(known: readonly string[], left: readonly string[], isUp: (node: string) => boolean): void {
    for (const node of left) if (!isUp(node)) this.leave(node);
    for (const node of known) {
      if (!this.#left.has(node) && this.#known.size < MEMBERS_MAX) this.#known.add(node);
    }
  }
}
