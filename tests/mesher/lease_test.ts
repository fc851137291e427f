// deno-lint-ignore-file no-console
/**
 * Tests leases in PostgreSQL: they are taken over when the holder is killed or suspended, and a
 * store rejects late writes of a former holder.
 */
import { assert, assertEquals, assertRejects } from "@std/assert";
import type { NodeOptions } from "../../lib/node_options.ts";
import { type NodeProcess, PAIRS, withNodes } from "../kit/process.ts";
import { test, until } from "../kit/test.ts";
import { provideDriver } from "./driver.ts";

const TTL_MS = 2_000;

const missing = await provideDriver();
const cluster = missing ?? await (await import("./postgres.ts")).startPostgres();
if (typeof cluster === "string") console.log(`lease_test: skipped, ${cluster}`);
else {
  const { FencedError, fenced, PostgresLease } = await import(
    "../../mesher/storage/postgres_lease.ts"
  );
  const { default: postgres } = await import("postgres@3.4.9");

  const withDatabase = async (body: (url: string) => Promise<void>): Promise<void> => {
    const { url, drop } = await cluster.newDatabase();
    try {
      await body(url);
    } finally {
      await drop();
    }
  };

  test("PostgresLease has one holder at a time, and rejects writes with an earlier token", async () => {
    await withDatabase(async (url) => {
      const [a, b] = [new PostgresLease(url, TTL_MS), new PostgresLease(url, TTL_MS)];
      const sql = postgres(url, { max: 1, onnotice: () => {} });
      try {
        const first = await a.acquire("x", "a");
        assertEquals([first, await b.acquire("x", "b"), await b.acquire("y", "b")], [
          1,
          undefined,
          1,
        ]);
        assertEquals([await a.renew("x", 1), await b.renew("x", 1)], [true, false]);
        assertEquals(await fenced(sql, "x", 1, () => Promise.resolve("done")), "done");
        await a.release("x", 1);
        assertEquals([await b.acquire("x", "b"), await a.renew("x", 1)], [2, false]);
        await assertRejects(
          () => fenced(sql, "x", 1, () => Promise.resolve()),
          FencedError,
          "is 2",
        );
        await assertRejects(
          () => fenced(sql, "z", 1, () => Promise.resolve()),
          FencedError,
          "there is none",
        );
        // The server ends the holder's session when it has been silent for too long, which frees
        // the lease.
        await until(
          "the lease is free",
          async () => await a.acquire("x", "a") !== undefined,
        );
        assertEquals(await b.renew("x", 2).catch(() => false), false);
      } finally {
        await Promise.all([a.close(), b.close(), sql.end()]);
      }
    });
  });

  const runs = (node: NodeProcess): boolean => node.count("runs") > node.count("rests");

  for (const [one, other] of PAIRS) {
    test(`a PostgreSQL lease (${one}, ${other}) rejects the writes of a holder that was suspended`, async () => {
      await withDatabase(async (url) => {
        await cluster.run(url, "CREATE TABLE written (token bigint NOT NULL)");
        await withNodes(async (start) => {
          const options = { url, ttl: TTL_MS, pingInterval: 200, pingTimeout: 1_000 };
          const begin = (runtime: typeof one, short: string, seeds: string[]) =>
            start(
              runtime,
              short,
              { ...options, seeds } as NodeOptions,
              "../mesher/lease_child.ts",
            );
          const a = await begin(one, "a", []);
          await a.ask("join");
          await until("the first holder runs", () => runs(a));
          const b = await begin(other, "b", [a.name]);
          const c = await begin(one, "c", [a.name]);
          for (const node of [b, c]) await node.ask("join");
          assertEquals(await a.ask("write"), "written");
          await a.kill();
          await until("another holder runs", () => runs(b) !== runs(c));
          const [second, third] = runs(b) ? [b, c] : [c, b];
          assertEquals(await second.ask("write"), "written");
          // The holder is suspended, so the database ends its lease.
          second.signal("SIGSTOP");
          let writing: Promise<string>;
          try {
            await until("the third holder runs", () => runs(third));
            assertEquals(await third.ask("write"), "written");
            // When the former holder is resumed, it writes before anything else.
            writing = second.ask<string>("write");
          } finally {
            second.signal("SIGCONT");
          }
          assert((await writing).includes("is out of date"), await writing);
          await until("the former holder has stopped", () => !runs(second));
          assertEquals([runs(third), third.count("runs")], [true, 1]);
          const tokens = await cluster.run(url, "SELECT token::int AS token FROM written");
          assertEquals(tokens.map(({ token }) => token), [1, 2, 3]);
        });
      });
    });
  }
}
