/**
 * The users that PostgreSQL's batch writer knows to be stored as users of an issue, so that a batch
 * does not insert them again. An insert takes a tenth of the database's time for an event, even if
 * the row already exists. SQLite's batch writer has no such cache, which would save 2 of 48
 * microseconds.
 *
 * A user is known together with the fingerprint of its event, so that a split issue has correct
 * users: its users are counted again from its events, and all events with one fingerprint belong to
 * the same issue. Users are forgotten long before retention deletes their events.
 *
 * @module
 */
import { KnownKeys } from "./known_keys.ts";
import type { EventColumns } from "./rows.ts";

/** Maximum number of known users, about 100 bytes each. When it is exceeded, all are forgotten. */
export const USERS_MAX = 50_000;
/** Time after which all users are forgotten, in milliseconds. */
export const USERS_MS_MAX = 3_600_000;

/** A cache of users of issues that are stored. */
export class KnownUsers {
  readonly #keys = new KnownKeys(USERS_MAX);
  #since = 0;

  /** Returns whether the user of an event is known to be stored as a user of the issue. */
  has(row: Pick<EventColumns, "fingerprint">, issueId: string, user: string, now: number): boolean {
    // A clock may have been set back.
    if (Math.abs(now - this.#since) > USERS_MS_MAX) {
      this.#keys.forget();
      this.#since = now;
    }
    return this.#keys.has(keyOf(row, issueId, user));
  }

  /** Adds the user of an event whose batch has been committed. */
  add(row: Pick<EventColumns, "fingerprint">, issueId: string, user: string): void {
    this.#keys.add(keyOf(row, issueId, user));
  }
}

function keyOf({ fingerprint }: Pick<EventColumns, "fingerprint">, issueId: string, user: string) {
  return `${issueId}/${fingerprint}/${user}`;
}
