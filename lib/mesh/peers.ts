/**
 * Records the known nodes and their states. Deterministic: time and random numbers are arguments.
 *
 *             dial begins             proof sent                  ACK
 *     idle ────────────▶ dialing ──────────────▶ proving ───────────────▶ up
 *      ▲ ▲                  │ failed                 │ failed, given up      │
 *      │ └──────────────────┴────────────────────────┘                       │
 *      │                                                                     │
 *      └──────────── lost: dial again soon ──────────────────────────────────┤
 *     left ◀───────── disconnected by either side: do not dial ──────────────┤
 *     (forgotten) ◀── it has stopped, gracefully ────────────────────────────┘
 *
 * When a node is dialed and forgotten depends on how it became known: see {@linkcode PeerOrigin}.
 *
 * **One session per pair.** Both sides may dial at once. The responder decides when the initiator
 * is authenticated:
 *
 * | existing dial of the initiator, or session with it | decision |
 * |---|---|
 * | none, or this node's own dial, proof not sent | accept the initiator, and abandon the own dial |
 * | this node's own dial, proof sent | the dial of the node with the lesser name takes precedence |
 * | a session with another incarnation of the initiator | probe the session: if it is alive, reject the initiator with "nameinuse", else replace the session |
 * | a session that the initiator had open, and has lost | replace the session |
 * | a session that was not open for the initiator when it sent its proof | keep the session, and reject the initiator with "duplicate" |
 *
 * If both sides have sent their proofs, exactly one is accepted, because both sides compare the
 * same two names. The initiator sends the id of the last session that it had open. This
 * distinguishes simultaneous dials from a loss that only one side has detected.
 *
 * @module
 */
import { assert } from "../base/assert.ts";
import { addressOf } from "./name.ts";
import { BACKOFF_MS_MAX, BACKOFF_MS_MIN, redialPause, SEED_BACKOFF_MS_MAX } from "./redial.ts";

/** The ways in which a node may become known, in the order of their ranks, the highest first. */
export const PEER_ORIGINS: readonly PeerOrigin[] = [
  "seed", // named by the user: dialed until this node stops
  "met", // there was a session with it: dialed until `forgetAfter` has passed
  "gossip", // named by a peer: dialed until no peer has named it for `GOSSIP_FORGET_MS`
  "asked", // the user wants to connect to it: dialed once
];

/**
 * How a node became known, in the order of the ranks, the highest first.
 *
 * - `"seed"`: the user has named it; it is dialed until this node stops;
 * - `"met"`: there was a session with it; it is dialed until `forgetAfter` has passed;
 * - `"gossip"`: a peer has named it; it is dialed until no peer names it any more;
 * - `"asked"`: the user has requested it with `connect`; it is dialed once.
 */
export type PeerOrigin = "seed" | "met" | "gossip" | "asked";

/**
 * Minimum interval between two dials of a node, in milliseconds, when a peer reports that the peer
 * is connected to that node.
 */
export const REPORTED_RETRY_MS = 5_000;

/**
 * Time after which a node that was never reached is forgotten, in milliseconds. The time begins
 * again when a peer names the node.
 */
export const GOSSIP_FORGET_MS = 600_000;

/** Default time after which a lost node is forgotten, in milliseconds. */
export const FORGET_MS = 3_600_000;

/**
 * Time for which gossip about a stopped node is ignored, in milliseconds, because other nodes may
 * not have detected the stop yet.
 */
export const STOPPED_MS = 30_000;

/** Maximum number of known nodes. Further nodes that peers name are not dialed. */
export const PEERS_MAX = 1024;

/** The state of a known node, as in the drawing at the top of this file. */
type PeerState =
  | { readonly kind: "idle"; readonly dialAt: number }
  | { readonly kind: "dialing" }
  | { readonly kind: "proving" }
  | { readonly kind: "up"; readonly session: bigint; readonly creation: number }
  | { readonly kind: "left" };

/** One known node. */
export interface Peer {
  readonly name: string;
  /** The host and port in the name of the node. */
  readonly address: string;
  readonly origin: PeerOrigin;
  readonly state: PeerState;
  /** Number of consecutive failed dials. */
  readonly failures: number;
  /** The time when the last dial began, in milliseconds of the node's clock. */
  readonly triedAt: number;
  /** Whether the last dial got no answer. The next dial may then occupy a slot for seconds. */
  readonly isSilent: boolean;
  /** Whether a call of `connect` waits for the node. */
  readonly isWanted: boolean;
  /** The peer that first named the node. */
  readonly informant: string | undefined;
}

/** An entry of the table, with mutable fields. */
type Entry = { -readonly [Key in keyof Peer]: Peer[Key] } & {
  /** The id of the last session with the node, or 0 if there was none. */
  lastSession: bigint;
  /** The time when the node was last connected, or was last named by a peer or the user. */
  knownAt: number;
};

/** The kind of a failed dial. */
export type DialFailure =
  | "refused"
  /** The node does not answer. */
  | "silent"
  /** Further dials will fail too: another node is at the address, or the node rejects this node. */
  | "futile";

/** The answer to an authenticated initiator. */
export type Verdict = "accept" | "replace" | "duplicate" | "probe";

/** The known nodes of one node. */
export class Peers {
  readonly #self: string;
  readonly #chance: () => number;
  readonly #forgetMs: number;
  readonly #peers = new Map<string, Entry>();
  /** Nodes that have stopped, each with the time until which gossip about it is ignored. */
  readonly #stopped = new Map<string, number>();

  /** `chance` returns numbers in [0, 1). */
  constructor(self: string, chance: () => number, forgetMs: number = FORGET_MS) {
    this.#self = self;
    this.#chance = chance;
    this.#forgetMs = forgetMs;
  }

  /**
   * Adds a node. Returns false if it is this node itself, has just stopped, or exceeds the limit.
   */
  add(name: string, origin: PeerOrigin, now: number, informant?: string): boolean {
    if (name === this.#self) return false;
    if (origin !== "gossip") this.#stopped.delete(name);
    const known = this.#peers.get(name);
    if (known === undefined) return this.#addNew(name, origin, now, informant);
    if (PEER_ORIGINS.indexOf(origin) < PEER_ORIGINS.indexOf(known.origin)) known.origin = origin;
    known.knownAt = now;
    const { state } = known;
    if (origin === "asked") known.isWanted = state.kind !== "up";
    if (origin === "seed" || origin === "asked") {
      // The user has requested the node. It is dialed now, unless it is connected or being dialed.
      if (state.kind !== "left" && state.kind !== "idle") return true;
      if (state.kind === "left") known.origin = origin;
      known.state = { kind: "idle", dialAt: now };
      known.failures = 0;
    } else if (state.kind === "idle") {
      // A peer is connected to the node, so it may be reachable now.
      const dialAt = Math.max(now, known.triedAt + REPORTED_RETRY_MS);
      if (dialAt < state.dialAt) known.state = { kind: "idle", dialAt };
    }
    return true;
  }

  /** Iterates over the nodes in the order in which they became known. */
  [Symbol.iterator](): IterableIterator<Peer> {
    return this.#peers.values();
  }

  /** Returns how a node became known. */
  originOf(name: string): PeerOrigin | undefined {
    return this.#peers.get(name)?.origin;
  }

  /** Called when a dial of the node begins. The node must be idle. */
  dialing(name: string, now: number): void {
    const peer = this.#get(name);
    assert(peer.state.kind === "idle", `dialing ${name}, which is ${peer.state.kind}`);
    peer.state = { kind: "dialing" };
    peer.triedAt = now;
  }

  /**
   * Called when a dial of the node is about to send its proof. Returns the id of the last session,
   * which is sent with it.
   */
  proving(name: string): bigint {
    const peer = this.#get(name);
    assert(peer.state.kind === "dialing", `proving to ${name}, which is ${peer.state.kind}`);
    peer.state = { kind: "proving" };
    return peer.lastSession;
  }

  /**
   * Called when a dial of a node was abandoned because that node dials this node too. The node is
   * dialed again if no session opens.
   */
  yielded(name: string, now: number): void {
    const peer = this.#peers.get(name);
    if (peer?.state.kind !== "dialing" && peer?.state.kind !== "proving") return;
    peer.state = { kind: "idle", dialAt: now + BACKOFF_MS_MIN * (5 + 5 * this.#chance()) };
  }

  /** Called when a dial of the node has failed. Returns the number of consecutive failures. */
  failed(name: string, now: number, failure: DialFailure = "refused"): number {
    const peer = this.#peers.get(name);
    // In the meantime, the node may have connected by its own dial, or the user may have
    // disconnected it.
    if (peer?.state.kind !== "dialing" && peer?.state.kind !== "proving") return 0;
    peer.failures++;
    peer.isWanted = false;
    peer.isSilent = failure === "silent";
    if (peer.origin === "asked") this.#peers.delete(name);
    else peer.state = { kind: "idle", dialAt: now + this.#pause(peer, failure === "futile") };
    return peer.failures;
  }

  /**
   * Called when `canDial` did not allow a dial of the node. A node that was only requested with
   * `connect` is forgotten. Any other node may be dialed again later.
   */
  denied(name: string, now: number): void {
    const peer = this.#get(name);
    peer.isWanted = false;
    if (peer.origin === "asked") this.#peers.delete(name);
    else peer.state = { kind: "idle", dialAt: now + this.#pause(peer, true) };
    peer.triedAt = now;
  }

  /**
   * Decides whether an authenticated initiator is accepted. `dead`: the id of the session with the
   * initiator's name, if that session has not answered a probe.
   */
  decide(name: string, creation: number, lastSession: bigint, dead?: bigint): Verdict {
    const state = this.#peers.get(name)?.state;
    if (state?.kind === "proving") return this.#self < name ? "duplicate" : "accept";
    if (state?.kind !== "up") return "accept";
    if (state.session === dead) return "replace";
    if (state.creation !== creation) return "probe";
    return state.session === lastSession ? "replace" : "duplicate";
  }

  /** Called when a session has opened, whichever side dialed. Records the session. */
  up(name: string, session: bigint, creation: number, now: number): void {
    this.add(name, "met", now);
    const peer = this.#peers.get(name);
    if (peer === undefined) return;
    peer.state = { kind: "up", session, creation };
    peer.failures = 0;
    peer.isSilent = false;
    peer.isWanted = false;
    peer.informant = undefined;
    peer.lastSession = session;
  }

  /**
   * Called when the session with a node has ended. Sets when the node is dialed again, or forgets
   * it.
   */
  down(name: string, why: "lost" | "left" | "stopped", now: number): void {
    const peer = this.#peers.get(name);
    if (peer?.state.kind !== "up") return;
    peer.knownAt = now;
    if (why === "left") peer.state = { kind: "left" };
    else if (why === "lost") {
      peer.state = { kind: "idle", dialAt: now + BACKOFF_MS_MIN * this.#chance() };
    } else if (peer.origin === "seed") {
      peer.state = { kind: "idle", dialAt: now + BACKOFF_MS_MIN * (5 + 5 * this.#chance()) };
    } else {
      this.#peers.delete(name);
      this.#stopped.set(name, now + STOPPED_MS);
    }
  }

  /** Stops dialing the node, until the user requests it or the node itself dials this node. */
  leave(name: string): void {
    const peer = this.#peers.get(name);
    if (peer !== undefined) peer.state = { kind: "left" };
  }

  /**
   * Forgets the nodes that were unreachable for too long, and returns their names. Of the nodes in
   * the state "left", keeps the last {@linkcode PEERS_MAX}.
   */
  expire(now: number): string[] {
    const forgotten: string[] = [];
    const left: string[] = [];
    for (const { name, origin, state, knownAt } of this.#peers.values()) {
      if (state.kind === "left") left.push(name);
      if (state.kind !== "idle" || origin === "seed" || origin === "asked") continue;
      const patience = origin === "met"
        ? this.#forgetMs
        : Math.min(this.#forgetMs, GOSSIP_FORGET_MS);
      if (now - knownAt >= patience) forgotten.push(name);
    }
    for (const name of forgotten) this.#peers.delete(name);
    for (const name of left.slice(0, Math.max(0, left.length - PEERS_MAX))) {
      this.#peers.delete(name);
    }
    for (const [name, until] of this.#stopped) if (until <= now) this.#stopped.delete(name);
    return forgotten;
  }

  /**
   * Called when a dial has shown that the node `by` is at the address in its name. Forgets other
   * nodes with this address in their names, except seeds, and returns their names.
   */
  superseded(by: string): string[] {
    const address = addressOf(by);
    const names: string[] = [];
    for (const peer of this.#peers.values()) {
      if (peer.name === by || peer.address !== address || peer.origin === "seed") continue;
      if (peer.state.kind === "idle" && !peer.isWanted) names.push(peer.name);
    }
    for (const name of names) this.#peers.delete(name);
    return names;
  }

  /** Returns the state of a node. */
  stateOf(name: string): PeerState["kind"] | "unknown" {
    return this.#peers.get(name)?.state.kind ?? "unknown";
  }

  /** The number of known nodes. */
  get size(): number {
    return this.#peers.size;
  }

  #addNew(name: string, origin: PeerOrigin, now: number, informant: string | undefined): boolean {
    if (origin === "gossip") {
      if (this.#peers.size >= PEERS_MAX || (this.#stopped.get(name) ?? 0) > now) return false;
    }
    this.#peers.set(name, {
      name,
      address: addressOf(name),
      origin,
      state: { kind: "idle", dialAt: now },
      failures: 0,
      triedAt: -Infinity,
      isSilent: false,
      isWanted: origin === "asked",
      informant,
      lastSession: 0n,
      knownAt: now,
    });
    return true;
  }

  /**
   * Returns the pause before the next dial, in milliseconds: doubled with each failure up to a
   * limit, and shortened at random by up to half.
   */
  #pause({ origin, failures }: Entry, isFutile: boolean): number {
    const most = origin === "seed" ? SEED_BACKOFF_MS_MAX : BACKOFF_MS_MAX;
    const full = isFutile ? BACKOFF_MS_MAX : redialPause(failures, most);
    return full * (1 - this.#chance() / 2);
  }

  #get(name: string): Entry {
    const peer = this.#peers.get(name);
    assert(peer !== undefined, `not a peer: ${name}`);
    return peer;
  }
}
