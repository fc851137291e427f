/**
 * Fills a database with many events in a minute or two. A part is written through the storage, as
 * nodes write events. The database then copies these events, each with a new id and with its words
 * in the index.
 *
 * @module
 */
import { DatabaseSync } from "node:sqlite";
import postgres from "postgres@3.4.9";
import { newId } from "../../mesher/domain/id.ts";
import { validateEvent } from "../../mesher/domain/validate.ts";
import { wordsOf } from "../../mesher/domain/words.ts";
import { sampleEvent } from "../../mesher/load/sample.ts";
import { rowOf } from "../../mesher/pipeline/accepted.ts";
import type { NewEvent } from "../../mesher/storage/events.ts";
import { columnsOf } from "../../mesher/storage/rows.ts";
import type { Storage } from "../../mesher/storage/storage.ts";

const DAY_MS = 86_400_000;
/**
 * Number of events that the storage writes. All further events are copies of these, made with SQL.
 */
const WRITTEN = 5_000;
/**
 * Number of days over which the new events are spread. The old events are spread over the same
 * number of days.
 */
const DAYS = 10;
/** Age of the newest of the old events, in days. */
const OLD_DAYS = 60;
/** Number of copies of all written events that one transaction inserts. */
const COPIES = 10;

/**
 * Stores `count` events of a project, half of them old. `database` is a file or a `postgres://…`
 * URL.
 */
export async function fill(
  storage: Storage,
  database: string,
  projectId: string,
  count: number,
): Promise<void> {
  const rows = samples(projectId, Math.min(count, WRITTEN));
  await storage.writeEvents(rows);
  const copies = Math.floor(count / rows.length) - 1;
  if (copies < 1) return;
  if (/^postgres/.test(database)) await copyPostgres(database, copies);
  else copySqlite(database, rows, copies);
}

function samples(projectId: string, count: number): NewEvent[] {
  return Array.from({ length: count }, (_, i) => {
    const days = 1 + i % DAYS + (i % 2 === 0 ? OLD_DAYS : 0);
    const at = Math.floor(Date.now() / DAY_MS - days) * DAY_MS + i * 1_000;
    const valid = validateEvent(sampleEvent(Math.random), { now: at, newId: () => newId(at) });
    if (!valid.ok) throw new Error(valid.reason);
    return rowOf({ projectId, receivedAt: at, event: { ...valid.event, id: newId(at) } });
  });
}

function copySqlite(path: string, rows: readonly NewEvent[], copies: number): void {
  const db = new DatabaseSync(path);
  try {
    db.exec("PRAGMA busy_timeout = 30000; PRAGMA synchronous = OFF; PRAGMA cache_size = -262144");
    db.exec("CREATE TEMP TABLE written (id TEXT PRIMARY KEY, words TEXT NOT NULL)");
    const keep = db.prepare("INSERT INTO written VALUES (?, ?)");
    db.exec("BEGIN");
    for (const { id, searched, marks } of rows.map(columnsOf)) {
      keep.run(id, `${wordsOf(searched).join(" ")} ${marks}`);
    }
    db.exec("COMMIT");
    const columns = db.prepare("SELECT name FROM pragma_table_info('events')").all()
      .map(({ name }) => name as string)
      .filter((name) => !["number", "id", "received_at"].includes(name)).join(", ");
    const copied = `FROM written w JOIN events e ON e.id = w.id, copy
      ORDER BY copy.n, e.number`;
    for (let from = 1; from <= copies; from += COPIES) {
      const numbers = `WITH RECURSIVE copy (n) AS (SELECT ${from} UNION ALL
        SELECT n + 1 FROM copy WHERE n < ${Math.min(copies, from + COPIES - 1)})`;
      db.exec(`BEGIN;
        INSERT INTO events (number, id, received_at, ${columns}) ${numbers}
          SELECT e.number + copy.n * ${rows.length},
            substr(e.id, 1, 24) || printf('%012x', e.number + copy.n * ${rows.length}),
            e.received_at + copy.n * 7, ${columns} ${copied};
        INSERT INTO event_words (rowid, words) ${numbers}
          SELECT e.number + copy.n * ${rows.length}, w.words ${copied};
        COMMIT`);
    }
    db.exec(
      `UPDATE project_usage SET events = events * ${copies + 1}, bytes = bytes * ${copies + 1};
      UPDATE issues SET event_count = event_count * ${copies + 1};
      PRAGMA wal_checkpoint(TRUNCATE)`,
    );
  } finally {
    db.close();
  }
}

async function copyPostgres(url: string, copies: number): Promise<void> {
  const sql = postgres(url, { max: 1, onnotice: () => {} });
  try {
    const columns = (await sql.unsafe(
      `SELECT attname AS name FROM pg_attribute WHERE attrelid = 'events'::regclass AND attnum > 0
         AND NOT attisdropped AND attname NOT IN ('id', 'received_at')`,
    )).map(({ name }) => name as string).join(", ");
    await sql.unsafe("CREATE TEMP TABLE written AS SELECT * FROM events");
    // Drops the largest index, which is created again in one step after the copies.
    await sql.unsafe("DROP INDEX events_by_words");
    for (let from = 1; from <= copies; from += COPIES) {
      await sql.unsafe(
        `WITH made AS (
           INSERT INTO events (id, received_at, ${columns})
           SELECT gen_random_uuid(), received_at + n * 7, ${columns}
           FROM written, generate_series(${from}, ${
          Math.min(copies, from + COPIES - 1)
        }) AS copy (n)
           RETURNING id, project_id, received_at
         ) INSERT INTO event_ids (id, project_id, received_at)
           SELECT id, project_id, received_at FROM made`,
      );
    }
    await sql.unsafe("SET maintenance_work_mem = '512MB'");
    await sql.unsafe("CREATE INDEX events_by_words ON events USING gin (words)");
    await sql.unsafe(
      `UPDATE project_usage SET events = events * ${copies + 1}, bytes = bytes * ${copies + 1}`,
    );
    await sql.unsafe(`UPDATE issues SET event_count = event_count * ${copies + 1}`);
    // PostgreSQL would do this by itself, but some time after the inserts.
    await sql.unsafe("VACUUM ANALYZE");
    await sql.unsafe("CHECKPOINT");
  } finally {
    await sql.end();
  }
}
