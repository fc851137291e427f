/**
 * A name of this node, the terms on which it was registered, and the peers that are asked for it.
 *
 *     claimed ──all connected peers have granted it──▶ held ──▶ withdrawn
 *        └──────── one has refused ────────────────────────────────▲
 *
 * @module
 */
import type { Chained } from "../actor/actor_ref.ts";
import type { OnConflict, Resolve } from "./conflict.ts";
import type { NameEntry } from "./names.ts";
import type { Quorum } from "./quorum.ts";

/** How a name is registered. */
export interface RegisterTerms {
  readonly onConflict: OnConflict;
  /** In place of a new stamp. */
  readonly stamp?: number | undefined;
  /** A fencing token that was obtained for another name, or from a lease. */
  readonly token?: number | undefined;
  readonly quorum?: Quorum | undefined;
  /** A holder is asked to hand the name over. */
  readonly replace?: boolean | undefined;
  readonly resolve?: Resolve | undefined;
  /** After this process stood still for so long that peers gave it up, an entry that came later wins. */
  readonly yieldsAfterPause?: boolean | undefined;
  /** Called with the node that has the name, as far as the node that refuses it knows. */
  readonly refused?: ((owner: string) => void) | undefined;
}

/** Peers that have not granted a claim yet. */
export interface Asking {
  request: number;
  /** By peer: the holder that it knows, if it named one; it grants the claim when that one has let go. */
  readonly waiting: Map<string, string | undefined>;
  /** How often a token was too low. */
  lows: number;
  readonly done: (outcome: boolean | Error) => void;
  readonly promise: Promise<boolean>;
}

/** The name. It hangs on its actor, if that is of this node. */
export class LocalName implements Chained {
  following: Chained | undefined = undefined;
  preceding: Chained | undefined = undefined;
  readonly number: number;
  entry: NameEntry;
  readonly terms: RegisterTerms;
  readonly #ended: () => void;
  /** As long as it is a claim. */
  asking: Asking | undefined = undefined;
  /** Peers that have granted it, if it needs a quorum. */
  readonly grants: Set<string> | undefined;
  /** A resolver decides who keeps the name. */
  isResolving = false;
  /** Waits for the end of its actor no more. */
  unwatch: () => void = () => {};

  constructor(number: number, entry: NameEntry, terms: RegisterTerms, ended: () => void) {
    this.number = number;
    this.entry = entry;
    this.terms = terms;
    this.grants = terms.quorum === undefined ? undefined : new Set();
    this.#ended = ended;
  }

  drop(): void {
    this.#ended();
  }
}
