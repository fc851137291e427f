/**
 * Stores the replicated table of global names. Each node owns the names that were registered on it.
 * The table has one map for each node, with the names that the node has announced. When a node is
 * lost, exactly its names are removed.
 *
 *     "cart" ─ b@h:1: <b 42>, stamp 17   ◀── the winner: see `winner.ts`
 *            └ c@h:1: <c  7>, stamp 18       until its owner withdraws it
 *
 * Two nodes may hold one name after a partition. Every node that has both entries computes the same
 * winner. The owner of the losing entry withdraws it.
 *
 * @module
 */
import { ChurnMap } from "../base/churn_map.ts";
import { type NameEntry, wins } from "./winner.ts";

/** Describes a change of the actor that has a name. */
export interface NameChanged {
  readonly name: string;
  readonly from: NameEntry | undefined;
  readonly to: NameEntry | undefined;
}

const NO_ENTRIES: ReadonlyMap<string, NameEntry> = new Map();

/** The table of the global names of all nodes. */
export class NameTable {
  readonly #byOwner = new Map<string, ChurnMap<string, NameEntry>>();
  readonly #winners = new ChurnMap<string, NameEntry>();
  /** The entries of names that are held by a quorum, by owner and name. */
  readonly #lingering = new Map<string, Map<string, NameEntry>>();
  /** Names with several entries. Entries of lost nodes count until they are removed. */
  readonly #contested = new Set<string>();
  /**
   * The number of lost nodes whose entries are not all removed yet. `find` ignores these entries.
   */
  #dropping = 0;

  /** The number of names. */
  get size(): number {
    return this.#winners.size;
  }

  /** Returns the winning entry of a name. */
  find(name: string): NameEntry | undefined {
    const winner = this.#winners.get(name);
    if (this.#dropping === 0 || winner === undefined || this.#isLive(winner)) return winner;
    return this.#contested.has(name) ? this.#best(name).entry : undefined;
  }

  /**
   * Returns all names, in the order in which they became known. A name that is registered again may
   * keep its earlier position.
   */
  names(): string[] {
    const names = [...this.#winners.keys()];
    return this.#dropping === 0 ? names : names.filter((name) => this.find(name) !== undefined);
  }

  /** Returns a node's entry of a name. */
  of(owner: string, name: string): NameEntry | undefined {
    return this.#byOwner.get(owner)?.get(name);
  }

  /** Iterates over all entries of a node. Changes during the iteration are visible. */
  allOf(owner: string): Iterable<NameEntry> {
    return this.#byOwner.get(owner)?.values() ?? [];
  }

  /**
   * Returns the entries of a node whose names stay reserved after its loss, by name. The map
   * changes with the table until the node is removed.
   */
  lingeringOf(owner: string): ReadonlyMap<string, NameEntry> {
    return this.#lingering.get(owner) ?? NO_ENTRIES;
  }

  /** Returns the number of names of a node. */
  countOf(owner: string): number {
    return this.#byOwner.get(owner)?.size ?? 0;
  }

  /** Returns whether a name has more than one entry. */
  isContested(name: string): boolean {
    return this.#contested.size > 0 && this.#contested.has(name);
  }

  /** Returns the entries of a contested name except the winner. */
  rivals(name: string): NameEntry[] {
    if (!this.#contested.has(name)) return [];
    const winner = this.find(name);
    return [...this.#byOwner.values()].map((names) => names.get(name))
      .filter((entry) => entry !== undefined && entry !== winner) as NameEntry[];
  }

  /** Stores a node's entry of a name, and replaces its previous one. */
  set(entry: NameEntry): NameChanged | undefined {
    const { owner, name } = entry;
    let names = this.#byOwner.get(owner);
    if (names === undefined) this.#byOwner.set(owner, names = new ChurnMap());
    const from = this.#winners.get(name);
    names.set(name, entry);
    if (entry.lingers) this.#linger(entry);
    else if (this.#lingering.size > 0) this.#lingering.get(owner)?.delete(name);
    const isOther = from !== undefined && from.owner !== owner;
    if (isOther && (this.#dropping === 0 || this.#isLive(from))) this.#contested.add(name);
    return this.#settle(name, from, entry);
  }

  /** Marks an entry as held: it is no longer a claim. */
  hold(entry: NameEntry): NameChanged | undefined {
    const { owner, name } = entry;
    entry.isClaim = false;
    if (!this.isContested(name)) return undefined;
    return this.#settle(name, this.#winners.get(name), this.of(owner, name));
  }

  /** Removes a node's entry of a name. */
  remove(owner: string, name: string): NameChanged | undefined {
    const names = this.#byOwner.get(owner);
    if (!names?.delete(name)) return undefined;
    if (this.#lingering.size > 0) this.#lingering.get(owner)?.delete(name);
    if (names.size === 0) {
      this.#byOwner.delete(owner);
      this.#lingering.delete(owner);
    }
    return this.#settle(name, this.#winners.get(name), undefined);
  }

  /**
   * Removes a node: `find` no longer returns its entries. The returned iterator removes one entry
   * per step and returns the change, so that the caller can do other work between portions. The
   * caller must iterate to the end.
   */
  drop(owner: string): Iterator<NameChanged | undefined> {
    const names = this.#byOwner.get(owner);
    if (names === undefined) return [].values();
    this.#byOwner.delete(owner);
    this.#lingering.delete(owner);
    this.#dropping++;
    return this.#free(owner, names);
  }

  *#free(owner: string, names: ChurnMap<string, NameEntry>): Generator<NameChanged | undefined> {
    for (const [name, entry] of names.entries()) {
      const from = this.#winners.get(name);
      // If neither condition is true, the name was registered again in the meantime, and nothing
      // changes.
      yield from === entry || this.#contested.has(name)
        ? this.#settle(name, from, this.of(owner, name))
        : undefined;
    }
    this.#dropping--;
  }

  #linger(entry: NameEntry): void {
    const { owner, name } = entry;
    const entries = this.#lingering.get(owner);
    if (entries === undefined) this.#lingering.set(owner, new Map([[name, entry]]));
    else entries.set(name, entry);
  }

  /** Returns whether an entry is still in the table, and its node was not lost. */
  #isLive({ owner, name }: NameEntry): boolean {
    return this.#byOwner.get(owner)?.has(name) ?? false;
  }

  /**
   * Updates the winner of a name after the entry of one node was set to `entry`, or removed if
   * `entry` is undefined. `from`: the previous winner.
   */
  #settle(
    name: string,
    from: NameEntry | undefined,
    entry: NameEntry | undefined,
  ): NameChanged | undefined {
    const to = this.isContested(name) ? this.#contest(name) : entry;
    if (to === undefined) this.#winners.delete(name);
    else if (to !== from) this.#winners.set(name, to);
    const same = to === from ||
      (to !== undefined && from !== undefined && to.owner === from.owner &&
        to.pid.equals(from.pid));
    return same ? undefined : { name, from, to };
  }

  #contest(name: string): NameEntry | undefined {
    const { entry, count } = this.#best(name);
    if (count < 2) this.#contested.delete(name);
    return entry;
  }

  /** Returns the winner among the entries of a name, and the number of entries. */
  #best(name: string): { entry: NameEntry | undefined; count: number } {
    let best: NameEntry | undefined;
    let count = 0;
    for (const names of this.#byOwner.values()) {
      const entry = names.get(name);
      if (entry === undefined) continue;
      count++;
      if (best === undefined || wins(entry, best)) best = entry;
    }
    return { entry: best, count };
  }
}
