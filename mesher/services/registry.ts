/**
 * Reports the name, the load and the held events of a node to other nodes, as a `NodeCard`. Other
 * nodes find the registry by its global name `mesher_registry@<node>`. One registry of the cluster
 * also has the name `mesher_registry`. If this registry is lost, another one takes the name.
 *
 * @module
 */
import {
  type Call,
  type CallApi,
  NameChange,
  noReply,
  type Service,
  service,
  type ServicePid,
} from "@firn/firn";
import type { Loss } from "../cluster/losses.ts";
import type { Parts } from "../parts.ts";
import { type TreeShape, treeShape } from "./tree_shape.ts";

/** The local name of the registry on each node, and the global name of one of these registries. */
export const REGISTRY = "mesher_registry";

/** The state of a node. A plain object, so that it can be sent. */
export interface NodeLoad {
  readonly node: string;
  /** Number of events accepted in the last five seconds. */
  readonly recent: number;
  /** Number of events accepted and not stored yet. */
  readonly unstored: number;
  readonly accepted: number;
  readonly stored: number;
  /** The nodes that process events for this node. */
  readonly helpers: readonly Help[];
  readonly clients: number;
  readonly httpUrl: string | null;
  readonly startedAt: number;
}

/** A processor on another node. */
export interface Help {
  readonly on: string;
  readonly pid: string;
}

/** The load of a node, and further data that the page of the cluster shows. */
export interface NodeCard extends NodeLoad {
  readonly counts: Readonly<Record<string, number>>;
  /** Numbers of ignored items, by type. Missing for a node of an earlier version. */
  readonly ignored?: Readonly<Record<string, number>>;
  /** Numbers of events rejected by ingest, by reason. */
  readonly rejected?: Readonly<Record<string, number>>;
  /** Number of messages to other nodes that were dropped because these nodes read too slowly. */
  readonly dropped: number;
  /** The losses that this node has detected. */
  readonly losses: readonly Loss[];
  readonly tree: TreeShape | null;
}

/** The state of the registry. */
export interface RegistryState {
  readonly parts: Parts;
  /** The number of events that the load monitor last reported. */
  readonly recent: number;
  readonly helpers: readonly Help[];
}

/** The protocol of the registry. */
export interface Registry {
  state: RegistryState;
  start: [parts: Parts];
  call: {
    load(): NodeLoad;
    card(): NodeCard;
    /** Returns the number of events that this node has accepted since the counter was reset. */
    getEventCount(): number;
    /** Increments the counter, and returns the new count. */
    incrementEventCount(): number;
    /** Sets the counter to zero, and returns it. */
    resetEventCount(): number;
  };
  cast: { observed(recent: number, helpers: readonly Help[]): void };
  info: NameChange;
}

/** The service that reports the load and the state of a node to other nodes. */
export const registry: Service<Registry> = service({
  init(parts) {
    const { node } = parts;
    const me = this.self.pid;
    // Not awaited, because a slow peer must not delay the start.
    node.global.register(`${REGISTRY}@${node.name}`, me, { onConflict: "keep" }).catch(() => {});
    // From now on, this service receives a message with the holder of the cluster's name, and
    // another whenever the holder changes.
    node.global.monitor(REGISTRY, me);
    return { parts, recent: 0, helpers: [] };
  },
  call: {
    load: (state) => [loadOf(state), state],
    getEventCount: (state) => [state.parts.eventCounter.count, state],
    incrementEventCount: (state) => [++state.parts.eventCounter.count, state],
    resetEventCount: (state) => [state.parts.eventCounter.count = 0, state],
    card(state) {
      // Not awaited, because a busy supervisor must not delay the registry.
      answerCard(state, this.call);
      return noReply(state);
    },
  },
  info(state, message) {
    if (message instanceof NameChange) claim(state.parts, this.self.pid);
    return state;
  },
  cast: {
    observed(state, recent, helpers) {
      claim(state.parts, this.self.pid);
      return { ...state, recent, helpers };
    },
  },
});

function loadOf({ parts, recent, helpers }: RegistryState): NodeLoad {
  const { node, inbox, outbox, counters, live, place, startedAt } = parts;
  return {
    node: node.name,
    recent,
    unstored: inbox.size + outbox.size,
    accepted: counters.get("accepted"),
    stored: counters.get("stored"),
    helpers,
    clients: live.clients,
    httpUrl: place.url,
    startedAt,
  };
}

async function answerCard(state: RegistryState, call: Call<unknown, NodeCard>): Promise<void> {
  const { counters, losses, node, place } = state.parts;
  let tree: TreeShape | null = null;
  try {
    if (place.tree !== null) tree = await treeShape("mesher", place.tree);
  } catch {
    // While the node is stopping, its tree may be unavailable. Then the card has no tree.
  }
  const dropped = node.peers().reduce((sum, peer) => sum + (node.pressure(peer)?.dropped ?? 0), 0);
  call.reply({
    ...loadOf(state),
    counts: counters.all(),
    ignored: counters.labelled("ignored_items"),
    rejected: counters.labelled("rejected"),
    dropped,
    losses: losses.list,
    tree,
  });
}

/** Registers the cluster's name if it is free. */
function claim({ node }: Parts, me: ServicePid<Registry>): void {
  if (node.global.whereis(REGISTRY) !== undefined) return;
  node.global.register(REGISTRY, me, { onConflict: "keep" }).catch(() => {});
}

/** Returns functions that call the registry of this node. */
export function registryCalls({ node }: Pick<Parts, "node">): CallApi<Registry> {
  return registry.call(registry.at(node, REGISTRY));
}

/** Returns the registries of all connected nodes. This node's is the first. */
export function registries({ node }: Parts): Map<string, ServicePid<Registry>> {
  const found = new Map<string, ServicePid<Registry>>();
  for (const name of [node.name, ...node.peers()]) {
    const pid = node.global.whereis<ServicePid<Registry>>(`${REGISTRY}@${name}`);
    if (pid !== undefined) found.set(name, pid);
  }
  return found;
}

/** Returns the load of every node. Nodes that do not answer within a second are omitted. */
export async function loads(parts: Parts): Promise<NodeLoad[]> {
  const asked = [...registries(parts).values()].map((pid) =>
    registry.call(pid, { timeout: 1_000 }).load().catch(() => null)
  );
  return (await Promise.all(asked)).filter((load) => load !== null);
}

/** Returns the cards of all nodes. Nodes that do not answer within two seconds are omitted. */
export async function cards(parts: Parts): Promise<NodeCard[]> {
  const asked = [...registries(parts).values()].map((pid) =>
    registry.call(pid, { timeout: 2_000 }).card().catch(() => null)
  );
  return (await Promise.all(asked)).filter((card) => card !== null);
}
