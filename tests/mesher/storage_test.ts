// deno-lint-ignore-file no-console
/**
 * Runs the storage contract on every engine. PostgreSQL is a real server started by the tests;
 * without it, its tests are skipped, and a line reports why.
 */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { openSqlite } from "../../mesher/storage/sqlite.ts";
import type { Engine } from "./contract/world.ts";
import { storageContract } from "./storage_contract.ts";
import { provideDriver } from "./driver.ts";

const memory: Engine = {
  name: "SQLite in memory",
  shared: false,
  fresh: (now) =>
    Promise.resolve({
      open: () => openSqlite({ path: ":memory:", now }),
      drop: () => Promise.resolve(),
    }),
};

const file: Engine = {
  name: "SQLite in a file",
  shared: true,
  fresh: (now) => {
    const folder = mkdtempSync(join(tmpdir(), "mesher-sqlite-"));
    return Promise.resolve({
      open: () => openSqlite({ path: join(folder, "mesher.db"), now }),
      drop: () => Promise.resolve(rmSync(folder, { recursive: true })),
    });
  },
};

/** Returns the names of all tables. */
const TABLES = `SELECT string_agg(tablename, ' ' ORDER BY tablename) AS names
  FROM pg_tables WHERE schemaname = 'public'`;

/** Deletes all rows except the version of the schema, without checks of foreign keys. */
const EMPTY = `DO $$ DECLARE name text; BEGIN
  SET LOCAL session_replication_role = replica;
  FOR name IN SELECT tablename FROM pg_tables
    WHERE schemaname = 'public' AND tablename <> 'mesher_schema'
  LOOP EXECUTE format('DELETE FROM %I', name); END LOOP;
END $$`;

storageContract(memory);
storageContract(file);

const whyNot = await provideDriver();
const { startPostgres } = whyNot === undefined
  ? await import("./postgres.ts")
  : { startPostgres: () => Promise.resolve(whyNot) };
const cluster = await startPostgres();
if (typeof cluster === "string") console.log(`storage_test: PostgreSQL skipped, ${cluster}`);
else {
  const { openPostgres } = await import("../../mesher/storage/postgres.ts");
  /** Databases with the schema and the partitions of a day, which the tests copy. */
  const templates = new Map<number, Promise<{ readonly url: string; readonly tables: unknown }>>();
  const makeTemplate = async (now: () => number) => {
    const { url } = await cluster.newDatabase();
    await (await openPostgres({ url, now })).close();
    const [row] = await cluster.run(url, TABLES);
    return { url, tables: row!["names"] };
  };
  /**
   * Databases of earlier tests that were emptied, by day. They are reused, because a new one takes
   * 0.1 s.
   */
  const emptied = new Map<number, { readonly url: string; drop(): Promise<void> }[]>();
  storageContract({
    name: "PostgreSQL",
    shared: true,
    fresh: async (now) => {
      const day = Math.floor(now() / 86_400_000);
      if (!templates.has(day)) templates.set(day, makeTemplate(now));
      const template = await templates.get(day)!;
      const free = emptied.get(day) ?? [];
      emptied.set(day, free);
      const database = free.pop() ?? await cluster.newDatabase(template.url);
      const { url } = database;
      return {
        open: () => openPostgres({ url, now }),
        drop: async () => {
          const [row] = await cluster.run(url, EMPTY, TABLES);
          // Reuses the database, unless the test has created or dropped partitions.
          if (row!["names"] === template.tables) free.push(database);
          else await database.drop();
        },
      };
    },
  });
}
