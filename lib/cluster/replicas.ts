/**
 * What the nodes of a cluster tell each other of names and groups: from sessions to tables.
 *
 *     a session is up ─▶ groups, names: portion, breath, portion, … ─▶ the peer
 *     a row ─▶ names, groups            a session is over ─▶ names, groups: what that node had goes
 *
 * @module
 */
import type { ClusterSink } from "../mesh/inbound.ts";
import type { GroupTable } from "./groups.ts";
import type { Registry } from "./registry.ts";
import type { PeerLine } from "./rows.ts";

/** Hands rows to names and groups. */
export class Replicas implements ClusterSink<PeerLine> {
  readonly #registry: Registry;
  readonly #groups: GroupTable;
  readonly #breath: (node: string) => Promise<void>;
  readonly #lines = new Map<string, PeerLine>();

  /** `breath` resolves when others have had a turn, and a node reads what is sent to it. */
  constructor(registry: Registry, groups: GroupTable, breath: (node: string) => Promise<void>) {
    this.#registry = registry;
    this.#groups = groups;
    this.#breath = breath;
  }

  up(line: PeerLine): void {
    this.#lines.set(line.home.node, line);
    this.#registry.up(line);
    this.#groups.up(line);
    // A peer that tells its time is told of names when it has: see `stamp_clock.ts`.
    if (!this.#registry.view(line)) void this.#tell(line);
  }

  /** The session with a node is over, and that has been told. `isOver`: the node has stopped, in order. */
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

  /** Tells a peer of all that this node has. */
  async #tell(line: PeerLine): Promise<void> {
    const { node } = line.home;
    // The names are last: their end is the end of both, for which a node that joins waits.
    const portion = (): boolean => this.#groups.tell(line) || this.#registry.tell(line);
    while (portion()) {
      await this.#breath(node);
      if (this.#lines.get(node) !== line) return;
    }
  }
}
