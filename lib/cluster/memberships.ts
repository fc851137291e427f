/**
 * Stores the group memberships of one actor of this node. A lookup by group takes constant time,
 * because the hub of a node may be a member of very many groups: one per topic.
 *
 * @module
 */
import type { Chained } from "../actor/actor_ref.ts";
import { ChurnMap } from "../base/churn_map.ts";

/** The membership of an actor in a group. */
interface Membership {
  readonly scope: string;
  readonly group: string;
}

/** An item of the linked list of an actor's memberships in one group, latest first. */
interface Entry<Row> {
  readonly row: Row;
  readonly earlier: Entry<Row> | undefined;
}

/** The memberships of an actor. It is attached to the actor. */
export class Memberships<Row extends Membership> implements Chained {
  following: Chained | undefined = undefined;
  preceding: Chained | undefined = undefined;
  readonly #entries = new ChurnMap<string, Entry<Row>>();
  readonly #ended: (rows: Iterator<Row>) => boolean;
  #ending: Iterator<Row> | undefined = undefined;

  /**
   * When the actor exits, `ended` is called with the memberships. It returns true if some of them
   * are left, and is then called again.
   */
  constructor(ended: (rows: Iterator<Row>) => boolean) {
    this.#ended = ended;
  }

  /** Whether the actor is not a member of any group. */
  get isEmpty(): boolean {
    return this.#entries.size === 0;
  }

  /** Adds a membership. An actor may be in a group several times. */
  add(row: Row): void {
    const key = keyOf(row.scope, row.group);
    this.#entries.set(key, { row, earlier: this.#entries.get(key) });
  }

  /**
   * Removes and returns the latest membership in a group. Returns undefined if the actor is not a
   * member.
   */
  take(scope: string, group: string): Row | undefined {
    const key = keyOf(scope, group);
    const entry = this.#entries.get(key);
    if (entry === undefined) return undefined;
    if (entry.earlier === undefined) this.#entries.delete(key);
    else this.#entries.set(key, entry.earlier);
    return entry.row;
  }

  /** Iterates over all memberships, by group. */
  *rows(): Generator<Row, void> {
    for (const last of this.#entries.values()) {
      for (let entry: Entry<Row> | undefined = last; entry !== undefined; entry = entry.earlier) {
        yield entry.row;
      }
    }
  }

  drop(): boolean {
    return this.#ended(this.#ending ??= this.rows());
  }
}

/**
 * Returns the key of a group. Scopes and groups may contain any characters, so the key begins with
 * the length of the scope.
 */
export function keyOf(scope: string, group: string): string {
  return `${scope.length}:${scope}${group}`;
}
