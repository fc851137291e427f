/**
 * An engine: a database that also writes batches of events and looks after itself; and the storage that any
 * engine makes.
 *
 * @module
 */
import type { Database } from "./database.ts";
import type { Events } from "./events.ts";
import type { Days } from "./postgres_days.ts";
import { alertRules } from "./sql/alert_rules.ts";
import { alerts } from "./sql/alerts.ts";
import { apiKeys } from "./sql/api_keys.ts";
import { dashboard } from "./sql/dashboard.ts";
import { events } from "./sql/events.ts";
import { issues } from "./sql/issues.ts";
import { organisations } from "./sql/organisations.ts";
import { projects } from "./sql/projects.ts";
import { sessions } from "./sql/sessions.ts";
import { users } from "./sql/users.ts";
import type { Storage } from "./storage.ts";
import type { StorageHealth, UpkeepReport } from "./upkeep.ts";

/** SQLite or PostgreSQL. */
export interface Engine extends Database, Pick<Events, "writeEvents"> {
  readonly kind: StorageHealth["engine"];
  /** The version of the schema that it has made. */
  readonly schema: number;
  /** Its partitions, if it has any. */
  readonly days: Days | undefined;
  close(): Promise<void>;
}

/** Without any project this is kept for so long. */
const RETENTION_DAYS = 90;
const DAY_MS = 86_400_000;

/** The storage in a database that is open and has its tables. */
export function storageOn(engine: Engine): Storage {
  return {
    ...organisations(engine),
    ...users(engine),
    ...sessions(engine),
    ...projects(engine),
    ...apiKeys(engine),
    ...issues(engine),
    ...events(engine),
    ...dashboard(engine),
    ...alertRules(engine),
    ...alerts(engine),
    writeEvents: (batch) => engine.writeEvents(batch),
    upkeep: (now) => upkeep(engine, now),
    health: () => health(engine),
    close: () => engine.close(),
  };
}

async function upkeep(engine: Engine, now: number): Promise<UpkeepReport> {
  const { days } = engine;
  const projects = await engine.rows<{ readonly id: string; readonly days: number }>(
    "SELECT id, retention_days AS days FROM projects",
  );
  const partitionsCreated = await days?.ahead(now) ?? 0;
  const longest = projects.length === 0
    ? RETENTION_DAYS
    : Math.max(...projects.map((project) => project.days));
  const dropped = await days?.dropBefore(now - longest * DAY_MS);
  let eventsDeleted = dropped?.events ?? 0;
  for (const project of projects) {
    eventsDeleted += await deleteBefore(engine, project.id, now - project.days * DAY_MS);
  }
  const sessionsDeleted = await engine.change("DELETE FROM sessions WHERE expires_at <= $1", now);
  return {
    eventsDeleted,
    sessionsDeleted,
    partitionsCreated,
    partitionsDropped: dropped?.partitions ?? 0,
  };
}

/** Some at a time, so that nobody waits for all of it. */
async function deleteBefore(engine: Engine, projectId: string, time: number): Promise<number> {
  const { oldEvents, oldEventsMax, deleteEvents } = engine.dialect;
  const condition = oldEvents(oldEventsMax);
  let all = 0;
  for (let deleted = oldEventsMax; deleted === oldEventsMax; all += deleted) {
    deleted = await deleteEvents(engine, condition, projectId, time);
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
