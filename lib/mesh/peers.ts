/**
 * Whom this node knows, what it is doing about each, and what is to be done next. Quiet: time and
 * chance are arguments.
 *
 *             due                     proof sent                   ACK
 *     idle ────────▶ dialling ────────────────▶ proving ────────────────▶ up
 *      ▲ ▲              │ failed                   │ failed, given up      │
 *      │ └──────────────┴──────────────────────────┘                       │
 *      │                                                                   │
 *      └──────────── lost: dial again soon ────────────────────────────────┤
 *     left ◀───────── disconnected by either side: do not dial ────────────┘
 *
 * **One session for two.** Both sides may dial at once. The acceptor decides, when the dialler has
 * proved itself:
 *
 * | what there is with that node | answer |
 * |---|---|
 * | nothing, or our own dial that has not sent its proof | accept; give up our dial |
 * | our own dial, proof sent | the dial of the node with the lesser name wins |
 * | a session of an earlier life of it | replace it |
 * | a session that the dialler had seen up, and has lost | replace it |
 * | a session that the dialler had not seen up when it sent its proof | duplicate: that session stays |
 *
 * A proof that was not sent cannot be accepted, and of two that were sent exactly one is, since both
 * sides compare the same two names. The dialler names the last session that it saw up, which tells
 * a crossing from a loss that only one side has noticed.
 *
 * @module
 */
import { assert } from "../base/assert.ts";

/** How a node came to be known. */
export type PeerOrigin =
  /** The user named it: dialled for ever. */
  | "seed"
  /** There was a session with it: dialled for ever. */
  | "met"
  /** A peer named it: dialled {@linkcode HEARSAY_DIALS_MAX} times, then forgotten. */
  | "hearsay"
  /** The user asked for it once: dialled once. */
  | "asked";

/** The first pause between dials, doubled up to the last. Milliseconds; each is cut by chance. */
export const BACKOFF_MS_MIN = 100;
/** The longest pause between dials. */
export const BACKOFF_MS_MAX = 10_000;

/** How often a node that is only known from others is dialled in vain before it is forgotten. */
export const HEARSAY_DIALS_MAX = 12;

/** Dials in vain, in a row, after which a node is forgotten. */
const DIALS_MAX: Readonly<Record<PeerOrigin, number>> = {
  seed: Infinity,
  met: Infinity,
  hearsay: HEARSAY_DIALS_MAX,
  asked: 1,
};

/** How many nodes are known at most. Others that peers name are not dialled. */
export const PEERS_MAX = 1024;

/** What is being done about a peer. */
type State =
  | { readonly kind: "idle"; readonly dialAt: number }
  | { readonly kind: "dialling" }
  | { readonly kind: "proving" }
  | { readonly kind: "up"; readonly session: bigint; readonly creation: number }
  | { readonly kind: "left" };

interface Peer {
  readonly name: string;
  origin: PeerOrigin;
  state: State;
  /** Dials in a row that failed. */
  failures: number;
  /** The session with it that was up last, or 0. */
  lastSession: bigint;
}

/** The answer to a dialler that has proved itself. */
export type Verdict = "accept" | "replace" | "duplicate";

/** The peers of one node. */
export class Peers {
  readonly #self: string;
  readonly #chance: () => number;
  readonly #peers = new Map<string, Peer>();

  /** `chance` gives numbers in [0, 1). */
  constructor(self: string, chance: () => number) {
    this.#self = self;
    this.#chance = chance;
  }

  /** Makes a node known. False: it is ourselves, or there are too many. */
  add(name: string, origin: PeerOrigin, now: number): boolean {
    if (name === this.#self) return false;
    const known = this.#peers.get(name);
    if (known === undefined) {
      if (origin === "hearsay" && this.#peers.size >= PEERS_MAX) return false;
      const state: State = { kind: "idle", dialAt: now };
      this.#peers.set(name, { name, origin, state, failures: 0, lastSession: 0n });
    } else {
      if (origin === "seed" || origin === "met") known.origin = origin;
      // The user wants it: whatever was, dial now.
      const wanted = origin === "seed" || origin === "asked";
      if (wanted && (known.state.kind === "left" || known.state.kind === "idle")) {
        known.state = { kind: "idle", dialAt: now };
        known.failures = 0;
      }
    }
    return true;
  }

  /** Which nodes are to be dialled at `now`. */
  due(now: number): string[] {
    const names: string[] = [];
    for (const { name, state } of this.#peers.values()) {
      if (state.kind === "idle" && state.dialAt <= now) names.push(name);
    }
    return names;
  }

  /** When the next dial is due, or `Infinity`. */
  nextDueAt(): number {
    let at = Infinity;
    for (const { state } of this.#peers.values()) {
      if (state.kind === "idle" && state.dialAt < at) at = state.dialAt;
    }
    return at;
  }

  /** It is being dialled. */
  dialling(name: string): void {
    const peer = this.#get(name);
    assert(peer.state.kind === "idle", `dialling ${name}, which is ${peer.state.kind}`);
    peer.state = { kind: "dialling" };
  }

  /** Our dial is about to send its proof. The session to name in it. */
  proving(name: string): bigint {
    const peer = this.#get(name);
    assert(peer.state.kind === "dialling", `proving to ${name}, which is ${peer.state.kind}`);
    peer.state = { kind: "proving" };
    return peer.lastSession;
  }

  /** Our dial was given up for the other side's: if that comes to nothing, dial again. */
  yielded(name: string, now: number): void {
    const peer = this.#peers.get(name);
    if (peer?.state.kind !== "dialling" && peer?.state.kind !== "proving") return;
    peer.state = { kind: "idle", dialAt: now + BACKOFF_MS_MIN * (5 + 5 * this.#chance()) };
  }

  /** Our dial came to nothing. Says how many have, in a row. */
  failed(name: string, now: number): number {
    const peer = this.#peers.get(name);
    // It may be up by its own dial, or have been told to leave.
    if (peer?.state.kind !== "dialling" && peer?.state.kind !== "proving") return 0;
    peer.failures++;
    if (peer.failures >= DIALS_MAX[peer.origin]) this.#peers.delete(name);
    else peer.state = { kind: "idle", dialAt: now + this.#pause(peer.failures) };
    return peer.failures;
  }

  /** What to answer a dialler that has proved itself. */
  judge(name: string, creation: number, lastSession: bigint): Verdict {
    const state = this.#peers.get(name)?.state;
    if (state?.kind === "proving") return this.#self < name ? "duplicate" : "accept";
    if (state?.kind !== "up") return "accept";
    const lost = state.creation !== creation || state.session === lastSession;
    return lost ? "replace" : "duplicate";
  }

  /** A session with it is up, by either side's dial. */
  up(name: string, session: bigint, creation: number, now: number): void {
    this.add(name, "met", now);
    const peer = this.#peers.get(name);
    if (peer === undefined) return;
    peer.state = { kind: "up", session, creation };
    peer.failures = 0;
    peer.lastSession = session;
  }

  /** The session with it is over. `again`: dial it. */
  down(name: string, again: boolean, now: number): void {
    const peer = this.#peers.get(name);
    if (peer?.state.kind !== "up") return;
    peer.state = again
      ? { kind: "idle", dialAt: now + BACKOFF_MS_MIN * this.#chance() }
      : { kind: "left" };
  }

  /** It is not to be dialled until it is added as a seed or comes by itself. */
  leave(name: string): void {
    const peer = this.#peers.get(name);
    if (peer !== undefined) peer.state = { kind: "left" };
  }

  /** What is being done about a node, in one word. */
  stateOf(name: string): State["kind"] | "unknown" {
    return this.#peers.get(name)?.state.kind ?? "unknown";
  }

  /** How many nodes are known. */
  get size(): number {
    return this.#peers.size;
  }

  /** Doubles with each failure, up to a cap; chance takes up to half of it away. */
  #pause(failures: number): number {
    const full = Math.min(BACKOFF_MS_MAX, BACKOFF_MS_MIN * 2 ** Math.min(failures - 1, 16));
    return full * (1 - this.#chance() / 2);
  }

  #get(name: string): Peer {
    const peer = this.#peers.get(name);
    assert(peer !== undefined, `not a peer: ${name}`);
    return peer;
  }
}
