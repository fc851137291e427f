/**
 * Databases of the runs: each run has a new one with Mesher's schema, a project and its key, and
 * counts the events in it afterwards.
 *
 * @module
 */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { DatabaseSync } from "node:sqlite";
import postgres from "postgres@3.4.9";
import { storageConfig } from "../../mesher/config.ts";
import { PASSWORD_COST } from "../../mesher/domain/password.ts";
import { firstRun } from "../../mesher/first_run.ts";
import { openStorage } from "../../mesher/storage/open.ts";
import { type Cluster, startPostgres } from "../../tests/mesher/postgres.ts";
import type { Engine } from "./contenders.ts";

/** A new database without events. */
export interface Place {
  /** The path of an SQLite file, or the URL `postgres://…`. */
  readonly database: string;
  readonly key: string;
  /** Returns the number of stored events. */
  count(): Promise<number>;
  /** Returns whether an event is stored. */
  has(id: string): Promise<boolean>;
  /** Returns the database processes that serve the server; none for SQLite. */
  pids(): Promise<readonly number[]>;
  drop(): Promise<void>;
}

let cluster: Promise<Cluster | string> | undefined;

/** Creates a database. Resolves to the reason if it cannot be created. */
export async function newPlace({ kind }: Engine): Promise<Place | string> {
  if (kind === "sqlite") return await newFile();
  // Enables fsync, which tests disable.
  process.env["MESHER_TEST_FSYNC"] = "on";
  cluster ??= startPostgres();
  const running = await cluster;
  return typeof running === "string" ? running : await newDatabase(running);
}

/** Creates the schema and the first project. Resolves to its key. */
async function createProject(database: string): Promise<string> {
  const storage = await openStorage(storageConfig(database));
  try {
    return (await firstRun(storage, PASSWORD_COST))!.key;
  } finally {
    await storage.close();
  }
}

async function newFile(): Promise<Place> {
  const folder = mkdtempSync(join(tmpdir(), "mesher-bench-"));
  const database = join(folder, "mesher.db");
  const key = await createProject(database);
  const db = new DatabaseSync(database, { readOnly: true });
  const count = db.prepare("SELECT count(*) AS count FROM events");
  const has = db.prepare("SELECT 1 AS one FROM events WHERE id = ?");
  return {
    database,
    key,
    count: () => Promise.resolve(count.get()!["count"] as number),
    has: (id) => Promise.resolve(has.get(id) !== undefined),
    pids: () => Promise.resolve([]),
    drop() {
      db.close();
      rmSync(folder, { recursive: true });
      return Promise.resolve();
    },
  };
}

async function newDatabase(running: Cluster): Promise<Place> {
  const { url: database, drop } = await running.newDatabase();
  const key = await createProject(database);
  const sql = postgres(database, { max: 1, onnotice: () => {} });
  return {
    database,
    key,
    async count() {
      const [row] = await sql`SELECT count(*) AS count FROM events`;
      return Number(row!["count"]);
    },
    // The condition on the time avoids a search of all partitions.
    async has(id) {
      return (await sql`SELECT 1 FROM events WHERE id = ${id} AND received_at >= ${
        Date.now() - 60_000
      }`).length > 0;
    },
    async pids() {
      const rows = await sql`SELECT pid FROM pg_stat_activity
        WHERE datname = current_database() AND pid <> pg_backend_pid()`;
      return rows.map((row) => row["pid"] as number);
    },
    async drop() {
      await sql.end();
      await drop();
    },
  };
}
