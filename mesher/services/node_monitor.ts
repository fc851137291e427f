/**
 * Reports nodes that join and leave, and the events that may be missing. Each node's monitor stores
 * the announcements of the others (`cluster/held.ts`); when a node is lost, it logs one line, and
 * keeps the loss for the cluster's page (`cluster/losses.ts`):
 *
 *     nodedown b@host:9101 (closed): at most 128 events that it had accepted are not stored
 *
 * A starting monitor asks all connected nodes, and sends its announcement to later ones.
 *
 * @module
 */
import { CallTimeoutError, type Pid, type Service, service } from "@firn/firn";
import type { Holding, TellPeers } from "../cluster/held.ts";
import { pause } from "../cluster/pause.ts";
import type { Parts } from "../parts.ts";

/** The service's name on each node. */
export const NODE_MONITOR = "node_monitor";
/**
 * Interval at which the monitor checks whether the announced ceiling is higher than needed, in
 * milliseconds.
 */
const TICK_MS = 250;
/**
 * Time limit for a peer's confirmation, in milliseconds. The next announcement does not wait for a
 * peer that exceeded the limit.
 */
const HEARD_MS_MAX = 1_000;
/** The pause before an announcement to a peer without a monitor is repeated, in milliseconds. */
const REPEAT_MS = 20;

/** The state of the node monitor. `holdings` outlives the service. */
export interface NodeMonitorState {
  readonly parts: Parts;
  readonly holdings: Map<string, Holding | null>;
}

/** Messages that the service receives. */
export type NodeNews =
  | "tick"
  | readonly ["nodeup", node: string]
  | readonly ["nodedown", node: string, reason: string]
  | readonly ["answer", node: string, holding: Holding];

/** The protocol of the node monitor. */
export interface NodeMonitor {
  state: NodeMonitorState;
  start: [parts: Parts];
  call: {
    holds(node: string, holding: Holding): null;
    holding(): Holding;
  };
  info: NodeNews;
}

/** The service that reports the nodes that join and leave, and the events that may be missing. */
export const nodeMonitor: Service<NodeMonitor> = service({
  init(parts) {
    const { node, holdings } = parts;
    const me = this.self.pid;
    const forgetUp = node.on("nodeup", ({ node: name }) => node.send(me, ["nodeup", name]));
    const forgetDown = node.on(
      "nodedown",
      ({ node: name, reason }) => node.send(me, ["nodedown", name, reason]),
    );
    this.self.signal.addEventListener("abort", () => (forgetUp(), forgetDown()));
    this.self.sendInterval(me, "tick", TICK_MS);
    const state = { parts, holdings };
    const peers = node.peers();
    // Handles the loss of nodes while no monitor was running.
    for (const name of holdings.keys()) if (!peers.includes(name)) down(state, name, "not noticed");
    for (const name of peers) {
      if (!holdings.has(name)) up(state, name);
      ask(parts, me, name);
      tell(parts, name, parts.held.holding);
    }
    return state;
  },
  call: {
    holds(state, node, holding) {
      learn(state, node, holding);
      return [null, state];
    },
    holding: (state) => [state.parts.held.holding, state],
  },
  info(state, message) {
    if (message === "tick") {
      state.parts.held.lower();
      return state;
    }
    if (!Array.isArray(message)) return state;
    const [kind, name] = message;
    if (kind === "nodeup") {
      if (!state.holdings.has(name)) up(state, name);
      tell(state.parts, name, state.parts.held.holding);
    } else if (kind === "nodedown") down(state, name, message[2]);
    else if (kind === "answer") learn(state, name, message[2]);
    return state;
  },
});

function up({ parts, holdings }: NodeMonitorState, name: string): void {
  holdings.set(name, null);
  parts.log("info", `nodeup ${name}`);
}

function down({ parts, holdings }: NodeMonitorState, name: string, reason: string): void {
  const holding = holdings.get(name);
  if (holding === undefined) return;
  holdings.delete(name);
  const most = holding?.most;
  const life = holding?.life ?? null;
  parts.losses.add({ node: name, life, at: parts.now(), reason, most: most ?? null });
  const words = most === undefined
    ? "it had not announced how many events it holds"
    : most === 0
    ? "all that it had accepted is stored"
    : `at most ${most} events that it had accepted are not stored`;
  parts.log("warn", `nodedown ${name} (${reason}): ${words}`);
}

function learn(state: NodeMonitorState, name: string, holding: Holding): void {
  const known = state.holdings.get(name);
  // The loss of this node was already reported.
  if (known === undefined) return;
  if (known !== null && known.life !== holding.life) {
    down(state, name, "it was restarted");
    up(state, name);
  } else if (known !== null && known.turn > holding.turn) return;
  state.holdings.set(name, holding);
  state.parts.losses.lives(name, holding.life);
}

/** Requests the announcement of a peer, which arrives as a message. */
async function ask({ node }: Parts, me: Pid<NodeNews>, peer: string): Promise<void> {
  try {
    const there = nodeMonitor.at(node, { name: NODE_MONITOR, node: peer });
    const holding = await nodeMonitor.call(there, { timeout: HEARD_MS_MAX }).holding();
    node.send(me, ["answer", peer, holding]);
  } catch {
    // The monitor of the peer has not started yet. It sends its announcement when it starts.
  }
}

/**
 * Sends an announcement to a peer, and repeats it while the peer's monitor is being restarted.
 * Resolves with false if the peer did not confirm in time. Resolves with true if the session with
 * the peer is lost, because the peer then reports the loss of this node.
 */
async function tell({ node }: Pick<Parts, "node">, peer: string, own: Holding): Promise<boolean> {
  const there = nodeMonitor.at(node, { name: NODE_MONITOR, node: peer });
  for (let left = HEARD_MS_MAX; left > 0; left -= REPEAT_MS) {
    try {
      await nodeMonitor.call(there, { timeout: HEARD_MS_MAX }).holds(node.name, own);
      return true;
    } catch (error) {
      if (error instanceof CallTimeoutError) return false;
      if (!node.peers().includes(peer)) return true;
    }
    await pause(node, REPEAT_MS);
  }
  return false;
}

/**
 * Returns a function that sends an announcement to all peers. The function waits only for peers
 * that confirmed the previous announcement.
 */
export function tellerOf(parts: Pick<Parts, "node">): TellPeers {
  const late = new Set<string>();
  return async (holding) => {
    const telling = parts.node.peers().map((peer) => {
      const told = tell(parts, peer, holding).then((isHeard) => {
        if (isHeard) late.delete(peer);
        else late.add(peer);
      });
      return late.has(peer) ? undefined : told;
    });
    await Promise.all(telling);
  };
}
