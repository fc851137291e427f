/**
 * Defines the interface of a database engine, with methods that write batches of events and
 * maintain the database. Creates the storage on an engine.
 *
 * @module
 */
import { CHUNK_MS_MAX } from "./artifacts.ts";
import { type Database, untilAborted } from "./database.ts";
import type { Events, NewEvent } from "./events.ts";
import type { Days } from "./postgres_days.ts";
import { activity } from "./sql/activity.ts";
import { alertRules } from "./sql/alert_rules.ts";
import { alerts } from "./sql/alerts.ts";
import { apiKeys } from "./sql/api_keys.ts";
import { artifacts } from "./sql/artifacts.ts";
import { dashboard } from "./sql/dashboard.ts";
import { events } from "./sql/events.ts";
import { invitations } from "./sql/invitations.ts";
import { issues } from "./sql/issues.ts";
import { merges } from "./sql/merges.ts";
import { organisations } from "./sql/organisations.ts";
import { projects } from "./sql/projects.ts";
import { Purger } from "./sql/purges.ts";
import { releases } from "./sql/releases.ts";
import { sessions } from "./sql/sessions.ts";
import { foldTotals, totals } from "./sql/totals.ts";
import { users } from "./sql/users.ts";
import type { Storage } from "./storage.ts";
import type { StorageHealth, UpkeepReport } from "./upkeep.ts";

/** A database engine: SQLite or PostgreSQL. */
export interface Engine extends Database, Pick<Events, "writeEvents"> {
  readonly kind: StorageHealth["engine"];
  /** The version of the database schema that this engine creates. */
  readonly schema: number;
  /** The day partitions of the events. Undefined on SQLite. */
  readonly days: Days | undefined;
  /** Returns some freed space to the file system. Resolves with whether more can be returned. */
  release?(): Promise<boolean>;
  /** Writes the contents of the write-ahead log into the database file. */
  checkpoint?(): Promise<void>;
  close(): Promise<void>;
}

/**
 * Age in days at which events are deleted while there are no projects. Otherwise, the settings of
 * the projects determine it.
 */
const RETENTION_DAYS = 90;
const DAY_MS = 86_400_000;

/** Time in milliseconds for which a deletion is awaited. Then it continues in the background. */
const PURGE_WAIT_MS = 250;

/** Creates the storage of an open database whose tables exist. */
export function storageOn(engine: Engine): Storage {
  const purger = new Purger(engine);
  const purge = (isDeleted: boolean): Promise<boolean> => purgeSoon(isDeleted, purger);
  const own = {
    ...organisations(engine),
    ...users(engine),
    ...sessions(engine),
    ...invitations(engine),
    ...apiKeys(engine),
    ...alertRules(engine),
    ...alerts(engine),
    ...artifacts(engine),
    ...totals(engine),
    writeEvents: (batch: readonly NewEvent[]) => engine.writeEvents(batch),
    upkeep: (now: number) => upkeep(engine, purger, now),
    health: () => health(engine),
    close: async () => {
      await purger.stop();
      await engine.close();
    },
  };
  const on = (db: Database): Storage => {
    const [someProjects, someIssues] = [projects(db), issues(db)];
    const someMerges = merges(db);
    const moved = async <T extends { readonly ok: boolean }>(done: Promise<T>): Promise<T> => {
      const result = await done;
      // Also purges if an earlier move of events is not finished, because that move may have
      // failed.
      await purgeSoon(true, purger);
      return result;
    };
    return {
      ...own,
      ...someProjects,
      ...someIssues,
      ...someMerges,
      ...activity(db),
      ...releases(db),
      ...events(db),
      ...dashboard(db),
      deleteProject: async (orgId, id) => purge(await someProjects.deleteProject(orgId, id)),
      deleteIssue: async (orgId, id) => purge(await someIssues.deleteIssue(orgId, id)),
      mergeIssues: (...args) => moved(someMerges.mergeIssues(...args)),
      splitIssue: (...args) => moved(someMerges.splitIssue(...args)),
      until: (signal) => on(untilAborted(engine, signal)),
    };
  };
  return on(engine);
}

/** Starts a purge of deleted rows, and waits at most `PURGE_WAIT_MS` for its end. */
async function purgeSoon(isDeleted: boolean, purger: Purger): Promise<boolean> {
  if (!isDeleted) return false;
  let timer: ReturnType<typeof setTimeout> | undefined;
  // A failed purge is retried by `upkeep`.
  const done = purger.run().catch(() => {});
  await Promise.race([done, new Promise((wake) => timer = setTimeout(wake, PURGE_WAIT_MS))]);
  clearTimeout(timer);
  return true;
}

async function upkeep(engine: Engine, purger: Purger, now: number): Promise<UpkeepReport> {
  const { days } = engine;
  await purger.run();
  const projects = await engine.rows<{ readonly id: string; readonly days: number }>(
    "SELECT id, retention_days AS days FROM projects",
  );
  const partitionsCreated = await days?.ahead(now) ?? 0;
  const longest = projects.length === 0
    ? RETENTION_DAYS
    : Math.max(...projects.map((project) => project.days));
  const dropped = await days?.dropBefore(now - longest * DAY_MS);
  let eventsDeleted = dropped?.events ?? 0;
  await engine.change("DELETE FROM upload_chunks WHERE created_at < $1", now - CHUNK_MS_MAX);
  for (const project of projects) {
    await engine.change(
      "DELETE FROM artifacts WHERE project_id = $1 AND created_at < $2",
      project.id,
      now - project.days * DAY_MS,
    );
    eventsDeleted += await deleteBefore(engine, project.id, now - project.days * DAY_MS);
  }
  await engine.change("DELETE FROM invitations WHERE expires_at <= $1", now);
  await engine.change("DELETE FROM password_resets WHERE expires_at <= $1", now);
  await foldTotals(engine, now);
  const sessionsDeleted = await engine.change("DELETE FROM sessions WHERE expires_at <= $1", now);
  if (eventsDeleted > 0) await engine.checkpoint?.();
  return {
    eventsDeleted,
    sessionsDeleted,
    partitionsCreated,
    partitionsDropped: dropped?.partitions ?? 0,
  };
}

/**
 * Deletes the events of a project that were received before a time. Works in small transactions, so
 * that no other query waits long.
 */
async function deleteBefore(engine: Engine, projectId: string, time: number): Promise<number> {
  let all = 0;
  for (let isLast = false; !isLast;) {
    const slice = await engine.transaction((query) =>
      engine.dialect.deleteEvents(query, "project_id", projectId, time)
    );
    all += slice.deleted;
    isLast = slice.isLast;
    if (slice.deleted > 0) await engine.release?.();
  }
  return all;
}

async function health(engine: Engine): Promise<StorageHealth> {
  const began = performance.now();
  let problem: string | null = null;
  try {
    await engine.row("SELECT count(*) AS count FROM organisations");
  } catch (error) {
    problem = error instanceof Error ? error.message : String(error);
  }
  return {
    ok: problem === null,
    engine: engine.kind,
    schema: engine.schema,
    latencyMs: performance.now() - began,
    problem,
  };
}
