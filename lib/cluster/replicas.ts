/**
 * Replicates names and groups between nodes: connects sessions to the tables.
 *
 *     a session is up ─▶ groups, names: portion, pause, portion, … ─▶ the peer
 *     a message ─▶ names, groups
 *     a session has ended ─▶ names, groups: those of the node are removed
 *
 * @module
 */
import type { ClusterSink } from "../mesh/inbound.ts";
import type { GroupTable } from "./groups.ts";
import type { Registry } from "./registry.ts";
import type { PeerLink } from "./rows.ts";

/**
 * Passes the messages about names and groups to their tables, and sends this node's names and
 * groups to new peers.
 */
export class Replicas implements ClusterSink<PeerLink> {
  readonly #registry: Registry;
  readonly #groups: GroupTable;
  readonly #pause: (node: string) => Promise<void>;
  readonly #nodeLinks = new Map<string, PeerLink>();

  /** `pause` resolves when other work has run and the queue to the node is short. */
  constructor(registry: Registry, groups: GroupTable, pause: (node: string) => Promise<void>) {
    this.#registry = registry;
    this.#groups = groups;
    this.#pause = pause;
  }

  up(nodeLink: PeerLink): void {
    this.#nodeLinks.set(nodeLink.home.node, nodeLink);
    this.#registry.up(nodeLink);
    this.#groups.up(nodeLink);
    // If the peer supports CLUSTER_VIEW, the groups and names are sent only when its CLUSTER_VIEW,
    // which contains its time, has arrived: see `stamp_clock.ts`.
    if (!this.#registry.view(nodeLink)) void this.#sendAll(nodeLink);
  }

  /**
   * Called when the session with a node has ended. `isOver`: whether the node has stopped
   * gracefully.
   */
  down(node: string, isOver = false): void {
    const nodeLink = this.#nodeLinks.get(node);
    this.#nodeLinks.delete(node);
    if (nodeLink === undefined) return;
    this.#registry.down(nodeLink, isOver);
    this.#groups.down(nodeLink);
  }

  onGlobalRegister(nodeLink: PeerLink, body: Uint8Array): string | undefined {
    return this.#registry.registering(nodeLink, body);
  }

  onGlobalRegistered(nodeLink: PeerLink, body: Uint8Array): string | undefined {
    return this.#registry.registered(nodeLink, body);
  }

  onGlobalUnregister(nodeLink: PeerLink, body: Uint8Array): string | undefined {
    return this.#registry.unregistering(nodeLink, body);
  }

  onGlobalSync(nodeLink: PeerLink, body: Uint8Array): string | undefined {
    return this.#registry.sync(nodeLink, body);
  }

  onGlobalInquire(nodeLink: PeerLink, body: Uint8Array): string | undefined {
    return this.#registry.inquired(nodeLink, body);
  }

  onGlobalHeld(nodeLink: PeerLink, body: Uint8Array): string | undefined {
    return this.#registry.held(nodeLink, body);
  }

  onGlobalResolved(nodeLink: PeerLink, body: Uint8Array): string | undefined {
    return this.#registry.resolved(nodeLink, body);
  }

  onClusterView(nodeLink: PeerLink, body: Uint8Array): string | undefined {
    const broken = this.#registry.viewed(nodeLink, body);
    if (broken === undefined && this.#nodeLinks.get(nodeLink.home.node) === nodeLink) {
      void this.#sendAll(nodeLink);
    }
    return broken;
  }

  onGroupJoin(nodeLink: PeerLink, body: Uint8Array): string | undefined {
    return this.#groups.joining(nodeLink, body);
  }

  onGroupLeave(nodeLink: PeerLink, body: Uint8Array): string | undefined {
    return this.#groups.leaving(nodeLink, body);
  }

  /** Sends all groups and names of this node to a peer. */
  async #sendAll(nodeLink: PeerLink): Promise<void> {
    const { node } = nodeLink.home;
    // Names are sent last. A joining node waits for the end of the names, and has then also
    // received all groups.
    const portion = (): boolean =>
      this.#groups.sendMore(nodeLink) || this.#registry.sendMore(nodeLink);
    while (portion()) {
      await this.#pause(node);
      if (this.#nodeLinks.get(node) !== nodeLink) return;
    }
  }
}
