/**
 * Determines which member of a set is the home of a key, by rendezvous hashing. Deterministic.
 *
 * Each member has a score for each key; the member with the highest score is the home. A score
 * depends only on the member and the key, so two nodes with different sets still agree on the order
 * of their common members. If one of `n` members with equal weights leaves, its keys, 1/n of all,
 * move to the others. If one joins, it takes over 1/n of the keys, evenly from the others. No other
 * key moves.
 *
 * The score of a member with weight `w` is the highest of `w` scores. The arithmetic uses integers
 * only, so the result is the same on every runtime.
 *
 * @module
 */

/** Maximum weight of a member. */
export const WEIGHT_MAX = 100;

interface Member<M> {
  readonly name: string;
  readonly value: M;
  readonly seeds: Uint32Array;
}

/**
 * Returns a 32-bit hash of a key for `Rendezvous`: FNV-1a over UTF-16 code units, followed by a
 * finalizer.
 */
export function hashOf(text: string): number {
  let hash = 0x811c9dc5;
  for (let i = 0; i < text.length; i++) {
    hash = Math.imul(hash ^ text.charCodeAt(i), 0x01000193);
  }
  return mix(hash);
}

/**
 * The finalizer of MurmurHash3: a bijection in which each bit of the result depends on all input
 * bits.
 */
function mix(hash: number): number {
  hash = Math.imul(hash ^ hash >>> 16, 0x85ebca6b);
  hash = Math.imul(hash ^ hash >>> 13, 0xc2b2ae35);
  return (hash ^ hash >>> 16) >>> 0;
}

/** The members that offer a kind. Finds the home of a key among them. */
export class Rendezvous<M> {
  readonly #members = new Map<string, Member<M>>();

  /** Returns the number of members. */
  get size(): number {
    return this.#members.size;
  }

  /** Adds or replaces a member. `weight` is an integer from 1 to {@linkcode WEIGHT_MAX}. */
  set(name: string, weight: number, value: M): void {
    const base = hashOf(name);
    const seeds = Uint32Array.from({ length: weight }, (_, i) => mix(base + i * 0x9e3779b9 | 0));
    this.#members.set(name, { name, value, seeds });
  }

  /** Removes a member. */
  delete(name: string): void {
    this.#members.delete(name);
  }

  /** Returns the home of a key by the key's hash, or `undefined` if there are no members. */
  homeOf(hash: number): M | undefined {
    let best: Member<M> | undefined;
    let highest = -1;
    for (const member of this.#members.values()) {
      const score = scoreOf(member.seeds, hash);
      // Ties are resolved by the order of names, so all nodes resolve them alike.
      if (score < highest || (score === highest && best !== undefined && member.name > best.name)) {
        continue;
      }
      highest = score;
      best = member;
    }
    return best?.value;
  }

  /** Returns whether both nodes are members, and `one` ranks higher than `other` for a key. */
  isPreferred(one: string, other: string, hash: number): boolean {
    const [first, second] = [this.#members.get(one), this.#members.get(other)];
    if (first === undefined || second === undefined) return false;
    const difference = scoreOf(first.seeds, hash) - scoreOf(second.seeds, hash);
    return difference > 0 || (difference === 0 && one < other);
  }
}

function scoreOf(seeds: Uint32Array, hash: number): number {
  let highest = 0;
  for (let i = 0; i < seeds.length; i++) {
    const score = mix(hash ^ seeds[i]!);
    if (score > highest) highest = score;
  }
  return highest;
}
