/**
 * The connected nodes, and the data stored for each.
 *
 * @module
 */
import type { PeerLink } from "./rows.ts";

/**
 * Peers by node. A session that was replaced is ignored: neither its late messages nor its end have an
 * effect.
 */
export class PeerTable<Peer extends { readonly nodeLink: PeerLink }> {
  readonly #byNode = new Map<string, Peer>();
  readonly #awaited = new Map<string, Set<() => void>>();

  /** The number of peers. */
  get size(): number {
    return this.#byNode.size;
  }

  /** A session has opened. */
  add(peer: Peer): void {
    const { node } = peer.nodeLink.home;
    this.#byNode.set(node, peer);
    const awaited = this.#awaited.get(node);
    this.#awaited.delete(node);
    if (awaited !== undefined) { for (const added of awaited) added(); }
  }

  /**
   * Calls `added` once, when a session with that node has opened. The returned function cancels it.
   */
  whenAdded(node: string, added: () => void): () => void {
    let awaited = this.#awaited.get(node);
    if (awaited === undefined) this.#awaited.set(node, awaited = new Set());
    awaited.add(added);
    return () => {
      if (awaited.delete(added) && awaited.size === 0) this.#awaited.delete(node);
    };
  }

  /** Returns the peer of a link while its session is open. */
  behind(nodeLink: PeerLink): Peer | undefined {
    const peer = this.#byNode.get(nodeLink.home.node);
    return peer?.nodeLink === nodeLink ? peer : undefined;
  }

  /** A session has ended. Returns its peer. */
  remove(nodeLink: PeerLink): Peer | undefined {
    const peer = this.behind(nodeLink);
    if (peer !== undefined) this.#byNode.delete(nodeLink.home.node);
    return peer;
  }

  /** Returns the peer of that name. */
  get(node: string): Peer | undefined {
    return this.#byNode.get(node);
  }

  /** Iterates over the peers. */
  [Symbol.iterator](): Iterator<Peer> {
    return this.#byNode.values();
  }
}
