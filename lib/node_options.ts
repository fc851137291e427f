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
   * The node's name, `name@host:port`. Other nodes dial `host:port`. Port 0 chooses a free port.
   * Default: a random name, on 127.0.0.1, port 0.
   */
  readonly name?: string | undefined;
  /**
   * The cluster's secret, the same on every node. A node that listens beyond loopback requires a
   * generated one, for example by `openssl rand -hex 16`: 32 hex digits or 22 characters of base64.
   * Of several, up to 4, the first is used and all are accepted: see {@linkcode Node.changeCookie}.
   * Default: the content of `cookieFile`.
   */
  readonly cookie?: string | readonly string[] | undefined;
  /**
   * The file with the cookie, used if `cookie` is not set. Created, readable by its owner only, if
   * it does not exist. A file with several cookies has one per line. Default: `.firn.cookie` in the
   * home folder.
   */
  readonly cookieFile?: string | undefined;
  /**
   * The address to listen on, if different from that of the name, as behind NAT or in a container.
   * Required if the host of the name is not loopback, so that a node does not listen on a network
   * by accident. Default: the address of the name.
   */
  readonly listen?: { readonly hostname: string; readonly port?: number | undefined } | undefined;
  /**
   * Nodes to join. One running seed is enough to find all nodes. Each is one of:
   *
   * - `"alpha@10.0.0.7:9000"`, the name of a node: dialed until this node stops;
   * - `"*@10.0.0.7:9000"`, the address of a node whose name is not known;
   * - `"*@firn.default.svc:9000"`, a DNS name: the nodes at all of its addresses;
   * - `"*@_firn._tcp.firn.default.svc"`, a DNS service (SRV): the nodes at all of its targets;
   * - `"file:/etc/firn/seeds"`, a file with one seed a line.
   *
   * Alternatively a function that returns or resolves to such a list. All but names are evaluated
   * every `seedInterval` milliseconds. After a failure, which is logged, the previous result stays
   * in use.
   */
  readonly seeds?: readonly string[] | SeedFunction | undefined;
  /**
   * Milliseconds between two evaluations of seeds that are not names. Default 10000, at least 100.
   */
  readonly seedInterval?: number | undefined;
  /**
   * Maximum time that `Node.start` waits for `node.joined`, in milliseconds: for one dial of each
   * seed, and for the names and groups of the reached ones. 0 does not wait. Default 10000.
   */
  readonly joinTimeout?: number | undefined;
  /**
   * Milliseconds after which a lost node that is not a seed is no longer dialed. Default one hour.
   */
  readonly forgetAfter?: number | undefined;
  /**
   * Returns whether a node may be dialed. Called before each dial with its name and its origin:
   * "seed", "met" (there was a session with it), "gossip" (a peer is connected with it) or "asked"
   * (`node.connect`). A denied node is checked again after a minute. Default: permits all.
   */
  readonly canDial?: ((node: string, origin: PeerOrigin) => boolean) | undefined;
  /**
   * PEM certificates of your own authority, instead of those derived from the cookie. Default:
   * those of the cookie.
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
   * Maximum length of a mailbox for messages of other nodes, if the actor has no limit of its own.
   * Further messages are dropped with the event "mailbox", and calls rejected with "mailboxfull".
   * `Infinity`: no limit. Default 262,144.
   */
  readonly remoteMailboxMax?: number | undefined;
  /**
   * Returns whether another node is permitted an action: to send an exit signal to the actor
   * `target`, link with it, spawn the exposed function `target`, or register the global name
   * `target` on itself. An action is also rejected if the function throws. Rejections are logged
   * once per node and action: exit signals are dropped, links fail with "noproc", spawns with
   * "refused", and registrations return false. Use the same rules for names on all nodes. Default:
   * permits everything, as in Erlang.
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
   * Access of other nodes to observation: "none"; "read": `node.info`, `top`, `tree`, `stats` and
   * `metrics`, which return numbers, names and message types without contents; "control": also
   * reading states, tracing and suspending actors, and sending exit signals. Such requests use at
   * most a tenth of this node's time, in portions of a millisecond. Default "read".
   */
  readonly observe?: "none" | "read" | "control" | undefined;
  /**
   * Excludes this node from global names, groups, rooms, gossip, quorums and `peers()` of other
   * nodes, like a hidden node of Erlang. For tools that observe a cluster. Default false.
   */
  readonly hidden?: boolean | undefined;
  /**
   * Carries messages of rooms and channels between meshes, or in place of the mesh: see `natsRelay`
   * in `@firn/firn/cluster`. Default: none.
   */
  readonly relay?: RelayTransport | undefined;
  /**
   * Creates OpenTelemetry spans of calls, messages, spawns, socket messages and broadcasts, if an
   * SDK has been registered before: one of npm, or Deno's with `OTEL_DENO=true`. Default true.
   */
  readonly tracing?: boolean | undefined;
  /**
   * The file to which the flight recorder is written: a line of JSON for each of its 1000 entries,
   * on SIGUSR1 and half a second after a crash, at most every 10 seconds. Default: not written;
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
   * have left, and nothing else handles the signal, the process exits with 0. Default false.
   */
  readonly leaveOnSigterm?: boolean | LeaveOptions | undefined;
  /** The lowest level that is logged, or "silent". Default "info". */
  readonly logLevel?: LogLevel | "silent" | undefined;
  /** Receives log entries. Default: writes them to standard error. */
  readonly log?: LogSink | undefined;
}

/** Default of the option `joinTimeout`. Milliseconds. */
const JOIN_MS = 10_000;

/** Default of the option `seedInterval`. Milliseconds. */
const SEED_INTERVAL_MS = 10_000;

/** Minimum of the option `queueBytesMax`. Bytes. */
const QUEUE_BYTES_LEAST = 1024;

/** Minimum and maximum of the option `messageBytesMax`. Bytes. */
const MESSAGE_BYTES_LEAST = 65_536;
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

/** The names of all options. */
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

/** Returns the name that the node is started with. Without the option, a random one. */
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

/** Returns the seeds that are names of nodes, and those that must be evaluated at intervals. */
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

/** Returns the milliseconds that `Node.start` waits until the node has joined the cluster. */
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
