// deno-lint-ignore-file no-console
/**
 * Tests what PostgreSQL's storage does in addition to the contract: daily partitions, and nodes
 * that start at the same time.
 */
import { assert, assertEquals, assertMatch, assertRejects } from "@std/assert";
import { StorageError } from "../../mesher/storage/error.ts";
import { POSTGRES_STEPS } from "../../mesher/storage/postgres_schema.ts";
import type { Storage } from "../../mesher/storage/storage.ts";
import { test } from "../kit/test.ts";
import { party } from "./contract/world.ts";
import { provideDriver } from "./driver.ts";
import { entryWith } from "./event.ts";

const DAY_MS = 86_400_000;
const NOON = Math.floor(Date.now() / DAY_MS) * DAY_MS + DAY_MS / 2;

const missing = await provideDriver();
const cluster = missing ?? await (await import("./postgres.ts")).startPostgres();
if (typeof cluster === "string") console.log(`storage_postgres_test: skipped, ${cluster}`);
else {
  const { openPostgres, Postgres } = await import("../../mesher/storage/postgres.ts");

  const withDatabase = async (body: (url: string) => Promise<void>): Promise<void> => {
    const { url, drop } = await cluster.newDatabase();
    try {
      await body(url);
    } finally {
      await drop();
    }
  };

  const days = async (url: string): Promise<readonly unknown[]> =>
    (await cluster.run(
      url,
      `SELECT c.relname AS name FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid
       WHERE i.inhparent = 'events'::regclass ORDER BY 1`,
    )).map(({ name }) => name);

  const nameOf = (time: number): string =>
    `events_${new Date(time).toISOString().slice(0, 10).replaceAll("-", "")}`;

  const projectIn = async (storage: Storage): Promise<{ orgId: string; projectId: string }> => {
    const { orgId, project } = await party(storage, "a");
    return { orgId, projectId: project.id };
  };

  test("openPostgres creates the schema once when five nodes start at the same time", () =>
    withDatabase(async (url) => {
      const open = () => openPostgres({ url, poolMax: 2, now: () => NOON });
      const nodes = await Promise.all([open(), open(), open(), open(), open()]);
      const week = Array.from({ length: 8 }, (_, i) => nameOf(NOON + i * DAY_MS));
      assertEquals(await days(url), week);
      for (const node of nodes) {
        assertEquals((await node.health()).schema, POSTGRES_STEPS.length);
        await node.close();
      }
    }));

  test("Postgres turns off JIT compilation in its sessions", () =>
    withDatabase(async (url) => {
      const postgres = new Postgres({ url, poolMax: 2, now: () => NOON });
      try {
        const plan = await postgres.rows("EXPLAIN (ANALYZE) SELECT max(typlen) FROM pg_type");
        const text = JSON.stringify(plan);
        assertMatch(text, /Seq Scan/);
        assert(!text.includes("JIT"), text);
      } finally {
        await postgres.close();
      }
    }));

  test("openPostgres rejects a schema of a later version with an error that names the version", () =>
    withDatabase(async (url) => {
      await (await openPostgres({ url })).close();
      await cluster.run(url, "INSERT INTO mesher_schema (version) VALUES (99)");
      await assertRejects(() => openPostgres({ url }), StorageError, "has schema 99");
    }));

  test("openPostgres waits while another process uses a table that the schema update must lock", () =>
    withDatabase(async (url) => {
      await (await openPostgres({ url })).close();
      // The last step drops this index.
      const last = POSTGRES_STEPS.length;
      assertEquals(POSTGRES_STEPS[last - 1], "DROP INDEX events_by_tags;");
      await cluster.run(url, "CREATE INDEX events_by_tags ON events USING gin (tags)");
      await cluster.run(url, `UPDATE mesher_schema SET version = ${last - 1}`);
      const { default: postgres } = await import("postgres@3.4.9");
      const reader = postgres(url, { max: 1 });
      const lines: string[] = [];
      let done = (): void => {};
      const isLogged = new Promise<void>((resolve) => done = resolve);
      try {
        let locked = (): void => {};
        const isLocked = new Promise<void>((resolve) => locked = resolve);
        const reading = reader.begin(async (client) => {
          await client`LOCK TABLE events IN ACCESS SHARE MODE`;
          locked();
          await isLogged;
        });
        await isLocked;
        const log = (_: unknown, text: string): void => {
          lines.push(text);
          done();
        };
        const storage = await openPostgres({ url, log });
        assertEquals((await storage.health()).schema, last);
        await storage.close();
        await reading;
        assertEquals(lines.length, 1);
        assertMatch(lines[0]!, /^the database cannot be updated yet \(attempt 1 of \d+\): .*lock/);
      } finally {
        done();
        await reader.end();
      }
    }));

  test("openPostgres rejects with an error that may be retried if the server is unreachable", async () => {
    const error = await assertRejects(
      () => openPostgres({ url: "postgres://mesher@127.0.0.1:1/x" }),
      StorageError,
    );
    assertEquals(error.retry, true);
  });

  test("upkeep creates partitions in advance, and drops the partitions of expired days", () =>
    withDatabase(async (url) => {
      const storage = await openPostgres({ url, now: () => NOON });
      try {
        const { orgId, projectId } = await projectIn(storage);
        await storage.updateProject(orgId, projectId, { retentionDays: 5 });
        await storage.writeEvents(
          [100, 6, 5.1, 4.9].map((d) => entryWith(projectId, NOON - d * DAY_MS)),
        );
        assertEquals((await days(url)).length, 8 + 3);
        const report = await storage.upkeep(NOON);
        assertEquals(report, {
          eventsDeleted: 3,
          sessionsDeleted: 0,
          partitionsCreated: 0,
          partitionsDropped: 2,
        });
        assertEquals((await days(url)).slice(0, 2), [nameOf(NOON - 5 * DAY_MS), nameOf(NOON)]);
        const [ids] = await cluster.run(url, "SELECT count(*)::int AS count FROM event_ids");
        assertEquals(ids, { count: 1 });
        // After three more days, upkeep creates the partitions of three more days.
        assertEquals((await storage.upkeep(NOON + 3 * DAY_MS)).partitionsCreated, 3);
      } finally {
        await storage.close();
      }
    }));

  test("writeEvents creates a partition again that another node has just dropped", () =>
    withDatabase(async (url) => {
      const [one, two] = [
        await openPostgres({ url, now: () => NOON }),
        await openPostgres({ url, now: () => NOON }),
      ];
      try {
        const { orgId, projectId } = await projectIn(one);
        await one.updateProject(orgId, projectId, { retentionDays: 5 });
        const old = () => entryWith(projectId, NOON - 9 * DAY_MS);
        await one.writeEvents([old()]);
        assertEquals((await two.upkeep(NOON)).partitionsDropped, 1);
        // The first node still assumes that the partition of the day exists.
        assertEquals((await one.writeEvents([old()])).map(({ kind }) => kind), ["stored"]);
      } finally {
        await one.close();
        await two.close();
      }
    }));

  test("Storage on PostgreSQL continues after the server has closed its connections", () =>
    withDatabase(async (url) => {
      const storage = await openPostgres({ url, now: () => NOON });
      try {
        const { projectId } = await projectIn(storage);
        const entry = entryWith(projectId, NOON);
        await cluster.run(
          url,
          `SELECT pg_terminate_backend(pid) FROM pg_stat_activity
           WHERE application_name = 'mesher' AND datname = current_database()`,
        );
        // The first call may fail with the old connection; its error is marked as retryable.
        const write = () => storage.writeEvents([entry]);
        const outcomes = await write().catch((error: unknown) => {
          assert(error instanceof StorageError && error.retry, String(error));
          return write();
        });
        assertEquals(outcomes.length, 1);
        assertEquals(await storage.eventCount(projectId, 0), 1);
      } finally {
        await storage.close();
      }
    }));

  test("Storage on PostgreSQL searches, counts and deletes through indexes", () =>
    withDatabase(async (url) => {
      const storage = await openPostgres({ url, now: () => NOON });
      try {
        const { orgId, projectId } = await projectIn(storage);
        for (let n = 0; n < 10; n++) {
          await storage.writeEvents(
            Array.from(
              { length: 1_000 },
              (_, i) =>
                entryWith(projectId, NOON - (n * 1_000 + i) * 10, {
                  message: `thing ${i % 50} failed`,
                  release: "1.0",
                  tags: { n: `${i % 7}` },
                }),
            ),
          );
        }
        await cluster.run(url, "ANALYZE");
        const read = async (): Promise<number> => {
          await cluster.run(url, "SELECT pg_stat_force_next_flush()");
          const [row] = await cluster.run(
            url,
            "SELECT sum(seq_tup_read)::int AS n FROM pg_stat_user_tables WHERE relname LIKE 'events_2%'",
          );
          return Number(row!["n"]);
        };
        // Closes the pool, whose connections report their statistics when they end.
        await storage.close();
        const before = await read();
        const again = await openPostgres({ url, now: () => NOON });
        const page = { limit: 25 };
        assertEquals((await again.events(orgId, projectId, { query: "wombat" }, page)).rows, []);
        assertEquals((await again.events(orgId, projectId, { release: "none" }, page)).rows, []);
        assertEquals((await again.events(orgId, projectId, { tags: { n: "x" } }, page)).rows, []);
        assertEquals((await again.projectUsage(orgId, projectId))?.events, 10_000);
        const [issue] = (await again.issues(orgId, projectId, {}, { limit: 1 })).rows;
        assertEquals((await again.issueEvents(orgId, issue!.id, page)).rows.length, 25);
        await again.deleteProject(orgId, projectId);
        await again.upkeep(NOON);
        await again.close();
        assertEquals(await read() - before, 0, "no rows were scanned sequentially");
        const [left] = await cluster.run(url, "SELECT count(*)::int AS n FROM events");
        assertEquals(left, { n: 0 });
      } finally {
        await storage.close();
      }
    }));
}
