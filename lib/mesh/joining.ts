/**
 * Joining a cluster: from the start of a node until every seed was dialed once and the nodes that were
 * reached are synchronised.
 *
 *     seeds ──each: its dial failed, or it is up and synchronised──▶ the peers that they named, likewise,
 *                                                                   for at most `JOIN_PEERS_MS` ──▶ joined
 *
 * A node without seeds has joined at once. Joining does not fail if no node was reached: the first node of a
 * cluster must start too.
 *
 * @module
 */
import type { Clock, Timer } from "../base/clock.ts";

/** Once the seeds are done, the peers that they named are waited for no longer than this. Milliseconds. */
const JOIN_PEERS_MS = 1_000;

/** The state of joining. */
export class Joining {
  /** Resolves when this node has joined. Rejects if it must not take part. */
  readonly done: Promise<void>;
  readonly #clock: Clock;
  readonly #synced: (node: string) => Promise<void>;
  readonly #seeds: Set<string>;
  /** Nodes that seeds have named. */
  readonly #named = new Set<string>();
  #resolve!: () => void;
  #reject!: (error: Error) => void;
  #isOver = false;
  #grace: Timer | undefined;

  /** `synced` resolves when a node that is up has sent its names and groups. */
  constructor(clock: Clock, seeds: readonly string[], synced: (node: string) => Promise<void>) {
    this.#clock = clock;
    this.#seeds = new Set(seeds);
    this.#synced = synced;
    this.done = new Promise((resolve, reject) => {
      this.#resolve = resolve;
      this.#reject = reject;
    });
    // A caller that awaits it gets the error; a program that does not must not end because of it.
    this.done.catch(() => {});
    this.#look();
  }

  /** Waits for a node as for a seed. */
  awaits(node: string): void {
    if (!this.#isOver) this.#seeds.add(node);
  }

  /** A peer has named a node that was not known. */
  named(node: string): void {
    if (!this.#isOver && !this.#seeds.has(node)) this.#named.add(node);
  }

  /** The first dial of a node has failed. */
  failed(node: string): void {
    if (this.#isOver) return;
    this.#seeds.delete(node);
    this.#named.delete(node);
    this.#look();
  }

  /** A session with a node is up. */
  up(node: string): void {
    if (this.#isOver || !(this.#seeds.has(node) || this.#named.has(node))) return;
    this.#synced(node).then(() => this.failed(node));
  }

  /** This node must not take part, for example because its name is in use. */
  reject(error: Error): void {
    if (this.#isOver) return;
    this.#end();
    this.#reject(error);
  }

  /** This node is stopping: joining is over. */
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
