/**
 * What is deleted in the background: the events and issues of a project, or the events of an issue. The row that
 * others see goes at once; what hangs on it goes in small transactions, so that a million events hold up nobody.
 *
 * A purge is a row, so it goes on after the process has ended, here or on another node (`upkeep`).
 *
 * @module
 */
import { newId } from "../../domain/id.ts";
import type { Database, Query } from "../database.ts";

/** A database that may give back space. */
export interface Purgeable extends Database {
  /** Gives some of what deletions have freed back to the file system; whether there is more. */
  release?(): Promise<boolean>;
}

/** What is deleted: all that a project had, or the events that an issue had. */
export type PurgeKind = "project" | "issue";

interface PurgeRow {
  readonly id: string;
  readonly kind: PurgeKind;
  readonly target: string;
}

/** Issues that are deleted in one transaction. */
const ISSUES_MAX = 1_000;

/** Adds a purge, in the transaction that deletes what others see. */
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

/** The purges of one node. */
export class Purger {
  readonly #engine: Purgeable;
  #running: Promise<void> | undefined;
  #isAgain = false;
  #isStopped = false;

  constructor(engine: Purgeable) {
    this.#engine = engine;
  }

  /** Works on all purges, unless it does so already; resolves when there are none. */
  run(): Promise<void> {
    this.#isAgain = true;
    return this.#running ??= this.#all().finally(() => this.#running = undefined);
  }

  /** Ends after the transaction that is under way. */
  async stop(): Promise<void> {
    this.#isStopped = true;
    await this.#running?.catch(() => {});
  }

  async #all(): Promise<void> {
    while (this.#isAgain && !this.#isStopped) {
      this.#isAgain = false;
      const purges = await this.#engine.rows<PurgeRow>(
        "SELECT id, kind, target FROM purges ORDER BY created_at, id",
      );
      for (const purge of purges) await this.#one(purge);
    }
    if (!this.#isStopped) await releaseAll(this.#engine);
  }

  async #one({ id, kind, target }: PurgeRow): Promise<void> {
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
      left = await engine.change(
        `DELETE FROM issues WHERE id IN (
           SELECT id FROM issues WHERE project_id = $1 LIMIT ${ISSUES_MAX})`,
        target,
      ) > 0;
    }
    if (kind === "project") {
      await engine.change("DELETE FROM project_usage WHERE project_id = $1", target);
    }
    await engine.change("DELETE FROM purges WHERE id = $1", id);
  }
}

/** Gives what deletions have freed back to the file system, some at a time. */
export async function releaseAll(engine: Purgeable): Promise<void> {
  while (await engine.release?.());
}
