/**
 * Stores a global name that this node claims or holds: its options, and the peers that have granted
 * it.
 *
 *     claimed ──all connected peers have granted it──▶ held ──▶ withdrawn
 *        └──────── one has refused ────────────────────────────────▲
 *
 * @module
 */
import { type ActorRef, attach, type Chained, detach } from "../actor/actor_ref.ts";
import type { Deferred } from "../actor/tracked_promise.ts";
import type { OnConflict, Resolve } from "./lost_name.ts";
import type { NameEntry } from "./winner.ts";
import type { Quorum } from "./quorum.ts";

/** The options with which this node registers a name. */
export interface RegisterTerms {
  readonly onConflict: OnConflict;
  /** The stamp of the entry. Default: a new stamp. */
  readonly stamp?: number | undefined;
  /** A fencing token for the entry, obtained for another name or from a lease. */
  readonly token?: number | undefined;
  readonly quorum?: Quorum | undefined;
  /** Whether this actor replaces the current holder. */
  readonly replace?: boolean | undefined;
  readonly resolve?: Resolve | undefined;
  /**
   * Whether the entry gets a later stamp after a long pause of this process, in which peers may
   * have disconnected this node. The later stamp makes the entry lose conflicts.
   */
  readonly yieldsAfterPause?: boolean | undefined;
  /** Called when a node has rejected the claim. `owner`: the holder according to that node. */
  readonly refused?: ((owner: string) => void) | undefined;
}

/** A claim that waits for the answers of peers. */
export interface PendingClaim {
  request: number;
  /**
   * The peers that have not granted the claim. The value is the holder according to the peer, or
   * `undefined`. Such a peer grants the claim when the holder has withdrawn the name.
   */
  readonly waiting: Map<string, string | undefined>;
  /** Number of times that the claim was repeated because its token was too low. */
  lows: number;
  readonly answer: Deferred<boolean>;
}

/** The part of the registry that a name uses. */
export interface NameOwner {
  /** Called when the actor of the name has exited. */
  ended(own: LocalName): void;
}

/**
 * A name that this node has registered. If its actor is local, the name is attached to the actor.
 */
export class LocalName implements Chained {
  following: Chained | undefined = undefined;
  preceding: Chained | undefined = undefined;
  readonly number: number;
  entry: NameEntry;
  readonly terms: RegisterTerms;
  readonly #owner: NameOwner;
  /** The local actor to which the name is attached; `undefined` for an actor of another node. */
  #actor: ActorRef | undefined = undefined;
  /** The state of the claim; `undefined` when the name is held. */
  asking: PendingClaim | undefined = undefined;
  /** Peers that have granted the name. Undefined if the name needs no quorum. */
  readonly grants: Set<string> | undefined;
  /** Whether a resolver is currently choosing the actor that keeps the name. */
  isResolving = false;
  /** Stops monitoring an actor of another node. */
  unmonitor: (() => void) | undefined = undefined;

  constructor(number: number, entry: NameEntry, terms: RegisterTerms, owner: NameOwner) {
    this.number = number;
    this.entry = entry;
    this.terms = terms;
    this.grants = terms.quorum === undefined ? undefined : new Set();
    this.#owner = owner;
  }

  /** Attaches the name to a local actor, whose exit ends the registration. */
  attach(actor: ActorRef): void {
    this.#actor = actor;
    attach(this, actor);
  }

  /** Detaches the name from its actor. */
  unwatch(): void {
    if (this.#actor !== undefined) detach(this, this.#actor);
    else this.unmonitor?.();
  }

  drop(): void {
    this.#owner.ended(this);
  }
}
