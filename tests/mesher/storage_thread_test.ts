/** Tests SQLite's writing thread: the order of batches, reads at the same time, and failures. */
import { assert, assertEquals, assertRejects, assertThrows } from "@std/assert";
import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { columnsOf } from "../../mesher/storage/rows.ts";
import { openSqlite } from "../../mesher/storage/sqlite.ts";
import { guarded } from "../../mesher/storage/sqlite_error.ts";
import { SqliteThread } from "../../mesher/storage/sqlite_thread.ts";
import { StorageError } from "../../mesher/storage/error.ts";
import type { Storage } from "../../mesher/storage/storage.ts";
import { test } from "../kit/test.ts";
import { party } from "./contract/world.ts";
import { entryWith, realisticEntry } from "./event.ts";

const NOW = 1_700_000_000_000;

async function inFile(body: (path: string, storage: Storage) => Promise<void>): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), "mesher-thread-"));
  const path = join(folder, "mesher.db");
  const storage = await openSqlite({ path });
  try {
    await body(path, storage);
  } finally {
    await storage.close();
    rmSync(folder, { recursive: true });
  }
}

test("SQLite writes batches and other changes in the order of arrival", () =>
  inFile(async (_path, storage) => {
    const { project, orgId } = await party(storage, "anna");
    const batch = (n: number) =>
      Array.from({ length: 50 }, (_, i) => entryWith(project.id, NOW + n * 50 + i));
    const writes: Promise<unknown>[] = [];
    for (let n = 0; n < 20; n++) {
      writes.push(storage.writeEvents(batch(n)));
      const key = {
        projectId: project.id,
        label: `${n}`,
        prefix: "",
        secret: "mshr_shown",
        secretHash: `${n}`,
      };
      if (n % 3 === 0) writes.push(storage.createApiKey(orgId, key));
    }
    await Promise.all(writes);
    assertEquals(await storage.eventCount(project.id, 0), 1_000);
    assertEquals((await storage.apiKeys(orgId, project.id)).length, 7);
  }));

test("SQLite reads the last committed state while a batch is written", () =>
  inFile(async (_path, storage) => {
    const { project } = await party(storage, "anna");
    const entries = Array.from({ length: 5_000 }, (_, i) => realisticEntry(project.id, NOW + i, i));
    let isWritten = false;
    const written = storage.writeEvents(entries).then(() => isWritten = true);
    const counts: number[] = [];
    while (!isWritten) {
      const count = await storage.eventCount(project.id, 0);
      if (!isWritten) counts.push(count);
      await new Promise((wake) => setTimeout(wake, 1));
    }
    await written;
    assert(counts.length > 0, "some reads returned before the write ended");
    assert(counts.every((count) => count === 0 || count === 5_000), `${counts}`);
    assertEquals(await storage.eventCount(project.id, 0), 5_000);
  }));

test("SQLite completes all writes before it closes", () =>
  inFile(async (path, storage) => {
    const { project } = await party(storage, "anna");
    const written = storage.writeEvents([entryWith(project.id, NOW)]);
    await storage.close();
    assertEquals((await written).map(({ kind }) => kind), ["stored"]);
    assert(!existsSync(`${path}-wal`), "the last connection has closed");
    const again = new DatabaseSync(path, { readOnly: true });
    assertEquals(again.prepare("SELECT count(*) AS n FROM events").get()!["n"], 1);
    again.close();
  }));

test("SqliteThread waits while another connection writes", () =>
  inFile(async (path, storage) => {
    const { project } = await party(storage, "anna");
    const other = new DatabaseSync(path);
    other.exec("BEGIN IMMEDIATE");
    let isWritten = false;
    const written = storage.writeEvents([entryWith(project.id, NOW)]).then(() => isWritten = true);
    // Reads continue while the other connection holds the lock.
    for (let i = 0; i < 10; i++) {
      assertEquals(await storage.eventCount(project.id, 0), 0);
      await new Promise((wake) => setTimeout(wake, 10));
    }
    assertEquals(isWritten, false);
    other.exec("COMMIT");
    other.close();
    await written;
    assertEquals(await storage.eventCount(project.id, 0), 1);
  }));

test("SqliteThread rejects a batch for a file without tables, and continues to run", async () => {
  const folder = mkdtempSync(join(tmpdir(), "mesher-thread-"));
  const thread = new SqliteThread({ path: join(folder, "empty.db"), fullSync: false });
  const rows = [columnsOf(entryWith("p", NOW))];
  try {
    for (let i = 0; i < 2; i++) {
      const error = await assertRejects(
        () => thread.write(rows, NOW),
        StorageError,
        "no such table",
      );
      assertEquals(error.retry, false);
    }
  } finally {
    await thread.close();
    await thread.close();
    rmSync(folder, { recursive: true });
  }
});

test("SQLite rejects with an error that may be retried if the disk is full", () => {
  const db = new DatabaseSync(":memory:");
  db.exec("CREATE TABLE large (bytes BLOB)");
  db.exec("PRAGMA max_page_count = 4");
  const insert = "INSERT INTO large VALUES (zeroblob(100000))";
  const failures: [() => unknown, boolean][] = [
    [() => db.exec(insert), true],
    [() => db.prepare(insert).run(), true],
    [() => db.exec("INSERT INTO none VALUES (1)"), false],
  ];
  for (const [statement, retry] of failures) {
    const error = assertThrows(() => guarded(statement), StorageError);
    assertEquals(error.retry, retry, error.message);
  }
  db.close();
});

test("SqliteThread reports the name of a file that cannot be opened", async () => {
  const thread = new SqliteThread({ path: "/nowhere/at/all.db", fullSync: false });
  await assertRejects(() => thread.write([columnsOf(entryWith("p", NOW))], NOW), StorageError);
  await thread.close();
});
