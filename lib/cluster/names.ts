/**
 * The replicated table of global names. Each node owns the names that were registered on it; a replica is
 * what each node has said of its own, so that a node's loss drops its part and nothing else.
 *
 *     "cart" ─ b@h:1: <b 42>, stamp 17   ◀── the winner: the earliest stamp, then the lesser node name
 *            └ c@h:1: <c  7>, stamp 18       until its owner knows, and takes it back
 *
 * Two nodes may hold one name, after a race or a partition. Every node that knows both names the same
 * winner. Nothing here decides anything else: to withdraw what has lost is its owner's business.
 *
 * @module
 */
import type { Pid } from "../term/pid.ts";

/** One name, as one node has it. */
export interface NameEntry {
  readonly name: string;
  /** The node on which it was registered. */
  readonly owner: string;
  readonly pid: Pid;
  /** When, in microseconds of the owner's clock, and after all that it knew of. */
  readonly stamp: number;
}

/** Who is found under a name has changed. */
export interface NameChanged {
  readonly name: string;
  readonly from: NameEntry | undefined;
  readonly to: NameEntry | undefined;
}

/** Whether one entry wins over another of the same name. */
export function wins(one: NameEntry, other: NameEntry): boolean {
  return one.stamp < other.stamp || (one.stamp === other.stamp && one.owner < other.owner);
}

/** All names of all nodes. */
export class NameTable {
  readonly #byOwner = new Map<string, Map<string, NameEntry>>();
  readonly #winners = new Map<string, NameEntry>();
  /** Of which names there is more than one entry. */
  readonly #contested = new Set<string>();

  /** How many names there are. */
  get size(): number {
    return this.#winners.size;
  }

  /** Who is to be found under a name. */
  find(name: string): NameEntry | undefined {
    return this.#winners.get(name);
  }

  /** All names, in the order in which they became known. */
  names(): string[] {
    return [...this.#winners.keys()];
  }

  /** What a node has under a name. */
  of(owner: string, name: string): NameEntry | undefined {
    return this.#byOwner.get(owner)?.get(name);
  }

  /** All that a node has. */
  allOf(owner: string): NameEntry[] {
    return [...this.#byOwner.get(owner)?.values() ?? []];
  }

  /** How many names a node has. */
  countOf(owner: string): number {
    return this.#byOwner.get(owner)?.size ?? 0;
  }

  /** A node has a name: in place of what it had under it. */
  set(entry: NameEntry): NameChanged | undefined {
    const { owner, name } = entry;
    let names = this.#byOwner.get(owner);
    if (names === undefined) this.#byOwner.set(owner, names = new Map());
    const from = this.#winners.get(name);
    names.set(name, entry);
    if (from !== undefined && from.owner !== owner) this.#contested.add(name);
    return this.#settle(name, from, owner);
  }

  /** A node has a name no more. */
  remove(owner: string, name: string): NameChanged | undefined {
    const names = this.#byOwner.get(owner);
    if (!names?.delete(name)) return undefined;
    if (names.size === 0) this.#byOwner.delete(owner);
    return this.#settle(name, this.#winners.get(name), owner);
  }

  /** A node is gone, with all its names. */
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

  /** `owner` has just set or lost the name, for which `from` was found until now. */
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
