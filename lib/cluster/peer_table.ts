/**
 * Stores data for each connected node.
 *
 * @module
 */
import type { PeerLink } from "./rows.ts";

/**
 * The connected peers, by node. If a later session has replaced a session, the table ignores late
 * messages and the end of the replaced one.
 */
export class PeerTable<Peer extends { readonly nodeLink: PeerLink }> {
  readonly #byNode = new Map<string, Peer>();
  readonly #awaited = new Map<string, Set<() => void>>();

  /** The number of peers. */
  get size(): number {
    return this.#byNode.size;
  }

  /** Adds the peer of a session that has opened. */
  add(peer: Peer): void {
    const { node } = peer.nodeLink.home;
    this.#byNode.set(node, peer);
    const awaited = this.#awaited.get(node);
    this.#awaited.delete(node);
    if (awaited !== undefined) { for (const added of awaited) added(); }
  }

  /**
   * Calls `added` once, when a session with the node of this name opens. Returns a function that
   * cancels the call.
   */
  whenAdded(node: string, added: () => void): () => void {
    let awaited = this.#awaited.get(node);
    if (awaited === undefined) this.#awaited.set(node, awaited = new Set());
    awaited.add(added);
    return () => {
      if (awaited.delete(added) && awaited.size === 0) this.#awaited.delete(node);
    };
  }

  /**
   * Returns the peer whose current session has this link; `undefined` if that session has ended or
   * was replaced.
   */
  behind(nodeLink: PeerLink): Peer | undefined {
    const peer = this.#byNode.get(nodeLink.home.node);
    return peer?.nodeLink === nodeLink ? peer : undefined;
  }

  /** Removes and returns the peer of a session that has ended. */
  remove(nodeLink: PeerLink): Peer | undefined {
    const peer = this.behind(nodeLink);
    if (peer !== undefined) this.#byNode.delete(nodeLink.home.node);
    return peer;
  }

  /** Returns the peer with this node name. */
  get(node: string): Peer | undefined {
    return this.#byNode.get(node);
  }

  /** Iterates over the peers. */
  [Symbol.iterator](): Iterator<Peer> {
    return this.#byNode.values();
  }
}
