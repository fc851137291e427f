/**
 * One connection to a SQLite file, for the thread that owns it: prepared statements and batches.
 * Everything in this file blocks on the database.
 *
 * @module
 */
import { DatabaseSync, type StatementSync } from "node:sqlite";
import type { Value } from "./database.ts";
import type { EventOutcome } from "./events.ts";
import { cleanText } from "./json.ts";
import type { EventColumns } from "./rows.ts";
import { SqliteBatches } from "./sqlite_batch.ts";
import { guarded } from "./sqlite_error.ts";
import { BUSY_MS_MAX, setModes } from "./sqlite_modes.ts";

/** The path of the file, and the mode of writing. */
export interface SqliteFile {
  readonly path: string;
  /** Whether to wait for the disk at each transaction. */
  readonly fullSync: boolean;
}

/** Maximum number of prepared statements; above it, the least recently used one is removed. */
const STATEMENTS_MAX = 200;

/** A connection to the database file. */
export class SqliteConnection {
  readonly #db: DatabaseSync;
  /** Statements by text, the most recently used one last. */
  readonly #statements = new Map<string, StatementSync>();
  #batches: SqliteBatches | undefined;

  /** Opens the file. Throws a `StorageError`. */
  constructor({ path, fullSync }: SqliteFile) {
    const db = guarded(() => new DatabaseSync(path));
    try {
      guarded(() => setModes(db, fullSync, BUSY_MS_MAX));
    } catch (error) {
      db.close();
      throw error;
    }
    this.#db = db;
  }

  rows(sql: string, params: readonly Value[]): unknown[] {
    return guarded(() => this.#prepared(sql).all(...params.map(bound)));
  }

  change(sql: string, params: readonly Value[]): number {
    return guarded(() => Number(this.#prepared(sql).run(...params.map(bound)).changes));
  }

  /** Runs statements that return nothing. */
  exec(sql: string): void {
    guarded(() => this.#db.exec(sql));
  }

  /** Writes a batch in a transaction. */
  write(rows: readonly EventColumns[], now: number): readonly EventOutcome[] {
    this.exec("BEGIN IMMEDIATE");
    try {
      const outcomes = guarded(() => {
        this.#batches ??= new SqliteBatches(this.#db);
        return this.#batches.write(rows, now);
      });
      this.exec("COMMIT");
      return outcomes;
    } catch (error) {
      this.rollBack();
      this.#batches?.forget();
      throw error;
    }
  }

  rollBack(): void {
    try {
      this.#db.exec("ROLLBACK");
    } catch {
      // After some failures, such as a full disk, SQLite has already rolled the transaction back.
    }
  }

  close(): void {
    this.#statements.clear();
    this.#db.close();
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

function bound(value: Value): string | number | null | Uint8Array {
  if (typeof value === "string") return cleanText(value);
  return typeof value === "boolean" ? Number(value) : value;
}
