// deno-lint-ignore-file no-console
/**
 * Tests that a node answers while its database searches, counts, expires and deletes: with few
 * events by default, with a million with FIRN_LONG=1. A read whose client has disconnected is
 * aborted.
 */
import { assert, assertEquals, assertRejects } from "@std/assert";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { openSqlite } from "../../mesher/storage/sqlite.ts";
import { test } from "../kit/test.ts";
import { party } from "./contract/world.ts";
import { provideDriver } from "./driver.ts";
import { realisticEntry } from "./event.ts";

const IS_LONG = process.env["FIRN_LONG"] === "1";

/**
 * Matches the names of queries that PostgreSQL answers within 300 ms or handles in the background.
 */
const SHORT = /rare|release|tags|occupies|^deleting/;

for (const engine of ["SQLite", "PostgreSQL"]) {
  test(
    `A node on ${engine} answers within 50 ms during operations on a million events`,
    {
      ignore: !IS_LONG,
      timeout: 3_600_000,
    },
    async () => {
      let database: string | undefined;
      if (engine === "PostgreSQL") {
        const missing = await provideDriver();
        const cluster = missing ?? await (await import("./postgres.ts")).startPostgres();
        if (typeof cluster === "string") return console.log(`million_test: skipped, ${cluster}`);
        database = (await cluster.newDatabase()).url;
      }
      const { measureMany } = await import("../../bench/mesher/million.ts");
      for (const { what, took, timerP99, ingestP99 } of await measureMany(1_000_000, database)) {
        const ms = [took, timerP99, ingestP99].map((n) => n.toFixed(0)).join(", ");
        console.log(`${engine}: ${what}: ${ms} ms`);
        assert(timerP99 < 50 && ingestP99 < 50, what);
        if (database !== undefined && SHORT.test(what)) assert(took < 300, what);
      }
    },
  );
}

async function inFile(body: (path: string) => Promise<void>): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), "mesher-million-"));
  try {
    await body(join(folder, "mesher.db"));
  } finally {
    rmSync(folder, { recursive: true });
  }
}

test("SQLite deletes old events on another thread, and releases freed space", () =>
  inFile(async (path) => {
    const storage = await openSqlite({ path, fullSync: false });
    const { orgId, project } = await party(storage, "anna");
    const old = Date.now() - 100 * 86_400_000;
    const entries = Array.from({ length: 3_000 }, (_, i) => realisticEntry(project.id, old + i, i));
    await storage.writeEvents(entries);
    assertEquals((await storage.projectUsage(orgId, project.id))?.events, 3_000);
    // The number of turns of this thread's event loop during the operation. It would be 0 if this
    // thread did the work.
    let turns = 0;
    const timer = setInterval(() => turns++, 1);
    const report = await storage.upkeep(Date.now());
    clearInterval(timer);
    assertEquals(report.eventsDeleted, 3_000);
    assert(turns > 10, `${turns} turns`);
    const usage = await storage.projectUsage(orgId, project.id);
    assertEquals([usage?.events, usage?.bytes], [0, 0]);
    await storage.close();
    const { DatabaseSync } = await import("node:sqlite");
    const db = new DatabaseSync(path, { readOnly: true });
    const { free, pages } = db.prepare(
      `SELECT freelist_count AS free, page_count AS pages
       FROM pragma_freelist_count, pragma_page_count`,
    ).get() as { free: number; pages: number };
    db.close();
    assert(free < pages / 2, `${free} of ${pages} pages are free`);
  }));

test("Storage starts no read for a client that has disconnected", () =>
  inFile(async (path) => {
    const storage = await openSqlite({ path, fullSync: false });
    const { orgId, project } = await party(storage, "anna");
    const entries = Array.from({ length: 500 }, (_, i) => realisticEntry(project.id, i + 1, i));
    await storage.writeEvents(entries);
    const gone = new AbortController();
    const search = () => storage.until(gone.signal).events(orgId, project.id, {}, { limit: 100 });
    const [first, second] = [search(), search()];
    const ended = [first, second].map((one) => one.then(() => "done", () => "aborted"));
    gone.abort();
    // One of the two reads may already have been running when they were cancelled. The other one is
    // aborted.
    assert((await Promise.all(ended)).includes("aborted"));
    await assertRejects(search, DOMException);
    assertEquals((await storage.events(orgId, project.id, {}, { limit: 100 })).rows.length, 100);
    await storage.close();
  }));
