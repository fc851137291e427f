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
  const templates = new Map<number, Promise<string>>();
  const makeTemplate = async (now: () => number): Promise<string> => {
    const { url } = await cluster.newDatabase();
    await (await openPostgres({ url, now })).close();
    return url;
  };
  storageContract({
    name: "PostgreSQL",
    shared: true,
    fresh: async (now) => {
      const day = Math.floor(now() / 86_400_000);
      const template = templates.get(day) ?? makeTemplate(now);
      templates.set(day, template);
      const { url, drop } = await cluster.newDatabase(await template);
      return { open: () => openPostgres({ url, now }), drop };
    },
  });
}
