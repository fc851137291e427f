/**
 * Storage in SQLite, which both runtimes include (`node:sqlite`), so that nothing must be
 * installed.
 *
 * No statement runs on the main thread. A node has three threads with a connection each, started
 * when first needed, so that no statement waits for a slower kind:
 *
 *     writer    batches of events, and everything else that writes
 *     reader    lookups by a key: the user, the project, one issue
 *     scanner   lists, searches and counts; requests take turns, statement by statement
 *
 * Writes are serialised; reads see the last committed state. Several processes may share one file:
 * WAL allows reads during a write; a process that finds the file locked waits.
 *
 * Written data survives a crash of the process and of the machine, because a transaction waits for
 * the disk: the events of a batch share this wait, so it costs little per event. Without
 * `fullSync`, a power failure may lose the last transactions, each as a whole.
 *
 * An in-memory database is on the main thread, because no other thread can access it.
 *
 * @module
 */
import { assert } from "../domain/assert.ts";
import type { Dialect, Query, Value } from "./database.ts";
import { type Engine, storageOn } from "./engine.ts";
import { columnsOf } from "./rows.ts";
import { SqliteConnection } from "./sqlite_connection.ts";
import { isBusy } from "./sqlite_error.ts";
import { keepToOwner } from "./sqlite_file.ts";
import { BUSY_MS_MAX } from "./sqlite_modes.ts";
import { SQLITE_STEPS } from "./sqlite_schema.ts";
import { SqliteThread } from "./sqlite_thread.ts";
import { StorageError } from "./error.ts";
import { type EventOutcome, type NewEvent, WRITE_EVENTS_MAX } from "./events.ts";
import type { Storage } from "./storage.ts";
import { SharedLock } from "./shared_lock.ts";

/** Options of SQLite storage. */
export interface SqliteOptions {
  /** The path of the file, or `:memory:`. */
  readonly path: string;
  /** Whether to wait for the disk at each transaction. Default: true. */
  readonly fullSync?: boolean | undefined;
  /** Returns the time, in milliseconds since the epoch. Default: the system's clock. */
  readonly now?: (() => number) | undefined;
}

/** Number of pages that are returned to the file system after a portion of deletions: 8 MiB. */
const VACUUM_PAGES = 1_024;
/** Maximum number of events deleted in one transaction. */
const DELETED_MAX = 500;

const DIALECT: Dialect = {
  // Rows need no locks, because the transactions of the one writer are exclusive.
  forUpdate: "",
  tagsHold: (param) =>
    `NOT EXISTS (SELECT 1 FROM json_each(${param}) AS want WHERE NOT EXISTS (
       SELECT 1 FROM json_each(e.tags) AS tag
       WHERE tag.key = want.key AND tag.value = want.value))`,
  wordsMatch: (param, slice) =>
    `e.number IN (SELECT rowid FROM event_words WHERE event_words MATCH ${param}${
      slice === undefined ? "" : ` AND rowid BETWEEN
            (SELECT min(number) FROM events WHERE project_id = ${slice.project}
               AND received_at >= ${slice.from} AND received_at < ${slice.until}) AND
            (SELECT max(number) FROM events WHERE project_id = ${slice.project}
               AND received_at >= ${slice.from} AND received_at < ${slice.until})`
    })`,
  wordsQuery: ({ words, marks }) =>
    [
      ...marks.map((mark) => `"${mark}"`),
      ...words.map((word, i) => i === words.length - 1 ? `"${word}"*` : `"${word}"`),
    ].join(" AND "),
  isRare: async (db, query, max) => {
    const rows = await db.scan(
      "SELECT 1 FROM event_words WHERE event_words MATCH $1 LIMIT $2",
      [query, max + 1],
    );
    return rows.length <= max;
  },
  tagPairs: "json_each(e.tags) AS tag",
  eventById: (param) => `FROM events e WHERE e.id = ${param}`,
  // Deletes few events at a time, so that writers can run in between.
  async deleteEvents(query, column, value, before) {
    const doomed = await query.rows<{ number: number; project_id: string; bytes: number }>(
      `SELECT number, project_id, coalesce(bytes, octet_length(payload)) AS bytes FROM events
       WHERE ${column} = $1${before === null ? "" : " AND received_at < $2"} LIMIT ${DELETED_MAX}`,
      ...(before === null ? [value] : [value, before]),
    );
    if (doomed.length === 0) return { deleted: 0, isLast: true };
    await query.change(
      "DELETE FROM events WHERE number IN (SELECT value FROM json_each($1))",
      JSON.stringify(doomed.map(({ number }) => number)),
    );
    await query.change(
      "UPDATE project_usage SET events = events - $2, bytes = bytes - $3 WHERE project_id = $1",
      doomed[0]!.project_id,
      doomed.length,
      doomed.reduce((sum, { bytes }) => sum + bytes, 0),
    );
    return { deleted: doomed.length, isLast: doomed.length < DELETED_MAX };
  },
};

/** Opens the database, and creates or updates its tables. */
export async function openSqlite(options: SqliteOptions): Promise<Storage> {
  const sqlite = new Sqlite(options);
  try {
    await sqlite.prepare();
  } catch (error) {
    await sqlite.close();
    throw error;
  }
  return storageOn(sqlite);
}

/** An object that runs statements: a thread, or a connection on this thread. */
type Lane = Pick<SqliteThread, "rows" | "change" | "exec" | "write" | "close">;

/** SQLite as an engine: the threads of a process. */
class Sqlite implements Engine {
  readonly kind = "sqlite";
  readonly schema: number = SQLITE_STEPS.length;
  readonly dialect: Dialect = DIALECT;
  readonly days = undefined;
  readonly signal = undefined;
  readonly now: () => number;
  readonly #writer: Lane;
  readonly #reader: Lane;
  readonly #scanner: Lane;
  /** The lock for writes. Batches hold it as readers, and all other writes hold it exclusively. */
  readonly #lock = new SharedLock();
  /**
   * The open transaction of a database in memory, whose only connection is shared. Settles when it
   * ends.
   */
  #open: Promise<unknown> | undefined;
  #closed: Promise<void> | undefined;

  constructor({ path, fullSync = true, now = Date.now }: SqliteOptions) {
    this.now = now;
    const file = { path, fullSync };
    if (path === ":memory:") {
      this.#writer = this.#reader = this.#scanner = onThisThread(new SqliteConnection(file));
      return;
    }
    try {
      keepToOwner(path);
    } catch (error) {
      const words = error instanceof Error ? error.message : String(error);
      throw new StorageError(`SQLite cannot open ${path}: ${words}`, false, error);
    }
    this.#writer = new SqliteThread(file);
    this.#reader = new SqliteThread(file);
    this.#scanner = new SqliteThread(file);
  }

  rows<Row>(sql: string, ...params: Value[]): Promise<Row[]> {
    return sql.startsWith("SELECT")
      ? this.#read<Row>(this.#reader, sql, params)
      : this.#exclusive(() => this.#writer.rows<Row>(sql, params));
  }

  async row<Row>(sql: string, ...params: Value[]): Promise<Row | undefined> {
    return (await this.rows<Row>(sql, ...params))[0];
  }

  change(sql: string, ...params: Value[]): Promise<number> {
    return this.#exclusive(() => this.#writer.change(sql, params));
  }

  scan<Row>(sql: string, params: readonly Value[], signal?: AbortSignal): Promise<Row[]> {
    return this.#read<Row>(this.#scanner, sql, params, signal);
  }

  transaction<T>(body: (query: Query) => Promise<T>): Promise<T> {
    const writer = this.#writer;
    const rows = <Row>(sql: string, ...params: Value[]) => writer.rows<Row>(sql, params);
    const query: Query = {
      rows,
      row: async <Row>(sql: string, ...params: Value[]) => (await rows<Row>(sql, ...params))[0],
      change: (sql, ...params) => writer.change(sql, params),
    };
    return this.#inTransaction(() => body(query));
  }

  writeEvents(batch: readonly NewEvent[]): Promise<readonly EventOutcome[]> {
    assert(batch.length <= WRITE_EVENTS_MAX, `a batch of ${batch.length} events`);
    if (this.#closed !== undefined) return rejectClosed();
    if (batch.length === 0) return Promise.resolve([]);
    const rows = batch.map(columnsOf);
    return this.#lock.shared(() => this.#writer.write(rows, this.now()));
  }

  /** Runs the steps of the schema that were not run on this database yet. */
  async prepare(): Promise<void> {
    await this.#inTransaction(async () => {
      const [found] = await this.#writer.rows<{ user_version: number }>("PRAGMA user_version", []);
      const version = found!.user_version;
      if (version > SQLITE_STEPS.length) {
        throw new StorageError(
          `the file has schema ${version}, this program knows ${SQLITE_STEPS.length}`,
          false,
        );
      }
      for (const step of SQLITE_STEPS.slice(version)) await this.#writer.exec(step);
      await this.#writer.exec(`PRAGMA user_version = ${SQLITE_STEPS.length}`);
    });
  }

  /**
   * Returns freed pages to the file system, some at a time. Resolves with whether there are more.
   */
  async release(): Promise<boolean> {
    const [free] = await this.rows<{ n: number }>(
      "SELECT freelist_count AS n FROM pragma_freelist_count, pragma_auto_vacuum WHERE auto_vacuum = 2",
    );
    if (free === undefined || free.n === 0) return false;
    // Each row that is read frees a page, so all rows are read. `exec` of some runtimes reads only
    // the first one.
    await this.#exclusive(() =>
      this.#writer.rows(`PRAGMA incremental_vacuum(${VACUUM_PAGES})`, [])
    );
    return free.n > VACUUM_PAGES;
  }

  /** Checkpoints the log into the database file, and truncates it. */
  async checkpoint(): Promise<void> {
    await this.#exclusive(() => this.#writer.rows("PRAGMA wal_checkpoint(TRUNCATE)", []));
  }

  close(): Promise<void> {
    return this.#closed ??= this.#lock.exclusive(async () => {
      // The writer is closed last, because SQLite removes its log with the last connection.
      const lanes = new Set([this.#scanner, this.#reader, this.#writer]);
      for (const lane of lanes) await lane.close();
    });
  }

  /**
   * Runs a query. On a separate connection, the query sees the last committed state. On the
   * connection of the writer, the query waits for the end of the open transaction.
   */
  async #read<Row>(
    lane: Lane,
    sql: string,
    params: readonly Value[],
    signal?: AbortSignal,
  ): Promise<Row[]> {
    if (this.#closed !== undefined) return await rejectClosed();
    while (this.#open !== undefined && lane === this.#writer) await this.#open;
    return await lane.rows<Row>(sql, params, signal);
  }

  #exclusive<T>(run: () => Promise<T>): Promise<T> {
    if (this.#closed !== undefined) return rejectClosed();
    return this.#lock.exclusive(() => retryWhileLocked(run));
  }

  /** Runs `body` in an exclusive transaction, which is rolled back if it rejects. */
  #inTransaction<T>(body: () => Promise<T>): Promise<T> {
    if (this.#closed !== undefined) return rejectClosed();
    return this.#lock.exclusive(async () => {
      await retryWhileLocked(() => this.#writer.exec("BEGIN IMMEDIATE"));
      const ended = this.#ended(body);
      this.#open = ended.then(() => {}, () => {});
      try {
        return await ended;
      } finally {
        this.#open = undefined;
      }
    });
  }

  /** Runs `body`, and commits the open transaction. Rolls it back if `body` rejects. */
  async #ended<T>(body: () => Promise<T>): Promise<T> {
    try {
      const value = await body();
      await this.#writer.exec("COMMIT");
      return value;
    } catch (error) {
      // After some failures, such as a full disk, SQLite has already rolled the transaction back.
      await this.#writer.exec("ROLLBACK").catch(() => {});
      throw error;
    }
  }
}

/** Runs a function, and repeats it while another process has locked the file. */
async function retryWhileLocked<T>(run: () => Promise<T>): Promise<T> {
  const deadline = performance.now() + BUSY_MS_MAX;
  for (let waitMs = 1;; waitMs = Math.min(25, waitMs * 2)) {
    try {
      return await run();
    } catch (error) {
      if (!isBusy(error) || performance.now() > deadline) throw error;
    }
    // The delay is random: otherwise, two processes could block each other for a long time.
    await new Promise((wake) => setTimeout(wake, waitMs * (0.5 + Math.random())));
  }
}

/** Returns an object that runs statements on a connection of this thread. */
function onThisThread(connection: SqliteConnection): Lane {
  // deno-lint-ignore require-await
  const settled = async <R>(run: () => R): Promise<R> => run();
  return {
    rows: <Row>(sql: string, params: readonly Value[]) =>
      settled(() => connection.rows(sql, params) as Row[]),
    change: (sql, params) => settled(() => connection.change(sql, params)),
    exec: (sql) => settled(() => connection.exec(sql)),
    write: (rows, now) => settled(() => connection.write(rows, now)),
    close: () => settled(() => connection.close()),
  };
}

function rejectClosed(): Promise<never> {
  return Promise.reject(new StorageError("the storage is closed", false));
}
