/**
 * The options of a node: their defaults, limits and checks.
 *
 * @module
 */
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

/** Returns the node's name, a random one by default. */
export function nodeName(options: NodeOptions, host: Host): NodeName {
  const chance = Array.from(host.random.bytes(3), (byte) => byte.toString(16).padStart(2, "0"));
  return parseName(normalName(options.name ?? `node-${chance.join("")}@127.0.0.1:0`))!;
}

/** Returns where the node listens. */
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
    `${formatName(name)} would listen beyond this machine: if that is meant, ` +
      `give listen: { hostname: "${name.hostname}" }, or "0.0.0.0" for all addresses`,
  );
}

/** Returns the seeds that are names, and those that must be evaluated. */
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

/** Returns how long `Node.start` waits for the cluster, in milliseconds. */
export function joinTimeout({ joinTimeout = JOIN_MS }: NodeOptions): number {
  if (joinTimeout === 0 || (joinTimeout >= 10 && joinTimeout <= 86_400_000)) return joinTimeout;
  throw new NodeOptionError(
    `option joinTimeout is ${joinTimeout}: use 10 to 86400000 milliseconds, or 0 not to wait`,
  );
}

/** Returns an option in milliseconds. Throws `NodeOptionError` if it is out of range. */
export function milliseconds(name: string, value: number): number {
  if (value >= 10 && value <= 86_400_000) return value;
  throw new NodeOptionError(`option ${name} is ${value}: use 10 to 86400000 milliseconds`);
}
