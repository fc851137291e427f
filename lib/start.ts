/**
 * Starts a node from options: chooses the host, checks the options, derives the keys, and connects the parts. It
 * sets the ports by which rooms and actors reach other nodes.
 *
 * Longer than 400 lines: half of it is the documented options; the rest checks them and connects the parts.
 *
 * @module
 */
import type { Timer } from "./base/clock.ts";
import { Log, LOG_LEVELS, LogEntry, type LogLevel, type LogSink } from "./base/log.ts";
import { describeFully } from "./actor/describe.ts";
import { callSite } from "./actor/call_site.ts";
import { type Crash, crashText, type SystemEvents } from "./actor/report.ts";
import { System } from "./actor/system.ts";
import { Emitter } from "./base/emitter.ts";
import { checkPem } from "./base/pem.ts";
import { Repeats } from "./base/repeats.ts";
import { checkNames } from "./base/spelling.ts";
import { Global } from "./cluster/global.ts";
import { GroupTable } from "./cluster/groups.ts";
import { type HomeEvents, Homes } from "./cluster/home.ts";
import { type GlobalEvents, Registry } from "./cluster/registry.ts";
import { Replicas } from "./cluster/replicas.ts";
import { cookiesFromFile } from "./cookie_file.ts";
import { steadyWall } from "./cluster/steady_wall.ts";
import { RoomRelay } from "./cluster/room_relay.ts";
import type { SessionLimits } from "./mesh/session.ts";
import type { ClusterKeys } from "./mesh/identity.ts";
import { Keyring } from "./mesh/keyring.ts";
import { Authorization } from "./mesh/authorization.ts";
import { REMOTE_MAILBOX_MAX } from "./mesh/inbound.ts";
import { RemoteNodes } from "./mesh/remote_nodes.ts";
import { ROOM_HEAD_BYTES_MAX, ROOM_MESSAGE_BYTES_MAX } from "./mesh/message.ts";
import { MESSAGE_BYTES_MAX } from "./mesh/fragment_reader.ts";
import { FORGET_MS, type PeerOrigin } from "./mesh/peers.ts";
import { parseSeed, type SeedFunction } from "./mesh/seed.ts";
import { Mesh, type MeshEvents, type MeshOptions, type OwnTls } from "./mesh/mesh.ts";
import type { LeaveOptions } from "./leave.ts";
import { formatName, isLoopback, type NodeName, normalName, parseName } from "./mesh/name.ts";
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
import { completeLimits, type Warning, type WarningLimits } from "./observe/warning.ts";
import { isNormal } from "./term/exit.ts";
import type { Pid } from "./term/pid.ts";
import { Rooms } from "./ws/rooms.ts";
import type { Server } from "./ws/server.ts";

/** Options of a node. All have defaults: `Node.start()` starts a node on this machine. */
export interface NodeOptions {
  /**
   * The node's name, `name@host:port`: `host:port` is where others dial it. With port 0 the
   * system chooses. Default: a random name, on 127.0.0.1, port 0.
   */
  readonly name?: string | undefined;
  /**
   * The cluster's secret, the same on every node. Nodes that listen beyond loopback accept only a
   * generated one, for example by `openssl rand -hex 16`: 32 hex digits or 22 characters of base64. Of several, up to 4, the first is used and all are accepted: see
   * {@linkcode Node.changeCookie}. Default: the content of `cookieFile`.
   */
  readonly cookie?: string | readonly string[] | undefined;
  /**
   * The file of the cookie when none is given. Created, readable by its owner only, if it does not exist. Several
   * cookies are on one line each. Default: `.firn.cookie` in the home folder.
   */
  readonly cookieFile?: string | undefined;
  /**
   * Where to listen, if not at the host and port of the name: behind NAT, in a container. Required
   * if the host of the name is not loopback, so that a node does not listen on a network by accident.
   */
  readonly listen?: { readonly hostname: string; readonly port?: number | undefined } | undefined;
  /**
   * Nodes to join; one that is up is enough to find all. Each is one of:
   *
   * - `"alpha@10.0.0.7:9000"`, the name of a node: dialed until this node stops;
   * - `"*@10.0.0.7:9000"`, the address of a node whose name is not known;
   * - `"*@firn.default.svc:9000"`, a DNS name: the nodes at all of its addresses;
   * - `"*@_firn._tcp.firn.default.svc"`, a DNS service (SRV): the nodes at all of its targets;
   * - `"file:/etc/firn/seeds"`, a file with one seed a line.
   *
   * In place of the list, a function that returns or resolves to such a list. All but names are evaluated
   * every `seedInterval` milliseconds. A failure is logged, and changes nothing until it succeeds.
   */
  readonly seeds?: readonly string[] | SeedFunction | undefined;
  /** Milliseconds between two evaluations of seeds that are not names. Default 10000, at least 100. */
  readonly seedInterval?: number | undefined;
  /**
   * Milliseconds that `Node.start` waits at most for `node.joined`: for one dial of each seed, and for the
   * names and groups of those that are reached. 0: it does not wait. Default 10000.
   */
  readonly joinTimeout?: number | undefined;
  /**
   * Milliseconds after which a node that was lost, and is no seed, is not dialed any more. Default one hour.
   */
  readonly forgetAfter?: number | undefined;
  /**
   * Returns whether a node may be dialed: called before each dial with its name and how it came to be known,
   * "seed", "met" (there was a session with it), "gossip" (a peer is connected with it) or "asked"
   * (`node.connect`). A denied node is checked again after a minute. Default: all may.
   */
  readonly canDial?: ((node: string, origin: PeerOrigin) => boolean) | undefined;
  /** Certificates of your own authority, PEM, in place of those that are derived from the cookie. */
  readonly tls?: OwnTls | undefined;
  /** Milliseconds of silence after which a peer is pinged. Default 5000. */
  readonly pingInterval?: number | undefined;
  /** Milliseconds of silence after which a peer is given up. Default 15000. */
  readonly pingTimeout?: number | undefined;
  /** The most bytes that wait for one peer; above it messages to it are dropped. Default 64 MiB. */
  readonly queueBytesMax?: number | undefined;
  /** The longest message to another node, in bytes; the same on all nodes. Default 16 MiB. */
  readonly messageBytesMax?: number | undefined;
  /**
   * The length of a mailbox up to which messages of other nodes are accepted, if the actor has no limit of its
   * own. Further ones are dropped with the event "mailbox", and calls rejected with "mailboxfull".
   * `Infinity`: no limit. Default 262,144.
   */
  readonly remoteMailboxMax?: number | undefined;
  /**
   * Returns whether another node may do what it asks: send an exit signal to the actor `target`, link with
   * it, spawn the exposed function `target`, or register the global name `target` on itself. What is not
   * allowed, or throws, is rejected and logged once for each node and action: exit signals are dropped, links
   * answered with "noproc", spawns with "refused", and names with false. Use the same rules for names on all
   * nodes. Default: a member may do everything, as in Erlang.
   */
  readonly authorize?:
    | ((
      request: {
        readonly node: string;
        readonly action: "exit" | "link" | "spawn" | "register";
        readonly target: Pid | string;
      },
    ) => boolean)
    | undefined;
  /**
   * What other nodes may do with this one: "none"; "read": `node.info`, `top`, `tree`, `stats`, `metrics`,
   * which return numbers, names and types of messages, no contents; "control": also read states, trace and
   * suspend actors, and send exit signals. Questions of other nodes cost this one a tenth of its time at
   * most, in portions of a millisecond. Default "read".
   */
  readonly observe?: "none" | "read" | "control" | undefined;
  /**
   * Takes no part in global names, groups, rooms and gossip, is not listed in `peers()` of others, and counts
   * for no quorum, as a hidden node of Erlang: for tools that observe a cluster. Default false.
   */
  readonly hidden?: boolean | undefined;
  /**
   * Makes spans of OpenTelemetry of calls, messages, spawns, socket messages and broadcasts, if the program has
   * registered an SDK before: by npm, or Deno's own with `OTEL_DENO=true`. Default true.
   */
  readonly tracing?: boolean | undefined;
  /**
   * Where the flight recorder is written: a line of JSON for each of its 1000 entries, at SIGUSR1 and half a
   * second after a crash, then at most every 10 seconds. Default: it is not written; `node.sys.recent` reads it.
   */
  readonly recorderFile?: string | undefined;
  /** When to warn, by the log and the event "warning", before something fails. */
  readonly warnings?: WarningLimits | undefined;
  /**
   * On SIGTERM the node leaves, see {@linkcode Node.leave}, and when all nodes of the process have left and
   * nothing else handles the signal, the process exits with 0. Default false.
   */
  readonly leaveOnSigterm?: boolean | LeaveOptions | undefined;
  /** The lowest level that is logged, or "silent". Default "info". */
  readonly logLevel?: LogLevel | "silent" | undefined;
  /** Receives the lines. Default: standard error. */
  readonly log?: LogSink | undefined;
}

/** How long `Node.start` waits for the cluster by default. Milliseconds. */
const JOIN_MS = 10_000;

/** How often seeds are evaluated by default. Milliseconds. */
const SEED_INTERVAL_MS = 10_000;

/** The least that `queueBytesMax` may be. */
const QUEUE_BYTES_LEAST = 1024;

/** The bytes of a message that are kept for its receiver; the rest is the longest term. */
const ROW_HEAD_BYTES_MAX = 1024;

/** The limits of `messageBytesMax`. */
const MESSAGE_BYTES_LEAST = 65_536;
const MESSAGE_BYTES_MOST: number = 1024 * 1024 * 1024;

/** An option of a node is invalid. */
export class NodeOptionError extends TypeError {
  /** The name of the class. */
  override readonly name = "NodeOptionError";
  /** Stable code: `"badoption"`. */
  readonly code = "badoption";
}

/** The parts of a running node. */
export interface Parts {
  readonly host: Host;
  readonly log: Log;
  readonly mesh: Mesh;
  readonly rooms: Rooms;
  /** The longest message to a room, in bytes. */
  readonly messageBytesMax: number;
  readonly system: System;
  readonly remote: RemoteNodes;
  readonly registry: Registry;
  readonly global: Global;
  readonly groups: GroupTable;
  readonly observation: Observation;
  /** The servers of this node. */
  readonly servers: Server[];
  readonly homes: Homes;
  /** Changes the cookies: the first is used, all are accepted. */
  readonly changeCookie: (cookies: string | readonly string[]) => Promise<void>;
  /** The options of leaving on SIGTERM; undefined if SIGTERM is not handled. */
  readonly leaveOnSigterm: LeaveOptions | undefined;
  readonly events: Emitter<NodeEvents>;
  /** Logs that a message was not sent: its receiver, and the reason. */
  readonly unsent: (to: string, words: string) => void;
  /** Resolves when this node has joined its cluster. */
  readonly joined: Promise<void>;
}

/** Events of a node: of its mesh, its actors, and global names. */
export interface NodeEvents extends MeshEvents, SystemEvents, GlobalEvents, HomeEvents {
  /** Something may fail soon, or has been found to wait for long: see the option `warnings`. */
  warning: Warning;
}

/** The names of the events. */
export const NODE_EVENTS: Readonly<Record<keyof NodeEvents, true>> = {
  nodeup: true,
  nodedown: true,
  pressure: true,
  listener: true,
  clockskew: true,
  refused: true,
  dial: true,
  forgotten: true,
  nameinuse: true,
  spawn: true,
  exit: true,
  crash: true,
  restart: true,
  givenup: true,
  deadletter: true,
  mailbox: true,
  warning: true,
  name: true,
  nameconflict: true,
  quorumlost: true,
  moved: true,
  keygivenup: true,
};

/** The names of all options. */
const OPTIONS: Readonly<Record<keyof NodeOptions, true>> = {
  name: true,
  cookie: true,
  cookieFile: true,
  listen: true,
  seeds: true,
  seedInterval: true,
  joinTimeout: true,
  forgetAfter: true,
  canDial: true,
  tls: true,
  pingInterval: true,
  pingTimeout: true,
  queueBytesMax: true,
  messageBytesMax: true,
  remoteMailboxMax: true,
  authorize: true,
  hidden: true,
  tracing: true,
  recorderFile: true,
  observe: true,
  warnings: true,
  leaveOnSigterm: true,
  logLevel: true,
  log: true,
};

/** Returns the host of the current runtime. */
export function systemHost(): Host {
  return "Bun" in globalThis ? new BunHost() : new DenoHost();
}

/** Starts a node. `derive` returns the keys of a cookie, of any strength, in place of deriving them. */
export async function startNode(
  options: NodeOptions,
  host?: Host,
  derive?: (cookie: string) => Promise<ClusterKeys>,
): Promise<Parts> {
  checkNames(options, OPTIONS, (words) => new NodeOptionError(words));
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
  const roomBytesMax = Math.min(
    ROOM_MESSAGE_BYTES_MAX,
    limits.messageBytesMax - ROOM_HEAD_BYTES_MAX,
  );
  const rooms = new Rooms(host, { messageBytesMax: roomBytesMax });
  new RoomRelay(mesh, rooms);
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
  // A send is not awaited, so that a failure would be unnoticed.
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
    events,
    (words) => log.as(mesh.name).warn(words),
  );
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
    leaveOnSigterm: options.leaveOnSigterm === true ? {} : options.leaveOnSigterm || undefined,
  };
  await joinWithin(parts, joinMs);
  return parts;
}

/** Waits until the node has joined, for `ms` at most. If it must not take part, stops it and rejects. */
async function joinWithin({ host, system, mesh, joined }: Parts, ms: number): Promise<void> {
  if (ms === 0) return;
  let late!: Timer;
  const isLate = new Promise<void>((resolve) => late = host.clock.after(ms, resolve));
  try {
    await Promise.race([joined, isLate]);
  } catch (error) {
    system.stop();
    await mesh.stop();
    throw error;
  } finally {
    late.cancel();
  }
}

/** Logs one report per crash: that of a supervised actor together with the decision of its supervisor. */
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

function checkedLimits({ warnings }: NodeOptions): ReturnType<typeof completeLimits> {
  try {
    return completeLimits(warnings);
  } catch (error) {
    throw new NodeOptionError((error as Error).message);
  }
}

function nodeName(options: NodeOptions, host: Host): NodeName {
  const chance = Array.from(host.random.bytes(3), (byte) => byte.toString(16).padStart(2, "0"));
  return parseName(normalName(options.name ?? `node-${chance.join("")}@127.0.0.1:0`))!;
}

function listenAddress(options: NodeOptions, name: NodeName): { hostname: string; port: number } {
  const { listen } = options;
  if (listen !== undefined) {
    const { hostname, port = name.port } = listen;
    if (Number.isInteger(port) && port >= 0 && port <= 65535) return { hostname, port };
    throw new NodeOptionError(`option listen.port is ${port}: use 0 to 65535`);
  }
  if (isLoopback(name.hostname)) return { hostname: name.hostname, port: name.port };
  throw new NodeOptionError(
    `${formatName(name)} would listen beyond this machine: if that is meant, ` +
      `give listen: { hostname: "${name.hostname}" }, or "0.0.0.0" for all addresses`,
  );
}

/** Separates seeds that are names from those that must be evaluated. */
function readSeeds(options: NodeOptions): Pick<MeshOptions, "seeds" | "discovery"> {
  const { seeds = [], seedInterval: intervalMs = SEED_INTERVAL_MS } = options;
  if (!(intervalMs >= 100 && intervalMs <= 86_400_000)) {
    throw new NodeOptionError(
      `option seedInterval is ${intervalMs}: use 100 to 86400000 milliseconds`,
    );
  }
  if (typeof seeds === "function") return { seeds: [], discovery: { seeds, intervalMs } };
  const names: string[] = [];
  const others: string[] = [];
  for (const text of seeds) {
    const seed = parseSeed(text);
    if (seed.kind === "name") names.push(seed.name);
    else others.push(text);
  }
  return { seeds: names, discovery: others.length > 0 ? { seeds: others, intervalMs } : undefined };
}

function sessionLimits(options: NodeOptions): SessionLimits & { messageBytesMax: number } {
  const quietMs = milliseconds("pingInterval", options.pingInterval ?? 5_000);
  const deadlineMs = milliseconds("pingTimeout", options.pingTimeout ?? 15_000);
  if (deadlineMs <= quietMs) {
    throw new NodeOptionError(
      `option pingTimeout (${deadlineMs}) must be more than pingInterval (${quietMs})`,
    );
  }
  const queueBytesMax = options.queueBytesMax ?? 64 * 1024 * 1024;
  if (!(queueBytesMax >= QUEUE_BYTES_LEAST && queueBytesMax < Infinity)) {
    throw new NodeOptionError(
      `option queueBytesMax is ${queueBytesMax}: use ${QUEUE_BYTES_LEAST} bytes or more`,
    );
  }
  const messageBytesMax = options.messageBytesMax ?? MESSAGE_BYTES_MAX;
  if (!(messageBytesMax >= MESSAGE_BYTES_LEAST && messageBytesMax <= MESSAGE_BYTES_MOST)) {
    throw new NodeOptionError(
      `option messageBytesMax is ${messageBytesMax}: use ${MESSAGE_BYTES_LEAST} to ${MESSAGE_BYTES_MOST}`,
    );
  }
  return { quietMs, deadlineMs, queueBytesMax, messageBytesMax };
}

function joinTimeout({ joinTimeout = JOIN_MS }: NodeOptions): number {
  if (joinTimeout === 0 || (joinTimeout >= 10 && joinTimeout <= 86_400_000)) return joinTimeout;
  throw new NodeOptionError(
    `option joinTimeout is ${joinTimeout}: use 10 to 86400000 milliseconds, or 0 not to wait`,
  );
}

function milliseconds(name: string, value: number): number {
  if (value >= 10 && value <= 86_400_000) return value;
  throw new NodeOptionError(`option ${name} is ${value}: use 10 to 86400000 milliseconds`);
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
  // The flight recorder has all entries from "info" on.
  const least = level === "silent" ? Infinity : LOG_LEVELS.indexOf(level);
  const all: LogSink = (entry) => {
    const { level, event, message, data } = entry;
    const pid = (data as { pid?: Pid } | undefined)?.pid;
    // Crash reports contain messages: they are recorded by the observation, without those.
    const isReport = event === "crash" || event === "restart";
    if (level !== "debug" && !isReport) recorder.record(event, message, pid, level);
    if (LOG_LEVELS.indexOf(level) >= least) sink(entry);
  };
  return new Log(all, level === "debug" ? "debug" : "info", formatName(name), wall);
}

/** A sink of the user's that throws or rejects does not end the process: the host's takes the entry. */
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
