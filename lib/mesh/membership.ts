/**
 * Finds and dials the other nodes of the cluster. Combines gossip and joining. The guarantees and
 * their times are in `README.md`.
 *
 *     seeds, connect() ─┐
 *     Gossip ───────────┼─▶ Peers ─▶ DialQueue ─▶ Dialer ─▶ session up ─▶ Peers, Gossip, Joining, waiters
 *     session over ─────┘
 *
 * @module
 */
import type { Log } from "../base/log.ts";
import type { ClientTls, Host } from "../host/host.ts";
import { ConnectWaiters, NodeConnectError, stoppingError } from "./connect_waiters.ts";
import { Dialer, type DialOutcome } from "./dialer.ts";
import { DialQueue } from "./dial_queue.ts";
import { Discovery } from "./discovery.ts";
import { Gossip } from "./gossip.ts";
import type { CertificateCheck, Met, Self } from "./handshake.ts";
import type { SessionSink } from "./handshake_io.ts";
import { identify } from "./identify.ts";
import { Joining } from "./joining.ts";
import { FORGET_MS, type PeerOrigin, Peers, type Verdict } from "./peers.ts";
import type { SeedFunction } from "./seed.ts";
import type { Opened, SessionEnd } from "./session.ts";

/** Default time limit of {@linkcode Membership.connect}, in milliseconds. */
export const CONNECT_MS = 15_000;

/** In the set of awaited nodes, this entry represents the first evaluation of the seeds. */
const DISCOVERY = "*";

/** Options of membership. */
export interface MembershipOptions {
  /** Names of nodes to join. */
  readonly seeds: readonly string[];
  /** Seeds that are evaluated periodically, and the interval in milliseconds. */
  readonly discovery?: {
    readonly seeds: readonly string[] | SeedFunction;
    readonly intervalMs: number;
  } | undefined;
  /** Milliseconds after which a lost node is forgotten. */
  readonly forgetMs?: number | undefined;
  /** Returns whether a node may be dialed. */
  readonly canDial?: ((node: string, origin: PeerOrigin) => boolean) | undefined;
}

/** Events of membership. */
export interface MembershipEvents {
  /**
   * A dial has ended. `code`: "up", or the reason of the failure; `origin`: how the node became
   * known.
   */
  dial: {
    readonly node: string;
    readonly origin: PeerOrigin;
    readonly code: string;
    readonly ms: number;
  };
  /**
   * A node is no longer dialed. "expired": the node was unreachable for `forgetAfter`; or it was
   * never reached, and no peer has named it for 10 minutes. "superseded": another node answers at
   * its address.
   */
  forgotten: { readonly node: string; readonly reason: "expired" | "superseded" };
  /**
   * Two live nodes have the same name. `by` is the node that rejected the new one. If `name` is
   * this node's name and `by` is another node, this node is the new one.
   */
  nameinuse: { readonly name: string; readonly by: string; readonly words: string };
}

/** Counts since the start of this node, and current numbers. */
export interface MembershipStats {
  /** Number of known nodes. */
  readonly known: number;
  /** Number of nodes with an open session. */
  readonly connected: number;
  /** Number of dials in progress. */
  readonly dialing: number;
  /** Number of dials that have ended. */
  readonly dials: number;
  /** Number of dials that ended in a session. */
  readonly dialsUp: number;
  /** Number of dials that failed. */
  readonly dialsFailed: number;
  /** Number of nodes that were forgotten. */
  readonly forgotten: number;
  /** Number of nodes that this node rejected because their name was in use. */
  readonly namesInUse: number;
  /** Number of digests sent, not counting answers. */
  readonly exchanges: number;
  /** Number of received digests that differed from this node's. */
  readonly mismatches: number;
  /**
   * Number of times that a listener of this node or of its servers stopped accepting: events
   * `listener`, "failed".
   */
  readonly listenerFailures: number;
  /**
   * Number of times that a peer's clock was found to differ from this node's clock: events
   * `clockskew` whose skew is not 0.
   */
  readonly clockSkews: number;
}

/** The parts of the node that membership uses. */
export interface MembershipPort {
  readonly self: () => Self;
  readonly log: () => Log;
  readonly tls: (hostname: string) => ClientTls;
  readonly checkCertificate: CertificateCheck;
  readonly hasSession: (node: string) => boolean;
  readonly sessions: () => Iterable<string>;
  readonly send: (node: string, frame: Uint8Array) => void;
  readonly isStopping: () => boolean;
  readonly losing: (node: string) => Promise<void> | undefined;
  /** Called when a dial has opened a session. Returns the receiver of its frames. */
  readonly up: (met: Met, opened: Opened, exposed: readonly string[]) => SessionSink;
  readonly refused: (node: string, reason: string, words: string) => void;
  readonly emit: <Name extends keyof MembershipEvents>(
    name: Name,
    event: MembershipEvents[Name],
  ) => void;
}

/** Finds and dials the other nodes of a cluster, for one node. */
export class Membership {
  readonly #host: Host;
  readonly #options: MembershipOptions;
  readonly #port: MembershipPort;
  readonly #waiters: ConnectWaiters;
  #self: string;
  #peers: Peers;
  #gossip: Gossip;
  #dialer: Dialer;
  /** The progress of joining, after {@linkcode join} was called. */
  #joining: Joining | undefined;
  #discovery: Discovery | undefined;
  #counts = { dials: 0, dialsUp: 0, dialsFailed: 0, forgotten: 0, namesInUse: 0 };

  constructor(host: Host, self: string, options: MembershipOptions, port: MembershipPort) {
    this.#host = host;
    this.#options = options;
    this.#port = port;
    this.#waiters = new ConnectWaiters(host.clock);
    this.#self = self;
    this.#peers = this.#makePeers();
    this.#gossip = this.#makeGossip();
    this.#dialer = this.#makeDialer();
  }

  /** Sets this node's name once the system has chosen its port. */
  rename(self: string): void {
    this.#self = self;
    this.#peers = this.#makePeers();
    this.#gossip = this.#makeGossip();
    this.#dialer = this.#makeDialer();
  }

  /**
   * Dials the seeds. Resolves when this node has joined: see `joining.ts`. `synced` resolves when a
   * connected node has sent its names and groups. Rejects with {@linkcode NodeConnectError}, `code`
   * "nameinuse", if a reached node has a session with another live node of this name.
   */
  join(synced: (node: string) => Promise<void>): Promise<void> {
    const { clock } = this.#host;
    const seeds = this.#options.seeds.filter((seed) => this.#peers.add(seed, "seed", clock.now()));
    const { discovery } = this.#options;
    const more = discovery === undefined ? [] : [DISCOVERY];
    this.#joining = new Joining(clock, [...seeds, ...more], synced);
    this.#dialer.due();
    if (discovery !== undefined) void this.#discover(discovery.seeds, discovery.intervalMs);
    return this.#joining.done;
  }

  /**
   * Connects to a node. Rejects with {@linkcode NodeConnectError} at the latest after `timeoutMs`.
   */
  connect(node: string, timeoutMs: number): Promise<void> {
    if (this.#port.hasSession(node)) return Promise.resolve();
    if (this.#port.isStopping()) return Promise.reject(stoppingError(node));
    if (!this.#peers.add(node, "asked", this.#host.clock.now())) {
      return Promise.reject(new NodeConnectError("name", `${node} is this node itself`));
    }
    const waiting = this.#waiters.wait(node, timeoutMs);
    this.#dialer.due();
    return waiting;
  }

  /** Called when the user has disconnected a node: it is no longer dialed. */
  leave(node: string): void {
    this.#dialer.cancel(node);
    this.#peers.leave(node);
    const words = `no session with ${node}: disconnected`;
    this.#waiters.settle(node, new NodeConnectError("aborted", words));
    this.#joining?.settled(node);
  }

  /**
   * Decides whether an authenticated initiator is accepted. `dead`: the id of the session with the
   * initiator's name, if that session has not answered a probe.
   */
  decide(met: Met, dead?: bigint): Verdict {
    return this.#peers.decide(met.name, met.creation, met.lastSession, dead);
  }

  /** Called when the peer's dial takes precedence. Abandons this node's own dial. */
  accepted(node: string): void {
    this.#dialer.giveUp(node);
  }

  /**
   * Called when this node has rejected a node because a live node has the same name. Emits
   * `nameinuse`.
   */
  rejected(name: string, words: string): void {
    this.#counts.namesInUse++;
    this.#port.emit("nameinuse", { name, by: this.#self, words });
  }

  /** Called when a session begins. Sends the list of peers to the new peer, as first message. */
  starting(node: string): void {
    this.#gossip.up(node);
  }

  /** Called when a session has opened, whichever side dialed. Records the session. */
  up({ name, session, creation }: Met, dialed: boolean): void {
    this.#peers.up(name, session, creation, this.#host.clock.now());
    this.#dialer.reached(name);
    // The call of `down` for the replaced session may have begun a dial, which is no longer needed.
    this.#dialer.giveUp(name);
    // Only a dial shows that the node is at the address in its name, so that other nodes with this
    // address in their names no longer exist.
    if (dialed) this.#forget(this.#peers.superseded(name), "superseded");
  }

  /** Called when a session is ready. Resolves the pending calls of `connect`. */
  ready(node: string): void {
    this.#waiters.settle(node);
    this.#joining?.up(node);
    this.#dialer.due();
  }

  /**
   * Called when a session with a node has ended. The node is dialed again or forgotten, depending
   * on the reason.
   */
  down(node: string, end: SessionEnd): void {
    const why = end === "shutdown" ? "stopped" : end === "disconnected" ? "left" : "lost";
    this.#peers.down(node, why, this.#host.clock.now());
    this.#gossip.down(node);
  }

  /** Called when listeners have been notified of the end of a session. Dials nodes that are due. */
  gone(): void {
    this.#dialer.due();
  }

  /** Called when a peer has named the nodes that it is connected to. Dials the unknown ones. */
  named(nodes: readonly string[], by: string): void {
    const now = this.#host.clock.now();
    for (const node of nodes) {
      const isNew = this.#peers.stateOf(node) === "unknown";
      if (this.#peers.add(node, "gossip", now, by) && isNew) this.#joining?.named(node);
    }
    this.#dialer.due();
  }

  /** Handles a PEER_DIGEST. Returns the rule that the peer violated, or undefined. */
  digest(body: Uint8Array, from: string): string | undefined {
    return this.#gossip.digest(from, body, this.#host.clock.now());
  }

  /** Sends gossip that is due, and forgets nodes that have expired. Called periodically. */
  tick(now: number): void {
    if (this.#gossip.tick(now)) this.#forget(this.#peers.expire(now), "expired");
  }

  /** Stops dialing, and rejects pending calls of `connect`. */
  stop(): void {
    this.#discovery?.stop();
    this.#dialer.stop();
    this.#joining?.stop();
    this.#waiters.stop();
  }

  /** Returns the counts of membership. The mesh adds the other counts. */
  stats(): Omit<MembershipStats, "listenerFailures" | "clockSkews"> {
    let dialing = 0;
    let connected = 0;
    for (const { state } of this.#peers) {
      if (state.kind === "up") connected++;
      else if (state.kind === "dialing" || state.kind === "proving") dialing++;
    }
    const { exchanges, mismatches } = this.#gossip;
    return { known: this.#peers.size, connected, dialing, ...this.#counts, exchanges, mismatches };
  }

  /**
   * Evaluates seeds from now on, periodically. Joining waits for the nodes that the first
   * evaluation finds, as for other seeds.
   */
  async #discover(seeds: readonly string[] | SeedFunction, intervalMs: number): Promise<void> {
    const { log, self, tls, hasSession } = this.#port;
    this.#discovery = new Discovery(this.#host, seeds, intervalMs, {
      log,
      isKnown: (name) => name === this.#self || hasSession(name),
      identify: (hostname, port, signal) =>
        identify(this.#host, self(), tls(hostname), hostname, port, signal),
      found: (names) => this.#found(names),
    });
    this.#found(await this.#discovery.start());
    this.#joining?.settled(DISCOVERY);
  }

  #found(names: readonly string[]): void {
    const now = this.#host.clock.now();
    for (const name of names) {
      if (!this.#peers.add(name, "gossip", now)) continue;
      this.#joining?.awaits(name);
      if (this.#port.hasSession(name)) this.#joining?.up(name);
    }
    this.#dialer.due();
  }

  #makePeers(): Peers {
    const { forgetMs = FORGET_MS } = this.#options;
    return new Peers(this.#self, () => this.#host.random.next(), forgetMs);
  }

  #makeGossip(): Gossip {
    const { clock, random } = this.#host;
    return new Gossip(this.#self, () => random.next(), clock.now(), {
      peers: () => [...this.#port.sessions()],
      send: this.#port.send,
    });
  }

  #makeDialer(): Dialer {
    const { self, log, tls, checkCertificate, hasSession, isStopping, losing, up, refused } =
      this.#port;
    return new Dialer(this.#host, this.#peers, new DialQueue(this.#peers), {
      self,
      log,
      tls,
      checkCertificate,
      hasSession,
      isStopping,
      losing,
      up,
      refused,
      canDial: (node, origin) => this.#canDial(node, origin),
      ended: (outcome) => this.#ended(outcome),
      failed: (node, error) => this.#failed(node, error),
    });
  }

  #ended(outcome: DialOutcome): void {
    this.#counts.dials++;
    if (outcome.code === "up") this.#counts.dialsUp++;
    else this.#counts.dialsFailed++;
    this.#port.emit("dial", outcome);
  }

  #failed(node: string, error: NodeConnectError): void {
    this.#waiters.settle(node, error);
    if (error.code === "nameinuse") {
      this.#port.emit("nameinuse", { name: this.#self, by: node, words: error.message });
      this.#joining?.reject(error);
    } else this.#joining?.settled(node);
  }

  #canDial(node: string, origin: PeerOrigin): boolean {
    const { canDial } = this.#options;
    if (canDial === undefined) return true;
    try {
      return canDial(node, origin) === true;
    } catch (error) {
      this.#port.log().error(`option canDial threw, so ${node} is not dialed: ${error}`);
      return false;
    }
  }

  #forget(nodes: readonly string[], reason: MembershipEvents["forgotten"]["reason"]): void {
    for (const node of nodes) {
      this.#counts.forgotten++;
      const why = reason === "expired"
        ? "it was not reached for too long"
        : "another node is at its address";
      this.#port.log().info(`${node} is forgotten: ${why}`);
      this.#dialer.forgotten(node);
      this.#port.emit("forgotten", { node, reason });
    }
  }
}
