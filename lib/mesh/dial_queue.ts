/**
 * Decides which nodes are dialed next: the nodes that are due, in the order of their ranks, within
 * limits. Deterministic.
 *
 * | rank   | nodes of this rank                                    | maximum number of dials in progress |
 * |--------|-------------------------------------------------------|------------------------------------:|
 * | wanted | a call of `connect` waits for the node                | 256 of this rank                    |
 * | lost   | there was a session with the node                     | 64 of this rank and all ranks below |
 * | seed   | the user named the node                               | 52 of this rank and all ranks below |
 * | gossip | a peer named the node                                 | 40 of this rank and the rank below  |
 * | silent | not wanted, and the last dial of the node got no answer | 24 of this rank                   |
 *
 * A dial of an address that does not answer takes seconds. Because of these limits, such dials
 * never use up the dials of the higher ranks. Nodes of ranks below "wanted" have two further
 * limits:
 *
 * - by address: at most {@linkcode ADDRESS_DIALS_MAX} dials at once. Nodes known from gossip whose
 *   dials to the same address have failed count as one node, so a thousand names with one port are
 *   dialed as rarely as one name;
 * - by informant: when {@linkcode INFORMANT_FAILURES_MAX} of the nodes that a peer has named are
 *   unreachable, the nodes that it has named are dialed one per {@linkcode INFORMANT_PAUSE_MS}.
 *
 * @module
 */
import type { Peer } from "./peers.ts";
import { redialPause } from "./redial.ts";

/** Maximum number of dials in progress, for a rank together with all ranks below it. */
const SLOTS = { lost: 64, seed: 52, gossip: 40, silent: 24 } as const;

type Rank = keyof typeof SLOTS;

const RANKS = Object.keys(SLOTS) as Rank[];

/** Maximum number of dials in progress to nodes of the rank "wanted". */
const WANTED_DIALS_MAX = 256;

/** Maximum number of dials in progress to one host and port. */
export const ADDRESS_DIALS_MAX = 2;

/**
 * Number of unreachable nodes named by one peer from which the nodes that it has named are dialed
 * slowly: see {@linkcode INFORMANT_PAUSE_MS}.
 */
export const INFORMANT_FAILURES_MAX = 32;

/**
 * Minimum interval between two dials of nodes named by a peer that has named {@linkcode
 * INFORMANT_FAILURES_MAX} unreachable nodes, in milliseconds.
 */
export const INFORMANT_PAUSE_MS = 500;

/** The dials of the nodes at one address. */
interface AddressUse {
  dials: number;
  /** Number of failed dials to this address, of nodes that a peer has named. */
  failures: number;
  triedAt: number;
}

/** The nodes to dial now, and when to ask for further nodes. */
export interface DialPlan {
  /** The nodes to dial, in this order. */
  readonly names: readonly string[];
  /**
   * The time at which `next` must be called again at the latest, or `Infinity` if no further node
   * becomes due. In addition, `next` must be called when a dial has ended.
   */
  readonly wakeAt: number;
}

/** Decides which nodes to dial, and when. */
export class DialQueue {
  readonly #peers: Iterable<Peer>;
  /**
   * For each peer that named many unreachable nodes: the time from which the next of these nodes
   * may be dialed.
   */
  readonly #informants = new Map<string, number>();

  constructor(peers: Iterable<Peer>) {
    this.#peers = peers;
  }

  /** Returns the nodes to dial at `now`. */
  next(now: number): DialPlan {
    const due: Peer[] = [];
    let wakeAt = Infinity;
    for (const peer of this.#peers) {
      if (peer.state.kind !== "idle") continue;
      if (peer.state.dialAt <= now) due.push(peer);
      else wakeAt = Math.min(wakeAt, peer.state.dialAt);
    }
    if (due.length === 0) return { names: [], wakeAt };
    const usage = new Usage(this.#peers);
    const names: string[] = [];
    for (const peer of due.sort(inOrder)) {
      if (!usage.hasSlot(peer)) continue;
      const at = this.#mayAt(peer, usage);
      if (at > now) wakeAt = Math.min(wakeAt, at);
      else {
        usage.dials(peer);
        names.push(peer.name);
        this.#dialed(peer, usage, now);
      }
    }
    return { names, wakeAt };
  }

  /** Returns the earliest time at which the limits by address and by informant allow a dial. */
  #mayAt({ origin, isWanted, address, informant }: Peer, usage: Usage): number {
    if (isWanted || origin !== "gossip") return 0;
    const { failures, triedAt } = usage.at(address);
    const addressAt = failures === 0 ? 0 : triedAt + redialPause(failures);
    if (informant === undefined || !usage.isDistrusted(informant)) return addressAt;
    return Math.max(addressAt, this.#informants.get(informant) ?? 0);
  }

  #dialed({ origin, informant }: Peer, usage: Usage, now: number): void {
    if (origin !== "gossip" || informant === undefined) return;
    if (usage.isDistrusted(informant)) this.#informants.set(informant, now + INFORMANT_PAUSE_MS);
    else this.#informants.delete(informant);
  }
}

/** Counts the dials in progress and the failed dials of all nodes. */
class Usage {
  readonly #addresses = new Map<string, AddressUse>();
  readonly #failing = new Map<string, number>();
  readonly #ranks: Record<Rank, number> = { lost: 0, seed: 0, gossip: 0, silent: 0 };
  #wanted = 0;

  constructor(peers: Iterable<Peer>) {
    for (const peer of peers) {
      const { state, origin, failures, triedAt, informant, address } = peer;
      if (state.kind === "dialing" || state.kind === "proving") this.dials(peer);
      if (origin !== "gossip" || failures === 0) continue;
      const use = this.at(address);
      use.failures += failures;
      use.triedAt = Math.max(use.triedAt, triedAt);
      if (informant === undefined) continue;
      this.#failing.set(informant, (this.#failing.get(informant) ?? 0) + 1);
    }
  }

  at(address: string): AddressUse {
    let use = this.#addresses.get(address);
    if (use === undefined) {
      this.#addresses.set(address, use = { dials: 0, failures: 0, triedAt: -Infinity });
    }
    return use;
  }

  isDistrusted(informant: string): boolean {
    return (this.#failing.get(informant) ?? 0) >= INFORMANT_FAILURES_MAX;
  }

  /** Returns whether the limits of dials in progress allow a dial of `peer`. */
  hasSlot(peer: Peer): boolean {
    if (peer.isWanted) return this.#wanted < WANTED_DIALS_MAX;
    if (this.at(peer.address).dials >= ADDRESS_DIALS_MAX) return false;
    // `dials` becomes the number of dials of a rank and of all ranks below it. This number must be
    // below the limit of the peer's own rank, and of each higher rank.
    let dials = 0;
    const own = RANKS.indexOf(rankOf(peer));
    for (let i = RANKS.length - 1; i >= 0; i--) {
      const rank = RANKS[i]!;
      dials += this.#ranks[rank];
      if (i <= own && dials >= SLOTS[rank]) return false;
    }
    return true;
  }

  /** Counts a dial that begins. */
  dials(peer: Peer): void {
    if (peer.isWanted) this.#wanted++;
    else {
      this.#ranks[rankOf(peer)]++;
      const use = this.at(peer.address);
      use.dials++;
    }
  }
}

function rankOf({ isSilent, origin }: Peer): Rank {
  if (isSilent) return "silent";
  return origin === "met" ? "lost" : origin === "seed" ? "seed" : "gossip";
}

/** Orders peers: wanted ones first, then by rank, then by due time. */
function inOrder(one: Peer, other: Peer): number {
  return placeOf(one) - placeOf(other) || dueAt(one) - dueAt(other);
}

function placeOf(peer: Peer): number {
  return peer.isWanted ? -1 : RANKS.indexOf(rankOf(peer));
}

function dueAt({ state }: Peer): number {
  return state.kind === "idle" ? state.dialAt : 0;
}
