/**
 * Monitors the load of a node. Every five seconds, it compares the number of accepted events with a
 * threshold: above it, it starts a helper on the least loaded peer, unless that peer has more than
 * half as much load; below it, it stops the helper.
 *
 * @module
 */
import { Exit, type RemoteStarter, type Service, service, type ServicePid } from "@firn/firn";
import type { Parts } from "../parts.ts";
import { HELPER, type Helper, helperOn, startHelper } from "./helper.ts";
import { PROCESSOR, processor } from "./processor.ts";
import { loads, type NodeLoad, REGISTRY, registry } from "./registry.ts";

/** The service's name on each node. */
export const LOAD_MONITOR = "load_monitor";
/** The interval between two checks of the load, in milliseconds. */
export const LOOK_MS = 5_000;

/** A helper that runs on a peer. */
interface Helping {
  readonly node: string;
  readonly pid: ServicePid<Helper>;
}

/** The state of the load monitor. */
export interface LoadMonitorState {
  readonly parts: Parts;
  /** The number of accepted events at the last check. */
  readonly seen: number;
  readonly helping: Helping | null;
}

/** The protocol of the load monitor. */
export interface LoadMonitor {
  state: LoadMonitorState;
  start: [parts: Parts, everyMs?: number];
  info: "look" | Exit;
}

/** The service that starts and stops a helper according to the load of a node. */
export const loadMonitor: Service<LoadMonitor> = service({
  trapExit: true,
  init(parts, everyMs = LOOK_MS) {
    this.self.sendInterval(this.self.pid, "look", everyMs);
    const seen = parts.counters.get("accepted");
    // Helpers that a predecessor had started were linked to the predecessor, and ended with it.
    return helpWith({ parts, seen, helping: null }, null);
  },
  info(state, message) {
    if (message === "look") return look(state, this.self);
    if (message instanceof Exit) return helperEnded(state, message);
    return state;
  },
  terminate(state) {
    processor.cast(processor.at(state.parts.node, PROCESSOR)).help([]);
  },
});

function helperEnded(state: LoadMonitorState, { from, reason }: Exit): LoadMonitorState {
  const { helping, parts } = state;
  if (helping === null || !from.equals(helping.pid)) return state;
  parts.log("warn", `the processor on ${helping.node} has ended: ${JSON.stringify(reason)}`);
  return helpWith(state, null);
}

async function look(state: LoadMonitorState, self: RemoteStarter): Promise<LoadMonitorState> {
  const { parts } = state;
  const accepted = parts.counters.get("accepted");
  const recent = accepted - state.seen;
  const all = await loads(parts);
  let next: LoadMonitorState = { ...state, seen: accepted };
  const isLoaded = recent > parts.config.loadThreshold;
  if (isLoaded && next.helping === null) next = await ask(next, self, all, recent);
  else if (!isLoaded && next.helping !== null) {
    parts.log("info", `${recent} events in 5 s: the processor on ${next.helping.node} is stopped`);
    parts.node.exit(next.helping.pid, "shutdown");
    next = helpWith(next, null);
  } else {
    // A restarted processor has no helpers, so the helper is passed to it again.
    next = helpWith(next, next.helping);
  }
  const { helping } = next;
  const helpers = helping === null ? [] : [{ on: helping.node, pid: `${helping.pid}` }];
  registry.cast(registry.at(parts.node, REGISTRY)).observed(recent, helpers);
  return next;
}

/** Starts a helper on the least loaded peer, unless its load is more than half of this node's. */
async function ask(
  state: LoadMonitorState,
  self: RemoteStarter,
  all: readonly NodeLoad[],
  recent: number,
): Promise<LoadMonitorState> {
  const { parts } = state;
  const { node, log } = parts;
  const peers = all
    .filter((load) => load.node !== node.name && node.exposed(load.node).includes(HELPER))
    .sort((a, b) => a.recent - b.recent || (a.node < b.node ? -1 : 1));
  const least = peers[0];
  if (least === undefined || least.recent * 2 > recent) return state;
  try {
    const pid = await startHelper(self, helperOn(least.node), node.name);
    log("info", `${recent} events in 5 s: a processor on ${least.node} helps`);
    return helpWith(state, { node: least.node, pid });
  } catch (error) {
    log("warn", `${least.node} cannot help: ${(error as Error).message}`);
    return state;
  }
}

function helpWith(state: LoadMonitorState, helping: Helping | null): LoadMonitorState {
  const helpers = helping === null ? [] : [helping.pid];
  processor.cast(processor.at(state.parts.node, PROCESSOR)).help(helpers);
  return { ...state, helping };
}
