/**
 * The members of the cluster that this node knows: itself, its seeds, and each node with which it or a peer has
 * had a session, except those that left in an orderly way. Majorities are counted among these.
 *
 * A lost node stays a member. So does one that crashed and never returns, until a node with its name has been
 * connected and has stopped in an orderly way.
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

  /** The number of members, this node included. */
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

  /** A node has stopped in an orderly way. */
  leave(node: string): void {
    if (!this.#known.delete(node)) return;
    if (this.#left.size === MEMBERS_MAX) this.#left.delete(this.#left.values().next().value!);
    this.#left.add(node);
  }

  /** Adds what a peer knows, except about nodes with which this node has a session. */
  learn(known: readonly string[], left: readonly string[], isUp: (node: string) => boolean): void {
    for (const node of left) if (!isUp(node)) this.leave(node);
    for (const node of known) {
      if (!this.#left.has(node) && this.#known.size < MEMBERS_MAX) this.#known.add(node);
    }
  }
}
