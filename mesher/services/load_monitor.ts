/**
 * Looks every five seconds how much this node has accepted. When it is more than the threshold, a
 * processor is started on the least loaded peer, unless that one has more than half as much to do; when
 * it is less again, it is stopped. It also says who comes and goes.
 *
 * @module
 */
import { Exit, type Pid, type Service, service, type ServicePid } from "../../mod.ts";
import type { Parts } from "../parts.ts";
import { HELPER, startHelper } from "./helper.ts";
import { PROCESSOR, processor } from "./processor.ts";
import { loads, type NodeLoad, REGISTRY, registry } from "./registry.ts";

/** Its name on each node. */
export const LOAD_MONITOR = "mesher_load_monitor";
/** How often it looks. Milliseconds. */
export const LOOK_MS = 5_000;

/** A processor on a peer. */
interface Helping {
  readonly node: string;
  readonly pid: ServicePid;
}

/** The state. */
export interface LoadMonitorState {
  readonly parts: Parts;
  /** `accepted` when it looked last. */
  readonly seen: number;
  readonly helping: Helping | null;
  /** What each peer said last, for the day that it is gone. */
  readonly known: ReadonlyMap<string, NodeLoad>;
}

/** The service. */
export const loadMonitor: Service<
  LoadMonitorState,
  [parts: Parts, everyMs?: number],
  Record<never, never>,
  Record<never, never>
> = service({
  trapExit: true,
  init(parts: Parts, everyMs: number = LOOK_MS): LoadMonitorState {
    const me = this.self.pid as Pid<unknown>;
    this.self.sendInterval(me, "look", everyMs);
    const { node } = parts;
    const forgetUp = node.on("nodeup", ({ node: name }) => node.send(me, ["nodeup", name]));
    const forgetDown = node.on(
      "nodedown",
      ({ node: name, reason }) => node.send(me, ["nodedown", name, reason]),
    );
    this.self.signal.addEventListener("abort", () => (forgetUp(), forgetDown()));
    const seen = parts.counters.get("accepted");
    return { parts, seen, helping: null, known: new Map() };
  },
  info(state: LoadMonitorState, message: unknown): LoadMonitorState | Promise<LoadMonitorState> {
    if (message === "look") return look(state, this.self);
    if (message instanceof Exit) return helperEnded(state, message);
    if (Array.isArray(message)) return nodeChanged(state, message as string[]);
    return state;
  },
  terminate(state: LoadMonitorState): void {
    processor.cast(processor.at(state.parts.node, PROCESSOR)).help([]);
  },
});

function nodeChanged(
  state: LoadMonitorState,
  [kind, name, reason]: readonly string[],
): LoadMonitorState {
  const { log } = state.parts;
  if (kind === "nodeup") log("info", `nodeup ${name}`);
  else {
    const known = state.known.get(name!);
    const held = known === undefined ? "" : `; it last said that it held ${known.unstored} events`;
    log("warn", `nodedown ${name} (${reason})${held}`);
  }
  return state;
}

function helperEnded(state: LoadMonitorState, { from, reason }: Exit): LoadMonitorState {
  const { helping, parts } = state;
  if (helping === null || !from.equals(helping.pid)) return state;
  parts.log("warn", `the processor on ${helping.node} has ended: ${JSON.stringify(reason)}`);
  return helpWith(state, null);
}

async function look(
  state: LoadMonitorState,
  self: { spawn: never } | unknown,
): Promise<LoadMonitorState> {
  const { parts } = state;
  const accepted = parts.counters.get("accepted");
  const recent = accepted - state.seen;
  const all = await loads(parts);
  const known = new Map(all.map((load) => [load.node, load]));
  let next: LoadMonitorState = { ...state, seen: accepted, known };
  const isLoaded = recent > parts.config.loadThreshold;
  if (isLoaded && next.helping === null) next = await ask(next, self as never, recent);
  else if (!isLoaded && next.helping !== null) {
    parts.log("info", `${recent} events in 5 s: the processor on ${next.helping.node} is let go`);
    parts.node.exit(next.helping.pid as Pid<never>, "shutdown");
    next = helpWith(next, null);
  }
  const { helping } = next;
  const helpers = helping === null ? [] : [{ on: helping.node, pid: `${helping.pid}` }];
  registry.cast(registry.at(parts.node, REGISTRY)).observed(recent, helpers);
  return next;
}

/** Has the least loaded peer help, if that is any help. */
async function ask(
  state: LoadMonitorState,
  self: Parameters<typeof startHelper>[0],
  recent: number,
): Promise<LoadMonitorState> {
  const { parts, known } = state;
  const { node, log } = parts;
  const peers = [...known.values()]
    .filter((load) => load.node !== node.name && node.exposed(load.node).includes(HELPER))
    .sort((a, b) => a.recent - b.recent || (a.node < b.node ? -1 : 1));
  const least = peers[0];
  if (least === undefined || least.recent * 2 > recent) return state;
  try {
    const pid = await startHelper(self, { node: least.node, fn: HELPER }, node.name);
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
