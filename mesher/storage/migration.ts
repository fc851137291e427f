/**
 * Copies a SQLite file to PostgreSQL: all rows of all tables, in one transaction.
 *
 *     tables      row by row as JSON, which PostgreSQL converts to the types of its columns
 *     events      in the same way, with new words; the partitions of their days are created before
 *     event_ids   filled from the events
 *
 * The file is read in one consistent state. It is not changed, unless an earlier version created
 * it: then its tables are updated first.
 *
 * @module
 */
import { Buffer } from "node:buffer";
import { existsSync } from "node:fs";
import { DatabaseSync } from "node:sqlite";
import type { MesherEvent } from "../domain/event.ts";
import { groupingOf } from "../domain/fingerprint.ts";
import { wordsOf } from "../domain/words.ts";
import type { Query } from "./database.ts";
import { StorageError } from "./error.ts";
import { Postgres } from "./postgres.ts";
import { columnsOf } from "./rows.ts";
import { openSqlite } from "./sqlite.ts";

/** Maximum number of rows in one statement. */
const ROWS = 1_000;
/** Maximum number of characters in one statement. */
const CHARS = 8_388_608;
const EVENTS = "events";
/** The column with an event's words, which only PostgreSQL has. SQLite has a table instead. */
const WORDS = "words";
/**
 * Matches the tables that are not copied row by row: those of SQLite itself, the words, and the
 * events, which are copied with their words.
 */
const LEFT_OUT = /^(?:sqlite_|event_words|events$)/;

type Row = Record<string, string | number | null | Uint8Array>;

/**
 * Copies the file into an empty database. Resolves with the number of copied rows of each table.
 */
export async function migrateToPostgres(
  file: string,
  url: string,
): Promise<readonly (readonly [table: string, count: number])[]> {
  if (!existsSync(file)) throw new StorageError(`there is no ${file}`, false);
  await (await openSqlite({ path: file })).close();
  const db = new DatabaseSync(file);
  const postgres = new Postgres({ url });
  try {
    db.exec("BEGIN");
    await postgres.migrate();
    await postgres.days.ahead(postgres.now());
    await postgres.days.need(daysOf(db));
    return await postgres.transaction((query) => copy(db, query));
  } finally {
    await postgres.close();
    db.close();
  }
}

async function copy(
  db: DatabaseSync,
  query: Query,
): Promise<(readonly [table: string, count: number])[]> {
  const there = await query.row<{ readonly count: number }>("SELECT count(*) AS count FROM users");
  if (there!.count > 0) {
    throw new StorageError("the PostgreSQL database has accounts already: use an empty one", false);
  }
  await query.change("SET LOCAL statement_timeout = 0");
  await query.change("SET LOCAL enable_seqscan = on");
  const copied: (readonly [string, number])[] = [];
  for (const table of await tablesOf(db, query)) {
    const columns = await columnTypes(db, query, table);
    copied.push([table, await copyTable(query, table, columns, rowsOf(db, table))]);
  }
  const types = await columnTypes(db, query, EVENTS);
  const count = await copyTable(query, EVENTS, types, eventsOf(db));
  await query.change(
    "INSERT INTO event_ids (id, project_id, received_at) SELECT id, project_id, received_at FROM events",
  );
  copied.push([EVENTS, count]);
  return copied;
}

/** Returns the tables in the order of their creation, so that referenced rows are copied first. */
async function tablesOf(db: DatabaseSync, query: Query): Promise<string[]> {
  const made = db.prepare("SELECT name FROM sqlite_schema WHERE type = 'table' ORDER BY rowid")
    .all()
    .map(({ name }) => name as string).filter((name) => !LEFT_OUT.test(name));
  const known = await query.rows<{ readonly name: string }>(
    "SELECT c.relname AS name FROM pg_class c WHERE c.relkind = 'r' AND c.relnamespace = CAST(current_schema() AS regnamespace)",
  );
  const missing = made.find((name) => !known.some((table) => table.name === name));
  if (missing !== undefined) throw new StorageError(`PostgreSQL has no table ${missing}`, false);
  return made;
}

/** Returns the type of each copied column. */
async function columnTypes(
  db: DatabaseSync,
  query: Query,
  table: string,
): Promise<Map<string, string>> {
  const rows = await query.rows<{ readonly name: string; readonly type: string }>(
    `SELECT a.attname AS name, format_type(a.atttypid, NULL) AS type FROM pg_attribute a
     WHERE a.attrelid = CAST('${table}' AS regclass) AND a.attnum > 0 AND NOT a.attisdropped`,
  );
  const there = db.prepare("SELECT name FROM pragma_table_info(?)").all(table)
    .map(({ name }) => name as string);
  const copied = rows.filter(({ name }) => there.includes(name) || name === WORDS);
  return new Map(copied.map(({ name, type }) => [name, type]));
}

async function copyTable(
  query: Query,
  table: string,
  types: ReadonlyMap<string, string>,
  rows: Iterable<Row>,
): Promise<number> {
  const names = [...types.keys()].join(", ");
  let [count, chars, waiting] = [0, 0, [] as string[]];
  const write = async (): Promise<void> => {
    if (waiting.length === 0) return;
    await query.change(
      `INSERT INTO ${table} (${names}) SELECT ${names}
       FROM json_populate_recordset(CAST(NULL AS ${table}), CAST(CAST($1 AS text) AS json))`,
      `[${waiting.join(",")}]`,
    );
    count += waiting.length;
    waiting = [];
    chars = 0;
  };
  for (const row of rows) {
    const json = jsonOf(row, types);
    waiting.push(json);
    chars += json.length;
    if (waiting.length >= ROWS || chars >= CHARS) await write();
  }
  await write();
  return count;
}

/** Returns a row as JSON. JSON columns are inserted unchanged. */
function jsonOf(row: Row, types: ReadonlyMap<string, string>): string {
  const fields = Object.entries(row).filter(([name]) => types.has(name)).map(([name, value]) => {
    const isJson = typeof value === "string" && /^jsonb?$/.test(types.get(name)!);
    // Formats bytes as PostgreSQL reads them from a text.
    const plain = value instanceof Uint8Array ? `\\x${Buffer.from(value).toString("hex")}` : value;
    return `${JSON.stringify(name)}:${isJson ? value : JSON.stringify(plain)}`;
  });
  return `{${fields.join(",")}}`;
}

function rowsOf(db: DatabaseSync, table: string): Iterable<Row> {
  return db.prepare(`SELECT * FROM ${table}`).iterate() as Iterable<Row>;
}

function* eventsOf(db: DatabaseSync): Iterable<Row> {
  for (const row of rowsOf(db, EVENTS)) {
    const event = JSON.parse(row["payload"] as string) as MesherEvent;
    const { searched, marks } = columnsOf({
      projectId: row["project_id"] as string,
      fingerprint: row["fingerprint"] as string,
      title: row["title"] as string,
      culprit: groupingOf(event).culprit,
      receivedAt: row["received_at"] as number,
      event,
    });
    const words = new Set([...wordsOf(searched), ...marks.split(" ")].filter(Boolean));
    yield { ...row, [WORDS]: [...words].map((word) => `'${word}'`).join(" ") };
  }
}

/** Returns a time on each day that has events. */
function daysOf(db: DatabaseSync): number[] {
  return db.prepare("SELECT DISTINCT received_at / 86400000 * 86400000 AS day FROM events").all()
    .map(({ day }) => day as number);
}
