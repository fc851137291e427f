/**
 * The replicated table of global names. Each node owns the names that were registered on it; a replica is
 * a map from node to the names that it announced, so losing a node removes exactly its names.
 *
 *     "cart" ─ b@h:1: <b 42>, stamp 17   ◀── the winner: see `wins`
 *            └ c@h:1: <c  7>, stamp 18       until its owner withdraws it
 *
 * Two nodes may hold one name after a partition. Every node that knows both entries computes the same
 * winner. Nothing else is decided here: the owner of the other entry withdraws it.
 *
 * @module
 */
import type { Pid } from "../term/pid.ts";

/** One node's entry of a name. */
export interface NameEntry {
  readonly name: string;
  /** The node on which it was registered. */
  readonly owner: string;
  readonly pid: Pid;
  /** When, in microseconds of the cluster's time (`stamp_clock.ts`); unique for its owner and name. */
  readonly stamp: number;
  /** Fencing token of a name that is held by a quorum; otherwise absent. */
  readonly token?: number | undefined;
  /** Whether it is held by a quorum: when its node is lost, the name is not free at once. */
  readonly lingers?: boolean | undefined;
  /** Whether it may still be a claim, which some peer of its owner has not granted yet. */
  isClaim?: boolean;
}

/** The actor that is found under a name has changed. */
export interface NameChanged {
  readonly name: string;
  readonly from: NameEntry | undefined;
  readonly to: NameEntry | undefined;
}

/**
 * Returns whether one entry wins over another of the same name: held over claimed, then the higher token, then
 * the earlier stamp, then the lesser node name.
 */
export function wins(one: NameEntry, other: NameEntry): boolean {
  const isClaim = one.isClaim ?? false;
  if (isClaim !== (other.isClaim ?? false)) return !isClaim;
  const [token = 0, otherToken = 0] = [one.token, other.token];
  return token !== otherToken ? token > otherToken : isEarlier(one, other);
}

/** Returns whether one entry was made before another: the order of claims. */
export function isEarlier(one: NameEntry, other: NameEntry): boolean {
  return one.stamp < other.stamp || (one.stamp === other.stamp && one.owner < other.owner);
}

/** All names of all nodes. */
export class NameTable {
  readonly #byOwner = new Map<string, Map<string, NameEntry>>();
  readonly #winners = new Map<string, NameEntry>();
  /** Names with more than one entry. */
  readonly #contested = new Set<string>();

  /** The number of names. */
  get size(): number {
    return this.#winners.size;
  }

  /** Returns the winning entry of a name. */
  find(name: string): NameEntry | undefined {
    return this.#winners.get(name);
  }

  /** Returns all names, in the order in which they became known. */
  names(): string[] {
    return [...this.#winners.keys()];
  }

  /** Returns a node's entry of a name. */
  of(owner: string, name: string): NameEntry | undefined {
    return this.#byOwner.get(owner)?.get(name);
  }

  /** Returns all entries of a node. */
  allOf(owner: string): NameEntry[] {
    return [...this.#byOwner.get(owner)?.values() ?? []];
  }

  /** Returns the number of names of a node. */
  countOf(owner: string): number {
    return this.#byOwner.get(owner)?.size ?? 0;
  }

  /** Returns whether a name has more than one entry. */
  isContested(name: string): boolean {
    return this.#contested.has(name);
  }

  /** Returns the entries of a contested name that do not win. */
  rivals(name: string): NameEntry[] {
    if (!this.#contested.has(name)) return [];
    const winner = this.#winners.get(name);
    return [...this.#byOwner.values()].map((names) => names.get(name))
      .filter((entry) => entry !== undefined && entry !== winner) as NameEntry[];
  }

  /** Sets a node's entry of a name, in place of the one it had. */
  set(entry: NameEntry): NameChanged | undefined {
    const { owner, name } = entry;
    let names = this.#byOwner.get(owner);
    if (names === undefined) this.#byOwner.set(owner, names = new Map());
    const from = this.#winners.get(name);
    names.set(name, entry);
    if (from !== undefined && from.owner !== owner) this.#contested.add(name);
    return this.#settle(name, from, owner);
  }

  /** Marks an entry as held. */
  hold(entry: NameEntry): NameChanged | undefined {
    const { owner, name } = entry;
    entry.isClaim = false;
    if (!this.#contested.has(name)) return undefined;
    return this.#settle(name, this.#winners.get(name), owner);
  }

  /** Removes a node's entry of a name. */
  remove(owner: string, name: string): NameChanged | undefined {
    const names = this.#byOwner.get(owner);
    if (!names?.delete(name)) return undefined;
    if (names.size === 0) this.#byOwner.delete(owner);
    return this.#settle(name, this.#winners.get(name), owner);
  }

  /** Removes all entries of a node. */
  drop(owner: string): NameChanged[] {
    const names = this.#byOwner.get(owner);
    if (names === undefined) return [];
    this.#byOwner.delete(owner);
    const changes: NameChanged[] = [];
    for (const name of names.keys()) {
      const change = this.#settle(name, this.#winners.get(name), owner);
      if (change !== undefined) changes.push(change);
    }
    return changes;
  }

  /** Updates the name after a change of `owner`'s entry. The winner was `from` before. */
  #settle(name: string, from: NameEntry | undefined, owner: string): NameChanged | undefined {
    const to = this.#contested.has(name) ? this.#contest(name) : this.of(owner, name);
    if (to === undefined) this.#winners.delete(name);
    else if (to !== from) this.#winners.set(name, to);
    const same = to === from ||
      (to !== undefined && from !== undefined && to.owner === from.owner &&
        to.pid.equals(from.pid));
    return same ? undefined : { name, from, to };
  }

  #contest(name: string): NameEntry | undefined {
    let best: NameEntry | undefined;
    let count = 0;
    for (const names of this.#byOwner.values()) {
      const entry = names.get(name);
      if (entry === undefined) continue;
      count++;
      if (best === undefined || wins(entry, best)) best = entry;
    }
    if (count < 2) this.#contested.delete(name);
    return best;
  }
}
