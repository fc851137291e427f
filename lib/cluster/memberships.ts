/**
 * Stores the group memberships of one actor of this node. They are found by group in constant time,
 * because the hub of a node is in the group of each topic.
 *
 * @module
 */
import type { Chained } from "../actor/actor_ref.ts";

/** The membership of an actor in a group. */
interface Membership {
  readonly scope: string;
  readonly group: string;
}

/** An item of the linked list of an actor's memberships in one group, the last one first. */
interface Entry<Row> {
  readonly row: Row;
  readonly earlier: Entry<Row> | undefined;
}

/** The memberships of an actor. It is attached to the actor. */
export class Memberships<Row extends Membership> implements Chained {
  following: Chained | undefined = undefined;
  preceding: Chained | undefined = undefined;
  readonly #entries = new Map<string, Entry<Row>>();
  readonly #ended: () => void;

  /** `ended` is called when the actor exits. */
  constructor(ended: () => void) {
    this.#ended = ended;
  }

  /** Whether the actor is in no group. */
  get isEmpty(): boolean {
    return this.#entries.size === 0;
  }

  /** Adds a membership. An actor may be in a group several times. */
  add(row: Row): void {
    const key = keyOf(row.scope, row.group);
    this.#entries.set(key, { row, earlier: this.#entries.get(key) });
  }

  /** Removes and returns the last membership of a group. Returns undefined if there is none. */
  take(scope: string, group: string): Row | undefined {
    const key = keyOf(scope, group);
    const entry = this.#entries.get(key);
    if (entry === undefined) return undefined;
    if (entry.earlier === undefined) this.#entries.delete(key);
    else this.#entries.set(key, entry.earlier);
    return entry.row;
  }

  /** Returns all memberships, by group. */
  rows(): Row[] {
    const rows: Row[] = [];
    for (const last of this.#entries.values()) {
      for (let entry: Entry<Row> | undefined = last; entry !== undefined; entry = entry.earlier) {
        rows.push(entry.row);
      }
    }
    return rows;
  }

  drop(): void {
    this.#ended();
  }
}

/**
 * Returns the key of a group. Scopes and groups may contain any characters, so the key begins with
 * the length of the scope.
 */
export function keyOf(scope: string, group: string): string {
  return `${scope.length}:${scope}${group}`;
}
