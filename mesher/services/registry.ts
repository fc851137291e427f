/**
 * A node's card: what it is called, how loaded it is, what it holds. It is a global name,
 * `mesher_registry@<node>`, so that every node finds every other's; the first of them has
 * `mesher_registry` besides, and another takes that over when its node is lost.
 *
 * @module
 */
import { type Service, service, type ServiceContext, type ServicePid } from "../../mod.ts";
import type { Parts } from "../parts.ts";

/** Its name on each node, and the global one that one node has. */
export const REGISTRY = "mesher_registry";

/** How a node is. Plain, so that it travels. */
export interface NodeLoad {
  readonly node: string;
  /** Events accepted in the last five seconds. */
  readonly recent: number;
  /** Accepted and not stored yet. */
  readonly unstored: number;
  readonly accepted: number;
  readonly stored: number;
  /** The nodes that process for it. */
  readonly helpers: readonly string[];
  readonly httpUrl: string | null;
  readonly startedAt: number;
}

/** The state. */
export interface RegistryState {
  readonly parts: Parts;
  readonly startedAt: number;
  /** What the load monitor said last. */
  readonly recent: number;
  readonly helpers: readonly string[];
  readonly httpUrl: string | null;
}

/** What it can be asked. */
export type RegistryCalls = {
  load(state: RegistryState): [NodeLoad, RegistryState];
};
/** What it can be told. */
export type RegistryCasts = {
  observed(
    this: ServiceContext,
    state: RegistryState,
    recent: number,
    helpers: readonly string[],
  ): RegistryState;
  serving(state: RegistryState, httpUrl: string): RegistryState;
};

/** The service. */
export const registry: Service<RegistryState, [parts: Parts], RegistryCalls, RegistryCasts> =
  service({
    init(parts: Parts): RegistryState {
      const { node } = parts;
      const me = this.self.pid;
      // Not waited for: a peer that is slow to answer must not hold up the start.
      node.global.register(`${REGISTRY}@${node.name}`, me, { onConflict: "keep" }).catch(() => {});
      claim(parts, me);
      return { parts, startedAt: parts.now(), recent: 0, helpers: [], httpUrl: null };
    },
    call: {
      load(state: RegistryState): [NodeLoad, RegistryState] {
        const { node, inbox, outbox, counters } = state.parts;
        return [{
          node: node.name,
          recent: state.recent,
          unstored: inbox.size + outbox.size,
          accepted: counters.get("accepted"),
          stored: counters.get("stored"),
          helpers: state.helpers,
          httpUrl: state.httpUrl,
          startedAt: state.startedAt,
        }, state];
      },
    },
    cast: {
      observed(
        this: ServiceContext,
        state: RegistryState,
        recent: number,
        helpers: readonly string[],
      ): RegistryState {
        claim(state.parts, this.self.pid);
        return { ...state, recent, helpers };
      },
      serving: (state: RegistryState, httpUrl: string) => ({ ...state, httpUrl }),
    },
  });

/** Takes the cluster's name if nobody has it. */
function claim({ node }: Parts, me: ServicePid): void {
  if (node.global.whereis(REGISTRY) !== undefined) return;
  node.global.register(REGISTRY, me, { onConflict: "keep" }).catch(() => {});
}

/** The registries of all nodes that are there, this one's first. */
export function registries({ node }: Parts): Map<string, ServicePid> {
  const found = new Map<string, ServicePid>();
  for (const name of [node.name, ...node.peers()]) {
    const pid = node.global.whereis(`${REGISTRY}@${name}`) as ServicePid | undefined;
    if (pid !== undefined) found.set(name, pid);
  }
  return found;
}

/** Asks every node how it is; who does not answer in a second is left out. */
export async function loads(parts: Parts): Promise<NodeLoad[]> {
  const asked = [...registries(parts).values()].map((pid) =>
    registry.call(pid, { timeout: 1_000 }).load().catch(() => null)
  );
  return (await Promise.all(asked)).filter((load) => load !== null);
}
