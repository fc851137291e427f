/**
 * Storage in SQLite, which both runtimes carry with them (`node:sqlite`): nothing to install.
 *
 * A process has one connection for everything but batches of events, whose statements run at once and
 * take their time from no one, and a thread with another for those (`sqlite_thread.ts`). What writes takes
 * its turn; what reads sees what was committed last. Several processes may share one file: WAL lets them
 * read while one writes; who finds the file being written waits a little and tries again.
 *
 * What was written survives the process's death at any moment, and the machine's too, since a transaction
 * waits for the disk: a batch shares that wait, so it costs an event little. Without `fullSync` a
 * power failure may take the last moments' transactions, whole.
 *
 * @module
 */
import { DatabaseSync, type StatementSync } from "node:sqlite";
import { assert } from "../domain/assert.ts";
import type { Dialect, Query, Value } from "./database.ts";
import { type Engine, storageOn } from "./engine.ts";
import { cleanText } from "./json.ts";
import { columnsOf } from "./rows.ts";
import { SqliteBatches } from "./sqlite_batch.ts";
import { guarded, isBusy, messageOf } from "./sqlite_error.ts";
import { keepToOwner } from "./sqlite_file.ts";
import { BUSY_MS_MAX, setModes } from "./sqlite_modes.ts";
import { SQLITE_STEPS } from "./sqlite_schema.ts";
import { SqliteThread } from "./sqlite_thread.ts";
import { StorageError } from "./error.ts";
import { type EventOutcome, type NewEvent, WRITE_EVENTS_MAX } from "./events.ts";
import type { Storage } from "./storage.ts";
import { Turns } from "./turns.ts";

/** How to open it. */
export interface SqliteOptions {
  /** The file, or `:memory:`. */
  readonly path: string;
  /** Waits for the disk at each transaction. Default: yes. */
  readonly fullSync?: boolean | undefined;
  /** The time. Default: the real one. */
  readonly now?: (() => number) | undefined;
}

/** At most this many prepared statements are kept; then the one used longest ago is let go. */
const STATEMENTS_MAX = 200;

const DIALECT: Dialect = {
  // One writer at a time: whoever reads in a transaction writes alone.
  forUpdate: "",
  tagsHold: (param) =>
    `NOT EXISTS (SELECT 1 FROM json_each(${param}) AS want WHERE NOT EXISTS (
       SELECT 1 FROM json_each(e.tags) AS tag
       WHERE tag.key = want.key AND tag.value = want.value))`,
  wordsMatch: (param) =>
    `e.number IN (SELECT rowid FROM event_words WHERE event_words MATCH ${param})`,
  wordsQuery: (words) =>
    words.map((word, i) => i === words.length - 1 ? `"${word}"*` : `"${word}"`).join(" AND "),
  tagPairs: "json_each(e.tags) AS tag",
  eventById: (param) => `FROM events e WHERE e.id = ${param}`,
  payloadBytes: "octet_length(e.payload)",
  deleteEvents: (query, condition, ...params) =>
    query.change(`DELETE FROM events WHERE ${condition}`, ...params),
  // Few, so that writers get their turn between.
  oldEventsMax: 500,
  oldEvents: (limit) =>
    `number IN (SELECT number FROM events
       WHERE project_id = $1 AND received_at < $2 LIMIT ${limit})`,
};

/** Opens it, and makes or updates its tables. */
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

/** The connection of a process, and the thread that writes its batches. */
class Sqlite implements Engine {
  readonly kind = "sqlite";
  readonly schema: number = SQLITE_STEPS.length;
  readonly dialect: Dialect = DIALECT;
  readonly days = undefined;
  readonly now: () => number;
  readonly #fullSync: boolean;
  readonly #db: DatabaseSync;
  /** By their text, the one used last at the end. */
  readonly #statements = new Map<string, StatementSync>();
  /** Of writers of this process: who writes a batch, who writes anything else. */
  readonly #turns = new Turns();
  /** The transaction that is open on the connection; it ends when that does. */
  #open: Promise<unknown> | undefined;
  /** Undefined: nobody else sees a database in memory, so batches are written on the connection. */
  readonly #thread: SqliteThread | undefined;
  #batches: SqliteBatches | undefined;
  #closed: Promise<void> | undefined;

  constructor({ path, fullSync = true, now = Date.now }: SqliteOptions) {
    this.now = now;
    this.#fullSync = fullSync;
    if (path !== ":memory:") this.#thread = new SqliteThread({ path, fullSync });
    try {
      if (path !== ":memory:") keepToOwner(path);
      this.#db = new DatabaseSync(path);
    } catch (error) {
      throw new StorageError(`SQLite cannot open ${path}: ${messageOf(error)}`, false, error);
    }
  }

  rows<Row>(sql: string, ...params: Value[]): Promise<Row[]> {
    return this.#statement(sql, () => this.#rows<Row>(sql, params));
  }

  row<Row>(sql: string, ...params: Value[]): Promise<Row | undefined> {
    return this.#statement(sql, () => this.#rows<Row>(sql, params)[0]);
  }

  change(sql: string, ...params: Value[]): Promise<number> {
    return this.#statement(sql, () => this.#change(sql, params));
  }

  transaction<T>(body: (query: Query) => Promise<T>): Promise<T> {
    // deno-lint-ignore require-await
    const settled = async <R>(run: () => R): Promise<R> => guarded(run);
    const query: Query = {
      rows: <Row>(sql: string, ...params: Value[]) => settled(() => this.#rows<Row>(sql, params)),
      row: <Row>(sql: string, ...params: Value[]) => settled(() => this.#rows<Row>(sql, params)[0]),
      change: (sql, ...params) => settled(() => this.#change(sql, params)),
    };
    return this.#inTransaction(() => body(query));
  }

  writeEvents(batch: readonly NewEvent[]): Promise<readonly EventOutcome[]> {
    assert(batch.length <= WRITE_EVENTS_MAX, `a batch of ${batch.length} events`);
    if (this.#closed !== undefined) return rejectClosed();
    if (batch.length === 0) return Promise.resolve([]);
    const rows = batch.map(columnsOf);
    const thread = this.#thread;
    if (thread !== undefined) return this.#turns.together(() => thread.write(rows, this.now()));
    return this.#inTransaction(() => {
      this.#batches ??= new SqliteBatches(this.#db);
      return guarded(() => this.#batches!.write(rows, this.now()));
    });
  }

  /** Modes, then the schema's missing steps. */
  async prepare(): Promise<void> {
    // This thread has other things to do than to wait: `#patiently` does.
    await this.#patiently(() => setModes(this.#db, this.#fullSync, 0));
    await this.#inTransaction(() => {
      const { user_version: version } = this.#db.prepare("PRAGMA user_version").get() as {
        user_version: number;
      };
      if (version > SQLITE_STEPS.length) {
        throw new StorageError(
          `the file has schema ${version}, this program knows ${SQLITE_STEPS.length}`,
          false,
        );
      }
      for (const step of SQLITE_STEPS.slice(version)) guarded(() => this.#db.exec(step));
      this.#db.exec(`PRAGMA user_version = ${SQLITE_STEPS.length}`);
    });
  }

  close(): Promise<void> {
    return this.#closed ??= this.#turns.alone(async () => {
      await this.#thread?.close();
      this.#statements.clear();
      this.#db.close();
    });
  }

  /**
   * Runs one statement. One that reads waits for no writer, since WAL shows it what was committed last; only a
   * transaction that is open on the same connection must end first.
   */
  async #statement<T>(sql: string, run: () => T): Promise<T> {
    if (this.#closed !== undefined) return await rejectClosed();
    if (!sql.startsWith("SELECT")) return await this.#turns.alone(() => this.#patiently(run));
    while (this.#open !== undefined) await this.#open;
    return await this.#patiently(run);
  }

  /** All of `body` or nothing, alone. */
  #inTransaction<T>(body: () => T | Promise<T>): Promise<T> {
    if (this.#closed !== undefined) return rejectClosed();
    return this.#turns.alone(async () => {
      await this.#patiently(() => this.#db.exec("BEGIN IMMEDIATE"));
      const ended = this.#ended(body);
      this.#open = ended.then(() => {}, () => {});
      try {
        return await ended;
      } finally {
        this.#open = undefined;
      }
    });
  }

  /** Ends the open transaction as `body` ends. */
  async #ended<T>(body: () => T | Promise<T>): Promise<T> {
    try {
      const value = await body();
      guarded(() => this.#db.exec("COMMIT"));
      return value;
    } catch (error) {
      this.#rollBack();
      throw error;
    }
  }

  #rollBack(): void {
    try {
      this.#db.exec("ROLLBACK");
    } catch {
      // Some failures (a full disk) have rolled back already.
    }
  }

  /** Tries again while another process or the thread holds the file. */
  async #patiently<T>(run: () => T): Promise<T> {
    const deadline = performance.now() + BUSY_MS_MAX;
    for (let waitMs = 1;; waitMs = Math.min(25, waitMs * 2)) {
      try {
        return guarded(run);
      } catch (error) {
        if (!isBusy(error) || performance.now() > deadline) throw error;
      }
      // A little chance, or two processes would miss each other's gaps for long.
      await new Promise((wake) => setTimeout(wake, waitMs * (0.5 + Math.random())));
    }
  }

  #rows<Row>(sql: string, params: readonly Value[]): Row[] {
    return this.#prepared(sql).all(...params.map(bound)) as Row[];
  }

  #change(sql: string, params: readonly Value[]): number {
    return Number(this.#prepared(sql).run(...params.map(bound)).changes);
  }

  #prepared(sql: string): StatementSync {
    const statement = this.#statements.get(sql) ??
      this.#db.prepare(sql.replace(/\$(\d+)/g, "?$1"));
    this.#statements.delete(sql);
    this.#statements.set(sql, statement);
    if (this.#statements.size > STATEMENTS_MAX) {
      this.#statements.delete(this.#statements.keys().next().value!);
    }
    return statement;
  }
}

function bound(value: Value): string | number | null {
  if (typeof value === "string") return cleanText(value);
  return typeof value === "boolean" ? Number(value) : value;
}

function rejectClosed(): Promise<never> {
  return Promise.reject(new StorageError("the storage is closed", false));
}
