/**
 * The nodes that there is a session with, and what is kept for each.
 *
 * @module
 */
import type { PeerLine } from "./rows.ts";

/**
 * Peers by node. A session that another one has replaced is ignored: neither what arrives over it late
 * nor its end has an effect.
 */
export class PeerTable<Peer extends { readonly line: PeerLine }> {
  readonly #byNode = new Map<string, Peer>();
  readonly #awaited = new Map<string, Set<() => void>>();

  /** How many there are. */
  get size(): number {
    return this.#byNode.size;
  }

  /** A session is up. */
  add(peer: Peer): void {
    const { node } = peer.line.home;
    this.#byNode.set(node, peer);
    const awaited = this.#awaited.get(node);
    this.#awaited.delete(node);
    if (awaited !== undefined) { for (const added of awaited) added(); }
  }

  /** Calls `added` once, when a session with that node is up. The returned function cancels it. */
  whenAdded(node: string, added: () => void): () => void {
    let awaited = this.#awaited.get(node);
    if (awaited === undefined) this.#awaited.set(node, awaited = new Set());
    awaited.add(added);
    return () => {
      if (awaited.delete(added) && awaited.size === 0) this.#awaited.delete(node);
    };
  }

  /** Who is behind a line, as long as its session is up. */
  behind(line: PeerLine): Peer | undefined {
    const peer = this.#byNode.get(line.home.node);
    return peer?.line === line ? peer : undefined;
  }

  /** A session is over. Gives who was behind it. */
  remove(line: PeerLine): Peer | undefined {
    const peer = this.behind(line);
    if (peer !== undefined) this.#byNode.delete(line.home.node);
    return peer;
  }

  /** The node of that name. */
  get(node: string): Peer | undefined {
    return this.#byNode.get(node);
  }

  /** All of them. */
  [Symbol.iterator](): Iterator<Peer> {
    return this.#byNode.values();
  }
}
