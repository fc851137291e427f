/**
 * SQLite's batch writer: processes each event of a batch in one transaction that waits for nothing else.
 * Deterministic except for the database.
 *
 * ```
 * project    there is none ─▶ orphan
 * issue      discarded ─▶ discarded; there is none ─▶ made, at the end
 * events     insert; its id is there already ─▶ duplicate
 * words      insert
 * issues     at the end, each once: count; resolved becomes unresolved
 * usage      at the end, each project once: events and bytes
 * ```
 *
 * @module
 */
import type { DatabaseSync, StatementSync } from "node:sqlite";
import { newId } from "../domain/id.ts";
import { folded, wordsOf } from "../domain/words.ts";
import { type EventColumns, issueKey } from "./rows.ts";
import type { EventOutcome } from "./events.ts";

/** An issue and the changes of the batch to it. */
interface Tally {
  readonly id: string;
  /** The state before the batch; null: the issue is new. */
  readonly was: string | null;
  /** The first event of the issue in the batch. */
  readonly opener: EventColumns;
  count: number;
  bytes: number;
  firstSeen: number;
  lastSeen: number;
  level: string;
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
  readonly #occupy: StatementSync;

  constructor(db: DatabaseSync) {
    this.#exists = db.prepare("SELECT 1 AS one FROM projects WHERE id = ?");
    this.#isStored = db.prepare("SELECT 1 AS one FROM events WHERE id = ? AND project_id = ?");
    // A fingerprint that was merged is another issue's.
    this.#find = db.prepare(
      `SELECT id, status FROM issues WHERE id = coalesce(
         (SELECT issue_id FROM issue_aliases WHERE project_id = ?1 AND fingerprint = ?2),
         (SELECT id FROM issues WHERE project_id = ?1 AND fingerprint = ?2))`,
    );
    this.#store = db.prepare(
      `INSERT INTO events (id, project_id, issue_id, fingerprint, level, title, message,
         environment, release, tags, payload, bytes, event_at, received_at)
       VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING`,
    );
    this.#words = db.prepare("INSERT INTO event_words (rowid, words) VALUES (?, ?)");
    this.#make = db.prepare(
      `INSERT INTO issues (id, project_id, fingerprint, title, title_folded, culprit, level,
         event_count, first_seen, last_seen) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
    );
    this.#add = db.prepare(
      `UPDATE issues SET event_count = event_count + ?2, first_seen = min(first_seen, ?3),
         level = CASE WHEN ?4 >= last_seen THEN ?5 ELSE level END,
         last_seen = max(last_seen, ?4),
         status = CASE WHEN status = 'resolved' THEN 'unresolved' ELSE status END
       WHERE id = ?1`,
    );
    this.#occupy = db.prepare(
      `INSERT INTO project_usage (project_id, events, bytes) VALUES (?1, ?2, ?3)
       ON CONFLICT (project_id) DO UPDATE SET events = events + ?2, bytes = bytes + ?3`,
    );
  }

  /** Writes a batch within the open transaction. Returns the result of each event, in order. */
  write(rows: readonly EventColumns[], now: number): EventOutcome[] {
    const projects = new Map<string, boolean>();
    // By the fingerprint; several may be one issue's.
    const tallies = new Map<string, Tally>();
    const byIssue = new Map<string, Tally>();
    const outcomes = rows.map((row): EventOutcome => {
      if (!this.#hasProject(projects, row.projectId)) return { kind: "orphan" };
      const key = issueKey(row);
      let tally = tallies.get(key);
      if (tally === undefined) {
        tally = this.#tallyOf(row, now);
        tally = byIssue.get(tally.id) ?? tally;
        // No issue is created for a duplicate event.
        if (tally.was === null && this.#has(row)) return { kind: "duplicate" };
        tallies.set(key, tally);
        byIssue.set(tally.id, tally);
      }
      return tally.was === "discarded"
        ? { kind: "discarded", issueId: tally.id }
        : this.#insert(row, tally);
    });
    for (const tally of byIssue.values()) if (tally.count > 0) this.#settle(tally);
    for (const [id, { events, bytes }] of usageOf(byIssue.values())) {
      this.#occupy.run(id, events, bytes);
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
      | { readonly id: string; readonly status: string }
      | undefined;
    const { id, status: was } = found ?? { id: newId(now), status: null };
    return {
      id,
      was,
      opener,
      count: 0,
      bytes: 0,
      firstSeen: receivedAt,
      lastSeen: receivedAt,
      level,
    };
  }

  #has({ id, projectId }: EventColumns): boolean {
    return this.#isStored.get(id, projectId) !== undefined;
  }

  #insert(row: EventColumns, tally: Tally): EventOutcome {
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
    );
    if (Number(changes) === 0) return { kind: "duplicate" };
    this.#words.run(lastInsertRowid, `${wordsOf(row.searched).join(" ")} ${row.marks}`);
    tally.bytes += row.payload.length;
    const isFirst = tally.count++ === 0;
    tally.firstSeen = Math.min(tally.firstSeen, row.receivedAt);
    if (row.receivedAt >= tally.lastSeen) {
      tally.lastSeen = row.receivedAt;
      tally.level = row.level;
    }
    return {
      kind: "stored",
      issueId: tally.id,
      first: isFirst && tally.was === null,
      regressed: isFirst && tally.was === "resolved",
    };
  }

  #settle({ id, was, opener, count, firstSeen, lastSeen, level }: Tally): void {
    if (was !== null) return void this.#add.run(id, count, firstSeen, lastSeen, level);
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
    );
  }
}

/** The changes of a batch to each project. */
function usageOf(tallies: Iterable<Tally>): Map<string, { events: number; bytes: number }> {
  const usage = new Map<string, { events: number; bytes: number }>();
  for (const { opener: { projectId }, count, bytes } of tallies) {
    if (count === 0) continue;
    const known = usage.get(projectId) ?? { events: 0, bytes: 0 };
    usage.set(projectId, { events: known.events + count, bytes: known.bytes + bytes });
  }
  return usage;
}
