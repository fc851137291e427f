/**
 * A store in SQLite, which both runtimes include. The module is loaded on first use.
 *
 * All saves of one turn are committed together, so that actors of a node share the cost of a disk
 * write.
 *
 * @module
 */
import { setImmediate } from "node:timers";
import type { Store, Stored } from "./store.ts";

/** Maximum time to wait for a lock that another process holds, in milliseconds. */
const BUSY_MS = 5_000;

/** Options of {@linkcode sqliteStore}. */
export interface SqliteStoreOptions {
  /**
   * `"full"`: saved values survive a power failure, at the cost of a disk flush per commit.
   * `"normal"`: saved values survive a crash of the process, but may be lost in a power failure.
   * Default "full".
   */
  readonly synchronous?: "full" | "normal" | undefined;
}

/** A store that can be closed. */
export interface SqliteStore extends Store, AsyncDisposable {
  /** Closes the file after all pending saves. */
  close(): Promise<void>;
}

interface Write {
  readonly run: (database: Database) => boolean;
  readonly resolve: (done: boolean) => void;
  readonly reject: (error: unknown) => void;
}

/** The parts of `node:sqlite` that are used here. */
interface Statement {
  get(...values: unknown[]): unknown;
  all(...values: unknown[]): unknown[];
  run(...values: unknown[]): { readonly changes: number | bigint };
}

interface Database {
  exec(sql: string): void;
  close(): void;
  readonly load: Statement;
  readonly insert: Statement;
  readonly update: Statement;
  readonly remove: Statement;
  readonly keys: Statement;
}

/**
 * Returns a store in the SQLite file `path`, which is created if it does not exist. Several
 * processes of one machine may use the same file. The directory must be on a local disk.
 *
 * @example
 * ```ts
 * import { sqliteStore } from "@firn/firn/otp";
 * import { assertEquals } from "@std/assert";
 *
 * await using store = sqliteStore(":memory:");
 * assertEquals(await store.save("a", new Uint8Array([1]), 7, undefined), true);
 * assertEquals(await store.save("a", new Uint8Array([2]), 8, 6), false);
 * assertEquals((await store.load("a"))?.version, 7);
 * ```
 */
export function sqliteStore(path: string, options: SqliteStoreOptions = {}): SqliteStore {
  let opened: Promise<Database> | undefined;
  const open = (): Promise<Database> => opened ??= openDatabase(path, options);
  let writes: Write[] = [];
  let flushing: Promise<void> | undefined;

  const flush = async (): Promise<void> => {
    const database = await open();
    await new Promise<void>((turn) => void setImmediate(turn));
    const batch = writes;
    writes = [];
    flushing = undefined;
    commit(database, batch);
  };
  const write = (run: (database: Database) => boolean): Promise<boolean> =>
    new Promise((resolve, reject) => {
      writes.push({ run, resolve, reject });
      flushing ??= flush().catch((error) => {
        flushing = undefined;
        const failed = writes;
        writes = [];
        for (const { reject } of failed) reject(error);
      });
    });
  const close = async (): Promise<void> => {
    await flushing;
    (await opened)?.close();
    opened = undefined;
  };
  return {
    async load(key) {
      const row = (await open()).load.get(key) as
        | { value: Uint8Array; version: number }
        | undefined;
      return row && { value: new Uint8Array(row.value), version: row.version } satisfies Stored;
    },
    save: (key, value, version, previous) =>
      write((database) =>
        previous === undefined
          ? isOne(database.insert.run(key, value, version))
          : isOne(database.update.run(value, version, key, previous))
      ),
    remove: (key, version) => write((database) => isOne(database.remove.run(key, version))),
    async keys(prefix) {
      const rows = (await open()).keys.all(prefix.length, prefix) as { key: string }[];
      return rows.map(({ key }) => key);
    },
    close,
    [Symbol.asyncDispose]: close,
  };
}

async function openDatabase(path: string, options: SqliteStoreOptions): Promise<Database> {
  const { DatabaseSync } = await import("node:sqlite");
  const database = new DatabaseSync(path);
  database.exec(`PRAGMA busy_timeout = ${BUSY_MS}`);
  database.exec("PRAGMA journal_mode = WAL");
  database.exec(`PRAGMA synchronous = ${options.synchronous === "normal" ? "NORMAL" : "FULL"}`);
  database.exec(
    "CREATE TABLE IF NOT EXISTS firn_state " +
      "(key TEXT PRIMARY KEY, value BLOB NOT NULL, version INTEGER NOT NULL) WITHOUT ROWID",
  );
  const prepare = (sql: string): Statement => database.prepare(sql) as unknown as Statement;
  return {
    exec: (sql) => database.exec(sql),
    close: () => database.close(),
    load: prepare("SELECT value, version FROM firn_state WHERE key = ?"),
    insert: prepare(
      "INSERT INTO firn_state (key, value, version) VALUES (?, ?, ?) ON CONFLICT (key) DO NOTHING",
    ),
    update: prepare("UPDATE firn_state SET value = ?, version = ? WHERE key = ? AND version = ?"),
    remove: prepare("DELETE FROM firn_state WHERE key = ? AND version = ?"),
    keys: prepare("SELECT key FROM firn_state WHERE substr(key, 1, ?) = ?"),
  };
}

/** Executes writes in one transaction. */
function commit(database: Database, batch: readonly Write[]): void {
  const done: boolean[] = [];
  try {
    database.exec("BEGIN IMMEDIATE");
    for (const { run } of batch) done.push(run(database));
    database.exec("COMMIT");
  } catch (error) {
    try {
      database.exec("ROLLBACK");
    } catch {
      // Ignores the error: the transaction has already ended.
    }
    for (const { reject } of batch) reject(error);
    return;
  }
  batch.forEach(({ resolve }, i) => resolve(done[i]!));
}

function isOne({ changes }: { readonly changes: number | bigint }): boolean {
  return Number(changes) === 1;
}
