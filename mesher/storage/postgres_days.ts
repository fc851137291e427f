/**
 * Creates and drops the daily partitions of PostgreSQL's events. They are created ahead of time or
 * when needed, and dropped when the whole day is older than every project's retention.
 *
 * @module
 */
import type { Database, Query } from "./database.ts";

/** Number of days after today whose partitions are prepared. */
export const DAYS_AHEAD = 7;

const DAY_MS = 86_400_000;
/** The key of the advisory lock for creating partitions. */
const DAYS_LOCK = 0x6d736864;
/**
 * Maximum time to wait for the lock that dropping a day's partition needs, in milliseconds. The
 * time is short, because all new queries of that day wait meanwhile.
 */
const DROP_LOCK_MS = 2_000;
/** Time limit for dropping a day's partition, in milliseconds. Then the next round tries again. */
const DROP_MS_MAX = 600_000;

/** Creates and drops the daily partitions of one database. */
export class Days {
  readonly #db: Database;
  /** The days since the epoch whose partitions are known to exist. */
  readonly #seen = new Set<number>();

  constructor(db: Database) {
    this.#db = db;
  }

  /** Creates the missing partitions of today and the next days. Returns how many were missing. */
  ahead(now: number): Promise<number> {
    const today = dayOf(now);
    return this.#make(Array.from({ length: DAYS_AHEAD + 1 }, (_, i) => today + i));
  }

  /** Creates the partitions for these times, if they are missing. */
  async need(times: readonly number[]): Promise<void> {
    const days = [...new Set(times.map(dayOf))].filter((day) => !this.#seen.has(day));
    if (days.length > 0) await this.#make(days);
  }

  /** Clears the cache of known partitions, because one of them was dropped. */
  forget(): void {
    this.#seen.clear();
  }

  /** Drops the partitions of days that ended before `time`, with their events. */
  async dropBefore(
    time: number,
  ): Promise<{ readonly partitions: number; readonly events: number }> {
    let [partitions, events] = [0, 0];
    const tables = await this.#db.rows<{ readonly name: string }>(
      `SELECT c.relname AS name FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid
       WHERE i.inhparent = CAST('events' AS regclass) ORDER BY c.relname`,
    );
    for (const { name } of tables) {
      const day = dayNamed(name);
      if (day === null || (day + 1) * DAY_MS > time) continue;
      const gone = await this.#db.transaction((query) => drop(query, name)).catch(ignoreBusy);
      if (gone === null) continue;
      this.#seen.delete(day);
      partitions++;
      events += gone;
    }
    return { partitions, events };
  }

  async #make(days: readonly number[]): Promise<number> {
    const made = await this.#db.transaction(async (query) => {
      // The lock is needed because two concurrent creations of the same partition would fail.
      await query.row(`SELECT pg_advisory_xact_lock(${DAYS_LOCK})`);
      let made = 0;
      for (const day of days) if (await make(query, day)) made++;
      return made;
    });
    for (const day of days) this.#seen.add(day);
    return made;
  }
}

/**
 * Creates a day's partition if it is missing. Its name and bounds are numbers, so they are safe in
 * the statement.
 */
async function make(query: Query, day: number): Promise<boolean> {
  const name = nameOf(day);
  const found = await query.row<{ readonly found: boolean }>(
    `SELECT to_regclass('${name}') IS NOT NULL AS found`,
  );
  if (found!.found) return false;
  // Created separately and attached, which does not block readers and writers of other days.
  await query.change(
    `CREATE TABLE ${name} (LIKE events INCLUDING DEFAULTS INCLUDING COMPRESSION)`,
  );
  await query.change(
    `ALTER TABLE events ATTACH PARTITION ${name}
     FOR VALUES FROM (${day * DAY_MS}) TO (${(day + 1) * DAY_MS})`,
  );
  return true;
}

/** Drops a partition, and returns the number of events that it contained. */
async function drop(query: Query, name: string): Promise<number> {
  await query.change(`SET LOCAL lock_timeout = ${DROP_LOCK_MS}`);
  await query.row(`SELECT pg_advisory_xact_lock(${DAYS_LOCK})`);
  const there = await query.row<{ readonly there: boolean }>(
    `SELECT to_regclass('${name}') IS NOT NULL AS there`,
  );
  if (!there!.there) return 0;
  // A day may have a million events. Nothing waits for this statement, so it has a longer time
  // limit.
  await query.change(`SET LOCAL statement_timeout = ${DROP_MS_MAX}`);
  // All rows of the partition are read, for which a sequential scan is fastest.
  await query.change("SET LOCAL enable_seqscan = on");
  const usage = await query.rows<{ id: string; events: number; bytes: number }>(
    `SELECT project_id AS id, count(*) AS events, CAST(sum(coalesce(bytes, 2048)) AS bigint) AS bytes
     FROM ${name} GROUP BY 1 ORDER BY 1`,
  );
  const events = await query.change(
    `DELETE FROM event_ids k USING ${name} e WHERE k.id = e.id AND k.project_id = e.project_id`,
  );
  await query.change(`ALTER TABLE events DETACH PARTITION ${name}`);
  await query.change(`DROP TABLE ${name}`);
  // The usage of the projects is updated last, because their writers wait for these rows until the
  // transaction ends.
  for (const { id, events, bytes } of usage) {
    await query.change(
      "UPDATE project_usage SET events = events - $2, bytes = bytes - $3 WHERE project_id = $1",
      id,
      events,
      bytes,
    );
  }
  return events;
}

/**
 * Ignores the error that a partition is in use. The next round of maintenance tries to drop it
 * again.
 */
function ignoreBusy(error: { readonly retry?: boolean }): null {
  if (error.retry === true) return null;
  throw error;
}

function dayOf(time: number): number {
  return Math.floor(time / DAY_MS);
}

function nameOf(day: number): string {
  return `events_${new Date(day * DAY_MS).toISOString().slice(0, 10).replaceAll("-", "")}`;
}

/** Returns the day in the name of a partition, or null for any other name. */
function dayNamed(name: string): number | null {
  const [, year, month, date] = /^events_(\d{4})(\d\d)(\d\d)$/.exec(name) ?? [];
  return year === undefined ? null : Date.UTC(+year, +month! - 1, +date!) / DAY_MS;
}
