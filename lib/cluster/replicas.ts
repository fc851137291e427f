/**
 * Replicates names and groups between nodes: connects sessions to the tables.
 *
 *     a session is up ─▶ groups, names: portion, pause, portion, … ─▶ the peer
 *     a message ─▶ names, groups        a session has ended ─▶ names, groups: that node's are removed
 *
 * @module
 */
import type { ClusterSink } from "../mesh/inbound.ts";
import type { GroupTable } from "./groups.ts";
import type { Registry } from "./registry.ts";
import type { PeerLine } from "./rows.ts";

/** Handles the messages about names and groups. */
export class Replicas implements ClusterSink<PeerLine> {
  readonly #registry: Registry;
  readonly #groups: GroupTable;
  readonly #breath: (node: string) => Promise<void>;
  readonly #lines = new Map<string, PeerLine>();

  /** `breath` resolves when other work has run, and the queue to the node is not high. */
  constructor(registry: Registry, groups: GroupTable, breath: (node: string) => Promise<void>) {
    this.#registry = registry;
    this.#groups = groups;
    this.#breath = breath;
  }

  up(line: PeerLine): void {
    this.#lines.set(line.home.node, line);
    this.#registry.up(line);
    this.#groups.up(line);
    // A peer with a clock gets the names after its time is known: see `stamp_clock.ts`.
    if (!this.#registry.view(line)) void this.#tell(line);
  }

  /** The session with a node has ended. `isOver`: the node has stopped in an orderly way. */
  down(node: string, isOver = false): void {
    const line = this.#lines.get(node);
    this.#lines.delete(node);
    if (line === undefined) return;
    this.#registry.down(line, isOver);
    this.#groups.down(line);
  }

  onGlobalRegister(line: PeerLine, body: Uint8Array): string | undefined {
    return this.#registry.registering(line, body);
  }

  onGlobalRegistered(line: PeerLine, body: Uint8Array): string | undefined {
    return this.#registry.registered(line, body);
  }

  onGlobalUnregister(line: PeerLine, body: Uint8Array): string | undefined {
    return this.#registry.unregistering(line, body);
  }

  onGlobalSync(line: PeerLine, body: Uint8Array): string | undefined {
    return this.#registry.sync(line, body);
  }

  onGlobalInquire(line: PeerLine, body: Uint8Array): string | undefined {
    return this.#registry.inquired(line, body);
  }

  onGlobalHeld(line: PeerLine, body: Uint8Array): string | undefined {
    return this.#registry.held(line, body);
  }

  onGlobalResolved(line: PeerLine, body: Uint8Array): string | undefined {
    return this.#registry.resolved(line, body);
  }

  onClusterView(line: PeerLine, body: Uint8Array): string | undefined {
    const broken = this.#registry.viewed(line, body);
    if (broken === undefined && this.#lines.get(line.home.node) === line) void this.#tell(line);
    return broken;
  }

  onGroupJoin(line: PeerLine, body: Uint8Array): string | undefined {
    return this.#groups.joining(line, body);
  }

  onGroupLeave(line: PeerLine, body: Uint8Array): string | undefined {
    return this.#groups.leaving(line, body);
  }

  /** Sends all groups and names of this node to a peer. */
  async #tell(line: PeerLine): Promise<void> {
    const { node } = line.home;
    // Names are last: their end marks the end of both, for which a joining node waits.
    const portion = (): boolean => this.#groups.tell(line) || this.#registry.tell(line);
    while (portion()) {
      await this.#breath(node);
      if (this.#lines.get(node) !== line) return;
    }
  }
}
