/**
 * Writes batches of events to SQLite: event by event, in one transaction that does not wait for
 * anything else. Deterministic except for the database.
 *
 * ```
 * project    does not exist ─▶ result "orphan"
 * issue      is discarded ─▶ result "discarded"; does not exist ─▶ created at the end
 * events     inserts the event; its id exists already ─▶ result "duplicate"
 * words      inserts the words
 * users      inserts the user, unless the issue has it already
 * releases   inserts the release if it is new
 * issues     at the end, once per issue: adds to its counts, or reopens it
 * usage      at the end, once per project: adds events and bytes
 * ```
 *
 * @module
 */
import type { DatabaseSync, StatementSync } from "node:sqlite";
import { newId } from "../domain/id.ts";
import { folded, wordsOf } from "../domain/words.ts";
import { isLaterRelease, type ReleaseTime } from "../domain/release.ts";
import { KnownReleases } from "./known_releases.ts";
import { type EventColumns, issueKey, userKeyOf } from "./rows.ts";
import type { EventOutcome } from "./events.ts";

/** The changes that a batch makes to one issue. */
interface Tally {
  readonly id: string;
  /** The state of the issue before the batch; null if the issue is new. */
  readonly was: string | null;
  /** The first event of the issue in the batch. */
  readonly opener: EventColumns;
  count: number;
  bytes: number;
  firstSeen: number;
  lastSeen: number;
  level: string;
  /** Number of users that the issue did not have before the batch. */
  users: number;
  firstRelease: string | null;
  lastRelease: string | null;
  /** The release after which the issue is resolved, if it is resolved in the next release. */
  readonly resolvedAfter: string | null;
  /** Whether an event of the batch reopens the issue. */
  isReopened: boolean;
}

/** Writes batches on a connection. */
export class SqliteBatches {
  readonly #exists: StatementSync;
  readonly #isStored: StatementSync;
  readonly #find: StatementSync;
  readonly #store: StatementSync;
  readonly #words: StatementSync;
  readonly #make: StatementSync;
  readonly #add: StatementSync;
  readonly #addUsage: StatementSync;
  readonly #addUser: StatementSync;
  readonly #addRelease: StatementSync;
  readonly #releaseTime: StatementSync;
  readonly #releases = new KnownReleases();

  constructor(db: DatabaseSync) {
    this.#exists = db.prepare("SELECT 1 AS one FROM projects WHERE id = ?");
    this.#isStored = db.prepare("SELECT 1 AS one FROM events WHERE id = ? AND project_id = ?");
    // The fingerprint may have been merged into another issue.
    this.#find = db.prepare(
      `SELECT id, status, resolved_after FROM issues WHERE id = coalesce(
         (SELECT issue_id FROM issue_aliases WHERE project_id = ?1 AND fingerprint = ?2),
         (SELECT id FROM issues WHERE project_id = ?1 AND fingerprint = ?2))`,
    );
    this.#store = db.prepare(
      `INSERT INTO events (id, project_id, issue_id, fingerprint, level, title, message,
         environment, release, tags, payload, bytes, event_at, received_at, user_key)
       VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING`,
    );
    this.#words = db.prepare("INSERT INTO event_words (rowid, words) VALUES (?, ?)");
    this.#make = db.prepare(
      `INSERT INTO issues (id, project_id, fingerprint, title, title_folded, culprit, level,
         event_count, first_seen, last_seen, user_count, first_release, last_release)
       VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
    );
    this.#add = db.prepare(
      `UPDATE issues SET event_count = event_count + ?2, first_seen = min(first_seen, ?3),
         level = CASE WHEN ?4 >= last_seen THEN ?5 ELSE level END,
         last_seen = max(last_seen, ?4),
         user_count = user_count + ?6, first_release = coalesce(first_release, ?7),
         last_release = coalesce(?8, last_release),
         status = CASE WHEN ?9 THEN 'unresolved' ELSE status END,
         resolved_after = CASE WHEN ?9 THEN NULL ELSE resolved_after END
       WHERE id = ?1`,
    );
    this.#addUser = db.prepare(
      "INSERT INTO issue_users (issue_id, user_key) VALUES (?, ?) ON CONFLICT DO NOTHING",
    );
    this.#addRelease = db.prepare(
      `INSERT INTO releases (id, project_id, version, created_at) VALUES (?, ?, ?, ?)
       ON CONFLICT DO NOTHING`,
    );
    this.#releaseTime = db.prepare(
      "SELECT created_at FROM releases WHERE project_id = ? AND version = ?",
    );
    this.#addUsage = db.prepare(
      `INSERT INTO project_usage (project_id, events, bytes) VALUES (?1, ?2, ?3)
       ON CONFLICT (project_id) DO UPDATE SET events = events + ?2, bytes = bytes + ?3`,
    );
  }

  /** Writes a batch within the open transaction. Returns the result of each event, in order. */
  write(rows: readonly EventColumns[], now: number): EventOutcome[] {
    const projects = new Map<string, boolean>();
    // The changes by fingerprint. Several fingerprints may belong to one issue.
    const tallies = new Map<string, Tally>();
    const byIssue = new Map<string, Tally>();
    const outcomes = rows.map((row): EventOutcome => {
      if (!this.#hasProject(projects, row.projectId)) return { kind: "orphan" };
      const key = issueKey(row);
      let tally = tallies.get(key);
      if (tally === undefined) {
        tally = this.#tallyOf(row, now);
        tally = byIssue.get(tally.id) ?? tally;
        // A duplicate event does not create an issue.
        if (tally.was === null && this.#has(row)) return { kind: "duplicate" };
        tallies.set(key, tally);
        byIssue.set(tally.id, tally);
      }
      return tally.was === "discarded"
        ? { kind: "discarded", issueId: tally.id }
        : this.#insert(row, tally, now);
    });
    for (const tally of byIssue.values()) if (tally.count > 0) this.#settle(tally);
    for (const [id, { events, bytes }] of usageOf(byIssue.values())) {
      this.#addUsage.run(id, events, bytes);
    }
    return outcomes;
  }

  #hasProject(projects: Map<string, boolean>, id: string): boolean {
    let known = projects.get(id);
    if (known === undefined) projects.set(id, known = this.#exists.get(id) !== undefined);
    return known;
  }

  #tallyOf(opener: EventColumns, now: number): Tally {
    const { projectId, fingerprint, level, receivedAt } = opener;
    const found = this.#find.get(projectId, fingerprint) as
      | { readonly id: string; readonly status: string; readonly resolved_after: string | null }
      | undefined;
    const { id, status: was, resolved_after: resolvedAfter } = found ??
      { id: newId(now), status: null, resolved_after: null };
    return {
      id,
      was,
      opener,
      count: 0,
      bytes: 0,
      firstSeen: receivedAt,
      lastSeen: receivedAt,
      level,
      users: 0,
      firstRelease: null,
      lastRelease: null,
      resolvedAfter,
      isReopened: false,
    };
  }

  #has({ id, projectId }: EventColumns): boolean {
    return this.#isStored.get(id, projectId) !== undefined;
  }

  #insert(row: EventColumns, tally: Tally, now: number): EventOutcome {
    const userKey = userKeyOf(row);
    const { changes, lastInsertRowid } = this.#store.run(
      row.id,
      row.projectId,
      tally.id,
      row.fingerprint,
      row.level,
      row.title,
      row.message,
      row.environment,
      row.release,
      row.tags,
      row.payload,
      row.payload.length,
      row.eventAt,
      row.receivedAt,
      userKey,
    );
    if (Number(changes) === 0) return { kind: "duplicate" };
    this.#words.run(lastInsertRowid, `${wordsOf(row.searched).join(" ")} ${row.marks}`);
    tally.bytes += row.payload.length;
    const isFirst = tally.count++ === 0;
    tally.firstSeen = Math.min(tally.firstSeen, row.receivedAt);
    if (userKey !== null) tally.users += Number(this.#addUser.run(tally.id, userKey).changes);
    if (row.release !== null) {
      this.#makeRelease(row, now);
      tally.firstRelease ??= row.release;
      tally.lastRelease = row.release;
    }
    const isReopened = tally.was === "resolved" && !tally.isReopened && this.#reopens(row, tally);
    if (isReopened) tally.isReopened = true;
    if (row.receivedAt >= tally.lastSeen) {
      tally.lastSeen = row.receivedAt;
      tally.level = row.level;
    }
    return {
      kind: "stored",
      issueId: tally.id,
      first: isFirst && tally.was === null,
      regressed: isReopened,
    };
  }

  /** Creates the release of an event, unless it exists. */
  #makeRelease(row: EventColumns, now: number): void {
    if (this.#releases.has(row)) return;
    this.#releases.add(row);
    this.#addRelease.run(newId(now), row.projectId, row.release, now);
  }

  /** Returns whether an event reopens a resolved issue. */
  #reopens({ projectId, release }: EventColumns, { resolvedAfter }: Tally): boolean {
    if (resolvedAfter === null) return true;
    if (release === null) return false;
    const timeOf = (version: string): ReleaseTime => ({
      version,
      createdAt: (this.#releaseTime.get(projectId, version) as { created_at: number } | undefined)
        ?.created_at,
    });
    return isLaterRelease(timeOf(release), timeOf(resolvedAfter));
  }

  /**
   * Clears the cache of known releases, because a batch that was rolled back may have added to it.
   */
  forget(): void {
    this.#releases.forget();
  }

  #settle(tally: Tally): void {
    const { id, was, opener, count, firstSeen, lastSeen, level, users } = tally;
    const { firstRelease, lastRelease } = tally;
    if (was !== null) {
      this.#add.run(
        id,
        count,
        firstSeen,
        lastSeen,
        level,
        users,
        firstRelease,
        lastRelease,
        Number(tally.isReopened),
      );
      return;
    }
    const { projectId, fingerprint, title, culprit } = opener;
    this.#make.run(
      id,
      projectId,
      fingerprint,
      title,
      folded(title),
      culprit,
      level,
      count,
      firstSeen,
      lastSeen,
      users,
      firstRelease,
      lastRelease,
    );
  }
}

/** Returns the number of events and bytes that a batch adds to each project. */
function usageOf(tallies: Iterable<Tally>): Map<string, { events: number; bytes: number }> {
  const usage = new Map<string, { events: number; bytes: number }>();
  for (const { opener: { projectId }, count, bytes } of tallies) {
    if (count === 0) continue;
    const known = usage.get(projectId) ?? { events: 0, bytes: 0 };
    usage.set(projectId, { events: known.events + count, bytes: known.bytes + bytes });
  }
  return usage;
}
