/**
 * Starts a node: chooses the host, checks the options, derives the keys, creates the parts of the
 * node, and connects them through the ports that `lib/README.md` lists.
 *
 * @module
 */
import type { Timer } from "./base/clock.ts";
import { Log, LOG_LEVELS, LogEntry, type LogSink } from "./base/log.ts";
import { describeFully } from "./actor/describe.ts";
import { callSite } from "./actor/call_site.ts";
import { type Crash, crashText } from "./actor/report.ts";
import { System } from "./actor/system.ts";
import { Emitter } from "./base/emitter.ts";
import { checkPem } from "./base/pem.ts";
import { Repeats } from "./base/repeats.ts";
import { checkNames } from "./base/spelling.ts";
import { Global } from "./cluster/global.ts";
import { GroupTable } from "./cluster/groups.ts";
import { Homes } from "./cluster/home.ts";
import { Registry } from "./cluster/registry.ts";
import { Replicas } from "./cluster/replicas.ts";
import { NODE_EVENTS, type NodeEvents } from "./node_events.ts";
import {
  checkedLimits,
  joinTimeout,
  listenAddress,
  milliseconds,
  NODE_OPTIONS,
  nodeName,
  NodeOptionError,
  type NodeOptions,
  readSeeds,
  sessionLimits,
} from "./node_options.ts";
import { cookiesFromFile } from "./cookie_file.ts";
import { steadyWall } from "./cluster/steady_wall.ts";
import { checkTimeout, type LeaveOptions } from "./leave.ts";
import { RelayLink } from "./cluster/relay_link.ts";
import { RELAYED_HEAD_BYTES_MAX } from "./cluster/relay_message.ts";
import { RoomRelay } from "./cluster/room_relay.ts";
import type { ClusterKeys } from "./mesh/identity.ts";
import { Keyring } from "./mesh/keyring.ts";
import { Authorization } from "./mesh/authorization.ts";
import { REMOTE_MAILBOX_MAX } from "./mesh/peer_limits.ts";
import { RemoteNodes } from "./mesh/remote_nodes.ts";
import { ROOM_HEAD_BYTES_MAX, ROOM_MESSAGE_BYTES_MAX } from "./mesh/message.ts";
import { FORGET_MS } from "./mesh/peers.ts";
import { Mesh } from "./mesh/mesh.ts";
import { formatName, isLoopback, type NodeName } from "./mesh/name.ts";
import { BunHost } from "./host/bun.ts";
import { DenoHost } from "./host/deno.ts";
import type { Host } from "./host/host.ts";
import { restartText } from "./otp/child_info.ts";
import { Observation, OBSERVE_ACCESS, type ObservedEvents } from "./observe/observation.ts";
import { Recorder } from "./observe/recorder.ts";
import { Diagnostics } from "./observe/diagnostics.ts";
import { NodeTracer, traceApi } from "./observe/tracing.ts";
import { FEATURE } from "./mesh/handshake.ts";
import { RecorderFile } from "./observe/recorder_file.ts";
import { isNormal } from "./term/exit.ts";
import type { Pid } from "./term/pid.ts";
import { Rooms } from "./ws/rooms.ts";
import type { Server } from "./ws/server.ts";

/**
 * Number of bytes that each message to another node reserves for its receiver. The encoded term may
 * use the rest.
 */
const ROW_HEAD_BYTES_MAX = 1024;

/** The parts of a running node. */
export interface Parts {
  readonly host: Host;
  readonly log: Log;
  readonly mesh: Mesh;
  readonly rooms: Rooms;
  /** Maximum length of a message to a room, in bytes. */
  readonly messageBytesMax: number;
  readonly system: System;
  readonly remote: RemoteNodes;
  readonly registry: Registry;
  readonly global: Global;
  readonly groups: GroupTable;
  readonly observation: Observation;
  /** The WebSocket servers that this node has started. */
  readonly servers: Server[];
  readonly homes: Homes;
  /**
   * Relays messages of rooms and channels through the transport of the option `relay`. Undefined
   * without the option.
   */
  readonly link: RelayLink | undefined;
  /** Changes the cookies of the node. The first is used, and all are accepted. */
  readonly changeCookie: (cookies: string | readonly string[]) => Promise<void>;
  /**
   * The options with which the node leaves on SIGTERM. Undefined if it does not handle the signal.
   */
  readonly leaveOnSigterm: LeaveOptions | undefined;
  readonly events: Emitter<NodeEvents>;
  /** Logs that a message was not sent. `to` is its receiver, `words` the reason. */
  readonly unsent: (to: string, words: string) => void;
  /** Resolves when this node has joined its cluster. */
  readonly joined: Promise<void>;
}

/** Returns the host of the current runtime. */
export function systemHost(): Host {
  return "Bun" in globalThis ? new BunHost() : new DenoHost();
}

/**
 * Starts a node. If `derive` is given, it replaces the key derivation, and weak cookies are
 * accepted.
 */
export async function startNode(
  options: NodeOptions,
  host?: Host,
  derive?: (cookie: string) => Promise<ClusterKeys>,
): Promise<Parts> {
  checkNames(options, NODE_OPTIONS, (words) => new NodeOptionError(words));
  host ??= systemHost();
  const name = nodeName(options, host);
  const listen = listenAddress(options, name);
  const limits = sessionLimits(options);
  const recorder = new Recorder(() => host.clock.wall());
  const log = makeLog(options, host, name, recorder);
  const { remoteMailboxMax = REMOTE_MAILBOX_MAX } = options;
  if (!(remoteMailboxMax >= 1)) {
    throw new NodeOptionError(`option remoteMailboxMax is ${remoteMailboxMax}: use 1 or more`);
  }
  if (options.authorize !== undefined && typeof options.authorize !== "function") {
    throw new NodeOptionError("option authorize is not a function");
  }
  const { observe: access = "read" } = options;
  if (!OBSERVE_ACCESS.includes(access)) {
    throw new NodeOptionError(`option observe must be one of ${OBSERVE_ACCESS.join(", ")}`);
  }
  const warningLimits = checkedLimits(options);
  const keyring = new Keyring(derive !== undefined || isLoopback(listen.hostname), derive);
  const cookies = options.cookie ?? cookiesFromFile(options.cookieFile, host);
  const joinMs = joinTimeout(options);
  const { seeds, discovery } = readSeeds(options);
  if (options.tls !== undefined) checkPem(options.tls, (words) => new NodeOptionError(words));
  const { use, accepted } = await keyring.derive(cookies);
  const events = new Emitter<NodeEvents>((event, error) => {
    log.error(`a listener of ${JSON.stringify(event)} failed: ${describeFully(error)}`);
    host.listenerFailed?.(error);
  });
  const api = options.tracing === false ? undefined : traceApi();
  const mesh = new Mesh(host, {
    name,
    keys: use,
    acceptedKeys: accepted,
    listen,
    seeds,
    discovery,
    forgetMs: milliseconds("forgetAfter", options.forgetAfter ?? FORGET_MS),
    canDial: options.canDial,
    tls: options.tls,
    limits,
    log,
    isHidden: options.hidden,
    features: api === undefined ? 0 : FEATURE.TRACE,
  }, events);
  const { relay, leaveOnSigterm } = options;
  if (typeof leaveOnSigterm === "object") checkTimeout(leaveOnSigterm);
  const roomBytesMax = Math.min(
    ROOM_MESSAGE_BYTES_MAX,
    limits.messageBytesMax - ROOM_HEAD_BYTES_MAX,
    (relay?.messageBytesMax ?? Infinity) - RELAYED_HEAD_BYTES_MAX,
  );
  const rooms = new Rooms(host, { messageBytesMax: roomBytesMax });
  const link = relay && new RelayLink(relay, rooms, {
    warn: (words) => log.as(mesh.name).warn(words),
    after: (ms, task) => host.clock.after(ms, task),
  });
  new RoomRelay(host, mesh, rooms, link);
  await mesh.start();
  const home = { node: mesh.name, creation: mesh.creation, local: true };
  const system = new System(home, host, events);
  const authorization = new Authorization(options.authorize, () => log.as(mesh.name));
  const remote = new RemoteNodes(
    system,
    limits.messageBytesMax - ROW_HEAD_BYTES_MAX,
    remoteMailboxMax,
    authorization,
  );
  mesh.attach = (session) => remote.attach(session);
  remote.exposedBy = (node) => mesh.exposedBy(node);
  // Logs failures of sends. The program does not await sends, so it cannot detect the failures.
  const repeats = new Repeats();
  const unsent = (to: string, words: string): void => {
    const site = callSite();
    const count = repeats.count(`${site} ${words}`, host.clock.now());
    if (count === 0) return;
    const again = count > 1 ? ` (${count} times since this was logged last)` : "";
    log.as(mesh.name).warn(`a message to ${to} was not sent: ${words}, at ${site}${again}`);
  };
  remote.onUnsendable = unsent;
  system.claimRejections(host);
  remote.spawner.changed = (added, fn) => mesh.expose(remote.spawner.names(), added, fn);
  events.on("nodeup", ({ node }) => system.nodeChanged("nodeup", node));
  const { clock } = host;
  const wall = steadyWall(() => clock.wall(), () => clock.now());
  const registry = new Registry(system, events, wall, undefined, {
    seeds,
    quietMs: limits.quietMs,
    deadlineMs: limits.deadlineMs,
    allows: (node, name) => authorization.allows(node, "register", name),
    onShift: (node, ms) => {
      const words = `this node uses the time of ${node} for global names`;
      log.as(mesh.name).info(`${words}: it differs by ${Math.round(ms)} ms`);
    },
  });
  const groups = new GroupTable(system);
  const global = new Global(system, registry, groups);
  const homes = new Homes(
    system,
    groups,
    registry,
    () => mesh.peers(),
    events,
    (words) => log.as(mesh.name).warn(words),
  );
  events.on("nodeup", ({ node }) => homes.connected(node));
  const replicas = new Replicas(registry, groups, async (node) => {
    await new Promise<void>((turn) => host.yieldToIo(turn));
    await mesh.session(node)?.drained();
  });
  remote.cluster = replicas;
  events.on("nodedown", ({ node, reason }) => {
    system.nodeChanged("nodedown", node, reason);
    replicas.down(node, reason === "shutdown");
  });
  logEnds(events, () => log.as(mesh.name));
  const joined = mesh.membership.join((node) => registry.synced(node));
  const changeCookie = async (cookies: string | readonly string[]): Promise<void> => {
    const { use, accepted } = await keyring.derive(cookies);
    await mesh.changeKeys(use, accepted);
  };
  const servers: Server[] = [];
  const observation = new Observation({
    runtime: host.runtime,
    clock,
    system,
    mesh,
    rooms,
    servers: () => servers,
    registry,
    groups,
    memory: () => host.memory?.(),
    access,
    recorder,
    limits: warningLimits,
    events: events as Emitter<never> as Emitter<ObservedEvents>,
    diagnostics: new Diagnostics(mesh.name, events as Emitter<never>, Object.keys(NODE_EVENTS)),
    log: (level, message, event, data) => log.as(mesh.name).write(level, message, event, data),
  });
  if (options.recorderFile !== undefined) {
    const file = new RecorderFile(host, recorder, options.recorderFile, (level, message) => {
      log.as(mesh.name)[level](message);
    });
    observation.onStop = () => file.stop();
    events.on("crash", () => file.crashed());
  }
  if (api !== undefined) {
    const tracer = new NodeTracer(api, system, observation.probes);
    remote.traces = tracer;
    rooms.traced = (room) => tracer.mark(`broadcast ${room}`);
  }
  const parts = {
    host,
    log: log.as(mesh.name),
    mesh,
    rooms,
    messageBytesMax: roomBytesMax,
    system,
    remote,
    registry,
    global,
    groups,
    observation,
    servers,
    homes,
    events,
    unsent,
    joined,
    changeCookie,
    link,
    leaveOnSigterm: options.leaveOnSigterm === true ? {} : options.leaveOnSigterm || undefined,
  };
  try {
    await link?.start(`${mesh.name}#${mesh.creation}`);
  } catch (error) {
    system.stop();
    await mesh.stop();
    throw error;
  }
  await joinWithin(parts, joinMs);
  return parts;
}

/**
 * Waits at most `ms` milliseconds until the node has joined. If joining fails, stops the node and
 * rejects.
 */
async function joinWithin({ host, system, mesh, joined, link }: Parts, ms: number): Promise<void> {
  if (ms === 0) return;
  let late!: Timer;
  const isLate = new Promise<void>((resolve) => late = host.clock.after(ms, resolve));
  try {
    await Promise.race([joined, isLate]);
  } catch (error) {
    system.stop();
    await link?.stop();
    await mesh.stop();
    throw error;
  } finally {
    late.cancel();
  }
}

/**
 * Writes one log entry for each crash. For a supervised actor, the entry includes the supervisor's
 * next step.
 */
function logEnds(events: Emitter<NodeEvents>, log: () => Log): void {
  const crashes = new WeakMap<Pid, Crash>();
  events.on("crash", (crash) => {
    if (crash.supervisor === undefined) log().write("error", crashText(crash), "crash", crash);
    else crashes.set(crash.pid, crash);
  });
  events.on("restart", (end) => {
    const text = restartText(end, end.pid && crashes.get(end.pid));
    log().write(isNormal(end.reason) ? "warn" : "error", text, "restart", end);
  });
}

function makeLog(options: NodeOptions, host: Host, name: NodeName, recorder: Recorder): Log {
  const level = options.logLevel ?? "info";
  const wall = (): number => host.clock.wall();
  if (level !== "silent" && !LOG_LEVELS.includes(level)) {
    throw new NodeOptionError(
      `option logLevel is ${JSON.stringify(level)}: use "silent" or one of ${
        LOG_LEVELS.join(", ")
      }`,
    );
  }
  const sink = options.log === undefined ? host.log : guardedSink(options.log, host.log);
  // The flight recorder receives all entries of level "info" and above.
  const least = level === "silent" ? Infinity : LOG_LEVELS.indexOf(level);
  const all: LogSink = (entry) => {
    const { level, event, message, data } = entry;
    const pid = (data as { pid?: Pid } | undefined)?.pid;
    // Crash reports contain messages, but the recorder must not. The observation records crashes
    // without messages instead.
    const isReport = event === "crash" || event === "restart";
    if (level !== "debug" && !isReport) recorder.record(event, message, pid, level);
    if (LOG_LEVELS.indexOf(level) >= least) sink(entry);
  };
  return new Log(all, level === "debug" ? "debug" : "info", formatName(name), wall);
}

/** Wraps the user's sink. If it throws or rejects, `spare` receives the entry. */
function guardedSink(sink: LogSink, spare: LogSink): LogSink {
  return (entry) => {
    const failed = (error: unknown): void => {
      const words = `the option log failed: ${describeFully(error)}`;
      spare(new LogEntry(entry.time, "error", "", words));
      spare(entry);
    };
    try {
      const done: unknown = sink(entry);
      if (done instanceof Promise) done.catch(failed);
    } catch (error) {
      failed(error);
    }
  };
}
