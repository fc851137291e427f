/**
 * Tracks how a node joins its cluster: from its start until every seed was dialed once and the
 * connected nodes are synchronised.
 *
 *     seeds ──each: its dial failed, or it is up and synchronised──▶ the peers that they named, likewise,
 *                                                                   for at most `JOIN_PEERS_MS` ──▶ joined
 *
 * A node without seeds joins at once. Joining does not fail if no node was reached: the first node
 * of a cluster must start too.
 *
 * @module
 */
import type { Clock, Timer } from "../base/clock.ts";

/** Maximum time to wait for the nodes that peers have named, after the seeds. Milliseconds. */
const JOIN_PEERS_MS = 1_000;

/** Tracks when this node has joined its cluster. */
export class Joining {
  /**
   * Resolves when this node has joined. Rejects if it must not take part, for example because its
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
    // Handled here, so that a rejection does not end a program that does not await `done`.
    this.done.catch(() => {});
    this.#look();
  }

  /** Waits for this node as if it were a seed. */
  awaits(node: string): void {
    if (!this.#isOver) this.#seeds.add(node);
  }

  /** Called when a peer has named an unknown node: waits for it, for a limited time. */
  named(node: string): void {
    if (!this.#isOver && !this.#seeds.has(node)) this.#named.add(node);
  }

  /** Stops waiting for a node: its first dial has failed, or it has sent its names and groups. */
  failed(node: string): void {
    if (this.#isOver) return;
    this.#seeds.delete(node);
    this.#named.delete(node);
    this.#look();
  }

  /**
   * Called when a session with a node has opened: waits until the node has sent its names and
   * groups.
   */
  up(node: string): void {
    if (this.#isOver || !(this.#seeds.has(node) || this.#named.has(node))) return;
    this.#synced(node).then(() => this.failed(node));
  }

  /**
   * Rejects `done`, because this node must not take part, for example because its name is in use.
   */
  reject(error: Error): void {
    if (this.#isOver) return;
    this.#end();
    this.#reject(error);
  }

  /** Ends joining, because this node is stopping or no node is awaited any more. */
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
