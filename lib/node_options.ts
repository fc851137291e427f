/**
 * The options of a node: their defaults, limits and checks.
 *
 * @module
 */
import type { RelayTransport } from "./cluster/relay_transport.ts";
import type { LogLevel, LogSink } from "./base/log.ts";
import type { SessionLimits } from "./mesh/session.ts";
import { MESSAGE_BYTES_MAX } from "./mesh/fragment_reader.ts";
import type { PeerOrigin } from "./mesh/peers.ts";
import { parseSeed, type SeedFunction } from "./mesh/seed.ts";
import type { MeshOptions, OwnTls } from "./mesh/mesh.ts";
import type { LeaveOptions } from "./leave.ts";
import { formatName, isLoopback, type NodeName, normalName, parseName } from "./mesh/name.ts";
import type { Host } from "./host/host.ts";
import { completeLimits, type WarningLimits } from "./observe/warning.ts";
import type { Pid } from "./term/pid.ts";

/** Options of a node. All have defaults: `Node.start()` starts a node on this machine. */
export interface NodeOptions {
  /**
   * The node's name, `name@host:port`. Other nodes dial `host:port`. Port 0 selects a free port.
   * Default: a random name on 127.0.0.1 with port 0.
   */
  readonly name?: string | undefined;
  /**
   * The cluster's secret, the same on every node. A node that other machines can reach requires a
   * generated cookie, for example by `openssl rand -hex 16`: at least 32 hex digits or 22
   * characters of base64. There may be up to 4 cookies: the first is used, and all are accepted,
   * see {@linkcode Node.changeCookie}. Default: the content of `cookieFile`.
   */
  readonly cookie?: string | readonly string[] | undefined;
  /**
   * The file with the cookie, used if `cookie` is not set. If the file does not exist, it is
   * created, and only its owner can read it. A file with several cookies has one per line. Default:
   * `.firn.cookie` in the home folder.
   */
  readonly cookieFile?: string | undefined;
  /**
   * The address on which the node listens, if it differs from that of the name, as behind NAT or in
   * a container. Required if the host of the name is not a loopback address, so that a node does
   * not listen on a network by accident. Default: the address of the name.
   */
  readonly listen?: { readonly hostname: string; readonly port?: number | undefined } | undefined;
  /**
   * Nodes to join. One running seed is enough to find all nodes. Each is one of:
   *
   * - `"alpha@10.0.0.7:9000"`, the name of a node, which is dialed until this node stops;
   * - `"*@10.0.0.7:9000"`, the address of a node whose name is not known;
   * - `"*@firn.default.svc:9000"`, a DNS name: the nodes at all of its addresses;
   * - `"*@_firn._tcp.firn.default.svc"`, a DNS service (SRV): the nodes at all of its targets;
   * - `"file:/etc/firn/seeds"`, a file with one seed per line.
   *
   * Alternatively, a function that returns such a list, or a promise of one. All seeds except names
   * are evaluated every `seedInterval` milliseconds. If an evaluation fails, this is logged, and
   * the previous result stays in use.
   */
  readonly seeds?: readonly string[] | SeedFunction | undefined;
  /**
   * Milliseconds between two evaluations of seeds that are not names. Default 10000, at least 100.
   */
  readonly seedInterval?: number | undefined;
  /**
   * Maximum time for which `Node.start` waits for `node.joined`, in milliseconds. It waits until each
   * seed has been dialed once, and until the seeds that were reached have sent their names and
   * groups. With 0, it does not wait. Default 10000.
   */
  readonly joinTimeout?: number | undefined;
  /**
   * Milliseconds after which a lost node that is not a seed is no longer dialed. Default one hour.
   */
  readonly forgetAfter?: number | undefined;
  /**
   * Returns whether a node may be dialed. Called before each dial with the name and the origin of
   * the node: "seed", "met" (there was a session with it), "gossip" (a peer is connected with it)
   * or "asked" (`node.connect`). A denied node is checked again after a minute. Default: all nodes
   * may be dialed.
   */
  readonly canDial?: ((node: string, origin: PeerOrigin) => boolean) | undefined;
  /**
   * Certificates of your own authority, as PEM texts. Default: certificates that are derived from
   * the cookie.
   */
  readonly tls?: OwnTls | undefined;
  /** Milliseconds of silence after which a peer is pinged. Default 5000. */
  readonly pingInterval?: number | undefined;
  /** Milliseconds of silence after which the session with a peer is closed. Default 15000. */
  readonly pingTimeout?: number | undefined;
  /** Maximum bytes in the send queue to a peer. Messages above it are dropped. Default 64 MiB. */
  readonly queueBytesMax?: number | undefined;
  /**
   * Maximum length of a message to another node, in bytes. Must be the same on all nodes. Default
   * 16 MiB.
   */
  readonly messageBytesMax?: number | undefined;
  /**
   * Maximum length of an unbounded mailbox for messages from other nodes. Further messages are
   * dropped with the event "mailbox", and calls are rejected with "mailboxfull". `Infinity`: no
   * limit. Default 262,144.
   */
  readonly remoteMailboxMax?: number | undefined;
  /**
   * Returns whether another node may perform an action: send an exit signal to the actor `target`,
   * link with it, spawn the exposed function `target`, or register the global name `target` on
   * itself. If the function throws, the action is rejected. Of rejected actions, exit signals are
   * dropped, links fail with "noproc", spawns with "refused", and registrations return false; each
   * is logged once per node and action. Use the same rules for names on all nodes. Default: all
   * actions are allowed, as in Erlang.
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
   * How other nodes may observe this node. "none": not at all. "read": with `node.info`, `top`,
   * `tree`, `stats` and `metrics`, which return numbers, names and message types, but no contents.
   * "control": they may also read states, trace and suspend actors, and send exit signals. Such
   * requests use at most a tenth of this node's time, in portions of a millisecond. Default "read".
   */
  readonly observe?: "none" | "read" | "control" | undefined;
  /**
   * Excludes this node from global names, groups, rooms, gossip, quorums and the `peers()` of other
   * nodes, like a hidden node of Erlang. Intended for tools that observe a cluster. Default false.
   */
  readonly hidden?: boolean | undefined;
  /**
   * Carries messages of rooms and channels between meshes, or instead of the mesh: see `natsRelay`
   * in `@firn/firn/cluster`. Default: none.
   */
  readonly relay?: RelayTransport | undefined;
  /**
   * Creates OpenTelemetry spans of calls, messages, spawns, socket messages and broadcasts, if an
   * SDK was registered earlier: an npm package, or Deno's own with `OTEL_DENO=true`. Default true.
   */
  readonly tracing?: boolean | undefined;
  /**
   * The file to which the flight recorder is written, on SIGUSR1 and half a second after a crash,
   * at most every 10 seconds. Each of its 1000 entries is a line of JSON. Default: not written;
   * `node.sys.recent` returns the entries.
   */
  readonly recorderFile?: string | undefined;
  /**
   * Limits at which warnings are logged and emitted as event "warning". Default: as
   * `WarningLimits` documents.
   */
  readonly warnings?: WarningLimits | undefined;
  /**
   * Whether the node leaves on SIGTERM: see {@linkcode Node.leave}. When all nodes of the process
   * have left, the process exits with status 0, unless the program handles the signal too. Default
   * false.
   */
  readonly leaveOnSigterm?: boolean | LeaveOptions | undefined;
  /** The lowest level that is logged, or "silent". Default "info". */
  readonly logLevel?: LogLevel | "silent" | undefined;
  /** Receives log entries. Default: writes them to standard error. */
  readonly log?: LogSink | undefined;
}

/** Default of the option `joinTimeout`, in milliseconds. */
const JOIN_MS = 10_000;

/** Default of the option `seedInterval`, in milliseconds. */
const SEED_INTERVAL_MS = 10_000;

/** Minimum of the option `queueBytesMax`, in bytes. */
const QUEUE_BYTES_LEAST = 1024;

/** Minimum of the option `messageBytesMax`, in bytes. */
const MESSAGE_BYTES_LEAST = 65_536;
/** Maximum of the option `messageBytesMax`, in bytes. */
const MESSAGE_BYTES_MOST: number = 1024 * 1024 * 1024;

/**
 * An option of a node is invalid.
 *
 * @example
 * ```ts
 * import { Node, NodeOptionError } from "@firn/firn";
 * import { assertRejects } from "@std/assert";
 *
 * await assertRejects(() => Node.start({ joinTimeout: -1 }), NodeOptionError, "joinTimeout");
 * ```
 */
export class NodeOptionError extends TypeError {
  /** Name of the error class. */
  override readonly name = "NodeOptionError";
  /** Stable code: `"badoption"`. */
  readonly code = "badoption";
}

/** The names of all options of a node. */
export const NODE_OPTIONS: Readonly<Record<keyof NodeOptions, true>> = {
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
  relay: true,
  tracing: true,
  recorderFile: true,
  observe: true,
  warnings: true,
  leaveOnSigterm: true,
  logLevel: true,
  log: true,
};

/** Returns the limits of warnings, completed with defaults. */
export function checkedLimits({ warnings }: NodeOptions): ReturnType<typeof completeLimits> {
  try {
    return completeLimits(warnings);
  } catch (error) {
    throw new NodeOptionError((error as Error).message);
  }
}

/** Returns the name with which the node is started: the option `name`, or a random name. */
export function nodeName(options: NodeOptions, host: Host): NodeName {
  const chance = Array.from(host.random.bytes(3), (byte) => byte.toString(16).padStart(2, "0"));
  return parseName(normalName(options.name ?? `node-${chance.join("")}@127.0.0.1:0`))!;
}

/** Returns the address and port on which the node listens. */
export function listenAddress(
  options: NodeOptions,
  name: NodeName,
): { hostname: string; port: number } {
  const { listen } = options;
  if (listen !== undefined) {
    const { hostname, port = name.port } = listen;
    if (Number.isInteger(port) && port >= 0 && port <= 65535) return { hostname, port };
    throw new NodeOptionError(`option listen.port is ${port}: use 0 to 65535`);
  }
  if (isLoopback(name.hostname)) return { hostname: name.hostname, port: name.port };
  throw new NodeOptionError(
    `${formatName(name)} would listen beyond this machine: if this is intended, ` +
      `set listen: { hostname: "${name.hostname}" }, or "0.0.0.0" for all addresses`,
  );
}

/** Separates the seeds that are names of nodes from those that must be evaluated periodically. */
export function readSeeds(options: NodeOptions): Pick<MeshOptions, "seeds" | "discovery"> {
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

/** Returns the limits of sessions, completed with defaults. */
export function sessionLimits(options: NodeOptions): SessionLimits & { messageBytesMax: number } {
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

/**
 * Returns the maximum time for which `Node.start` waits until the node has joined the cluster, in
 * milliseconds.
 */
export function joinTimeout({ joinTimeout = JOIN_MS }: NodeOptions): number {
  if (joinTimeout === 0 || (joinTimeout >= 10 && joinTimeout <= 86_400_000)) return joinTimeout;
  throw new NodeOptionError(
    `option joinTimeout is ${joinTimeout}: use 10 to 86400000 milliseconds, or 0 not to wait`,
  );
}

/** Returns `value`, an option in milliseconds. Throws `NodeOptionError` if it is out of range. */
export function milliseconds(name: string, value: number): number {
  if (value >= 10 && value <= 86_400_000) return value;
  throw new NodeOptionError(`option ${name} is ${value}: use 10 to 86400000 milliseconds`);
}
