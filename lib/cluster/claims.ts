/**
 * Stores the claims of names that wait at this node, because the node has granted the name to
 * another claim.
 *
 *     REGISTER of a name that is taken ─▶ waits ─▶ the name is free: the earliest claim is granted
 *                                           └────▶ its owner withdraws it, or is lost
 *
 * @module
 */
import { isEarlier, type NameEntry } from "./winner.ts";
import type { PeerLink } from "./rows.ts";

/** A claim that waits until its name is free. */
export interface Claim {
  readonly entry: NameEntry;
  readonly nodeLink: PeerLink;
  readonly request: number;
  /** The node that was last reported to the owner of this claim as the holder of the name. */
  reported: string | undefined;
}

/** The waiting claims of one node. */
export class Claims {
  readonly #byName = new Map<string, Map<string, Claim>>();
  readonly #counts = new Map<string, number>();

  /** Returns the number of waiting claims of a node. */
  countOf(owner: string): number {
    return this.#counts.get(owner) ?? 0;
  }

  /** Returns whether claims of a name wait. */
  has(name: string): boolean {
    return this.#byName.size > 0 && this.#byName.has(name);
  }

  /** Returns the waiting claims of a name. */
  of(name: string): Claim[] {
    const claims = this.#byName.get(name);
    return claims === undefined ? [] : [...claims.values()];
  }

  /** Adds a claim, replacing an earlier one of the same owner and name. */
  add(claim: Claim): void {
    const { name, owner } = claim.entry;
    let claims = this.#byName.get(name);
    if (claims === undefined) this.#byName.set(name, claims = new Map());
    if (!claims.has(owner)) this.#counts.set(owner, this.countOf(owner) + 1);
    claims.set(owner, claim);
  }

  /** Removes a claim. Returns whether there was one. */
  remove(name: string, owner: string): boolean {
    const claims = this.#byName.get(name);
    if (!claims?.delete(owner)) return false;
    if (claims.size === 0) this.#byName.delete(name);
    const count = this.countOf(owner) - 1;
    if (count === 0) this.#counts.delete(owner);
    else this.#counts.set(owner, count);
    return true;
  }

  /** Removes all claims of a node. */
  drop(owner: string): void {
    if (this.countOf(owner) === 0) return;
    for (const name of [...this.#byName.keys()]) this.remove(name, owner);
  }

  /** Returns the names for which claims wait. */
  names(): string[] {
    return [...this.#byName.keys()];
  }

  /** Removes and returns the earliest claim of a name for which `isReady` returns true. */
  take(name: string, isReady: (claim: Claim) => boolean): Claim | undefined {
    let first: Claim | undefined;
    for (const claim of this.of(name)) {
      if (!isReady(claim)) continue;
      if (first === undefined || isEarlier(claim.entry, first.entry)) first = claim;
    }
    if (first !== undefined) this.remove(name, first.entry.owner);
    return first;
  }
}
