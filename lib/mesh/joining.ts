/**
 * Tracks how a node joins its cluster. A node has joined when it has dialed every seed once, and
 * has received the names and groups of the connected nodes.
 *
 *     each seed: its dial has failed, or it has sent its names and groups
 *       ──▶ each node that peers named: likewise, for at most `JOIN_PEERS_MS` ──▶ joined
 *
 * A node without seeds joins at once. Joining does not fail if no node was reached: the first node
 * of a cluster must start too.
 *
 * @module
 */
import type { Clock, Timer } from "../base/clock.ts";

/**
 * Maximum time to wait for the nodes that peers have named, in milliseconds. It begins when no seed
 * is awaited any more.
 */
const JOIN_PEERS_MS = 1_000;

/** Tracks when this node has joined its cluster. */
export class Joining {
  /**
   * Resolves when this node has joined. Rejects if this node may not join, for example because its
   * name is in use.
   */
  readonly done: Promise<void>;
  readonly #clock: Clock;
  readonly #synced: (node: string) => Promise<void>;
  readonly #seeds: Set<string>;
  /** Nodes named by peers. Joining waits for them for a limited time. */
  readonly #named = new Set<string>();
  #resolve!: () => void;
  #reject!: (error: Error) => void;
  #isOver = false;
  #grace: Timer | undefined;

  /** `synced` resolves when a connected node has sent its names and groups. */
  constructor(clock: Clock, seeds: readonly string[], synced: (node: string) => Promise<void>) {
    this.#clock = clock;
    this.#seeds = new Set(seeds);
    this.#synced = synced;
    this.done = new Promise((resolve, reject) => {
      this.#resolve = resolve;
      this.#reject = reject;
    });
    // Marks a rejection as handled, so that it does not end a program that does not await `done`.
    this.done.catch(() => {});
    this.#look();
  }

  /** Makes joining wait for a node, as for a seed. */
  awaits(node: string): void {
    if (!this.#isOver) this.#seeds.add(node);
  }

  /**
   * Called when a peer has named an unknown node. Joining waits for that node for a limited time.
   */
  named(node: string): void {
    if (!this.#isOver && !this.#seeds.has(node)) this.#named.add(node);
  }

  /** Stops waiting for a node: its first dial has failed, or it has sent its names and groups. */
  settled(node: string): void {
    if (this.#isOver) return;
    this.#seeds.delete(node);
    this.#named.delete(node);
    this.#look();
  }

  /**
   * Called when a session with a node has opened. Joining waits until the node has sent its names
   * and groups.
   */
  up(node: string): void {
    if (this.#isOver || !(this.#seeds.has(node) || this.#named.has(node))) return;
    this.#synced(node).then(() => this.settled(node));
  }

  /** Rejects `done`, because this node may not join, for example because its name is in use. */
  reject(error: Error): void {
    if (this.#isOver) return;
    this.#end();
    this.#reject(error);
  }

  /** Resolves `done`, because this node is stopping or no node is awaited any more. */
  stop(): void {
    if (this.#isOver) return;
    this.#end();
    this.#resolve();
  }

  #look(): void {
    if (this.#seeds.size > 0) return;
    if (this.#named.size === 0) return this.stop();
    this.#grace ??= this.#clock.after(JOIN_PEERS_MS, () => this.stop());
  }

  #end(): void {
    this.#isOver = true;
    this.#grace?.cancel();
  }
}
