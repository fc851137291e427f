/**
 * The nodes that there is a session with, and what is kept for each.
 *
 * @module
 */
import type { PeerLine } from "./rows.ts";

/**
 * Peers by node. A session that another one has replaced is nobody's any more: what comes over it late
 * counts for nothing, and its end takes nothing along.
 */
export class PeerTable<Peer extends { readonly line: PeerLine }> {
  readonly #byNode = new Map<string, Peer>();

  /** How many there are. */
  get size(): number {
    return this.#byNode.size;
  }

  /** A session is up. */
  add(peer: Peer): void {
    this.#byNode.set(peer.line.home.node, peer);
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
