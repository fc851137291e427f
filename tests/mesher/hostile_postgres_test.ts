// deno-lint-ignore-file no-console
/**
 * Tests hostile values in the fields of the API on PostgreSQL, which is stricter than SQLite about
 * types, texts and numbers: half of the values on each runtime, or all of them with FIRN_LONG=1.
 */
import { openStorage } from "../../mesher/storage/open.ts";
import { isOwnHalf, test } from "../kit/test.ts";
import { provideDriver } from "./driver.ts";
import { onStage, type Stage } from "./end_to_end_kit.ts";
import { tryBodies, tryQueries } from "./hostile_grid.ts";

const missing = await provideDriver();
const cluster = missing ?? await (await import("./postgres.ts")).startPostgres();
if (typeof cluster === "string") console.log(`hostile_postgres_test: skipped, ${cluster}`);
else {
  const onPostgres = async (body: (stage: Stage) => Promise<void>): Promise<void> => {
    const { url, drop } = await cluster.newDatabase();
    try {
      const storage = await openStorage({ databaseUrl: url, sqlitePath: "" });
      await onStage(body, {}, storage);
    } finally {
      await drop();
    }
  };

  test("Body fields on PostgreSQL accept any value, or reject it with a documented status", () =>
    onPostgres((stage) => tryBodies(stage, isOwnHalf)));

  test("Query fields on PostgreSQL accept any text, or reject it with a documented status", () =>
    onPostgres((stage) => tryQueries(stage, isOwnHalf)));
}
