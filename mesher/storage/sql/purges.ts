/**
 * Deletes and moves rows in the background: the events and issues of a project, or the events of an
 * issue. The visible row is deleted at once. Dependent rows are deleted in small transactions, so
 * that deleting a million events does not delay other requests.
 *
 * A purge is a row, so it continues after the process has ended, on this or another node
 * (`upkeep`).
 *
 * @module
 */
import { newId } from "../../domain/id.ts";
import type { Database, Query } from "../database.ts";
import { jsonText, readJson } from "../json.ts";
import { type Move, moveSlice, moveUsers, settleSplit } from "./moves.ts";

/** A database that can return freed space. */
export interface Purgeable extends Database {
  /**
   * Returns some of the space freed by deletions to the file system; resolves with whether there is
   * more.
   */
  release?(): Promise<boolean>;
}

/** The data to delete: everything of a project, or the events of an issue. */
export type PurgeKind = "project" | "issue";

/** An unfinished purge or move. */
interface PurgeRow {
  readonly id: string;
  readonly kind: PurgeKind | Move["kind"];
  readonly target: string;
  readonly created_at: number;
  /** For a move: the issue to which events are moved. Null for a purge. */
  readonly destination: string | null;
  readonly fingerprints: unknown;
}

/** Maximum time from the reception of a batch until it is written, in milliseconds. */
const LATE_MS_MAX = 60_000;
/** Maximum number of issues deleted in one transaction. */
const ISSUES_MAX = 1_000;

/** Adds a purge, in the transaction that deletes the visible row. */
export async function addPurge(
  query: Query,
  now: number,
  kind: PurgeKind,
  target: string,
): Promise<void> {
  await query.change(
    "INSERT INTO purges (id, kind, target, created_at) VALUES ($1, $2, $3, $4)",
    newId(now),
    kind,
    target,
    now,
  );
}

/** Adds a move of events, in the transaction that makes the visible change. */
export async function addMove(
  query: Query,
  now: number,
  { kind, from, to, fingerprints }: Move,
): Promise<void> {
  await query.change(
    `INSERT INTO purges (id, kind, target, destination, fingerprints, created_at)
     VALUES ($1, $2, $3, $4, $5, $6)`,
    newId(now),
    kind,
    from,
    to,
    jsonText(fingerprints),
    now,
  );
}

/** Runs the purges and moves of one node. */
export class Purger {
  readonly #engine: Purgeable;
  #running: Promise<void> | undefined;
  #isAgain = false;
  #isStopped = false;

  constructor(engine: Purgeable) {
    this.#engine = engine;
  }

  /**
   * Runs all purges. Resolves when none is left. A call during a run waits for that run and for
   * another check.
   */
  run(): Promise<void> {
    this.#isAgain = true;
    return this.#running ??= this.#all().finally(() => {
      this.#running = undefined;
      // If another run was requested since the last check, runs again.
      return this.#isAgain && !this.#isStopped ? this.run() : undefined;
    });
  }

  /** Stops after the current transaction. */
  async stop(): Promise<void> {
    this.#isStopped = true;
    await this.#running?.catch(() => {});
  }

  async #all(): Promise<void> {
    while (this.#isAgain && !this.#isStopped) {
      this.#isAgain = false;
      const purges = await this.#engine.rows<PurgeRow>(
        "SELECT id, kind, target, destination, fingerprints, created_at FROM purges ORDER BY created_at, id",
      );
      for (const purge of purges) await this.#one(purge);
      if (!this.#isStopped) await releaseAll(this.#engine);
    }
  }

  async #one(purge: PurgeRow): Promise<void> {
    const { id, kind, target, destination } = purge;
    if (kind === "merge" || kind === "split") {
      const fingerprints = readJson<string[]>(purge.fingerprints);
      return await this.#move(purge, { kind, from: target, to: destination!, fingerprints });
    }
    if (await this.#awaitsMove(purge)) return;
    const engine = this.#engine;
    const column = kind === "project" ? "project_id" : "issue_id";
    for (let isLast = false; !isLast;) {
      if (this.#isStopped) return;
      ({ isLast } = await engine.transaction((query) =>
        engine.dialect.deleteEvents(query, column, target, null)
      ));
    }
    for (let left = kind === "project"; left;) {
      if (this.#isStopped) return;
      left = await engine.transaction((query) => deleteIssues(query, target)) > 0;
    }
    if (kind === "project") {
      await engine.change("DELETE FROM issue_aliases WHERE project_id = $1", target);
      await engine.change("DELETE FROM project_usage WHERE project_id = $1", target);
    }
    await engine.change("DELETE FROM purges WHERE id = $1", id);
  }

  async #move({ id, created_at }: PurgeRow, move: Move): Promise<void> {
    const engine = this.#engine;
    // A batch that was in progress during the split may have added another event to the old issue,
    // so the events since a minute before the split are checked again.
    for (const begin of move.kind === "split" ? [-1, created_at - LATE_MS_MAX] : [-1]) {
      for (let after: number | null = begin; after !== null;) {
        if (this.#isStopped) return;
        const from: number = after;
        after = await engine.transaction((query) => moveSlice(query, move, from));
      }
    }
    if (move.kind === "split") await settleSplit(engine, move);
    else await moveUsers(engine, move);
    await engine.change("DELETE FROM purges WHERE id = $1", id);
  }

  /**
   * Returns whether events are still being moved to an issue that must be deleted. The issue is
   * then deleted by the next upkeep.
   */
  async #awaitsMove({ target, created_at }: PurgeRow): Promise<boolean> {
    const move = await this.#engine.row(
      `SELECT id FROM purges WHERE (destination = $1 OR target = $1) AND destination IS NOT NULL
         AND created_at <= $2 LIMIT 1`,
      target,
      created_at,
    );
    return move !== undefined;
  }
}

/** Deletes some issues of a project, with all their dependent rows. */
async function deleteIssues(query: Query, projectId: string): Promise<number> {
  const some = `SELECT id FROM issues WHERE project_id = $1 ORDER BY id LIMIT ${ISSUES_MAX}`;
  await query.change(`DELETE FROM issue_activity WHERE issue_id IN (${some})`, projectId);
  await query.change(`DELETE FROM issue_users WHERE issue_id IN (${some})`, projectId);
  return await query.change(`DELETE FROM issues WHERE id IN (${some})`, projectId);
}

/** Returns the space freed by deletions to the file system, in small steps. */
export async function releaseAll(engine: Purgeable): Promise<void> {
  while (await engine.release?.());
}
