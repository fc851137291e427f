/**
 * `mesher --nodes 3`: one command, three processes, on each database. Where there is no PostgreSQL its part
 * says so and is passed over.
 */
import { assertEquals } from "@std/assert";
import { join } from "node:path";
import process from "node:process";
import { runtime, test, until } from "../kit/test.ts";
import { loggedIn } from "../mesher/end_to_end_kit.ts";
import { senderTo, withProcesses } from "./mesher_kit.ts";

/** Before any test, because it outlives them. Bun does not find the driver under the name that Deno gives it. */
const POSTGRES = runtime === "deno"
  ? await (await import("../mesher/postgres.ts")).startPostgres()
  : "the driver is Deno's";

/** Starts three, sends to each, and finds all on each. */
async function threeShare(database: (folder: string) => string): Promise<void> {
  await withProcesses(async (start, folder) => {
    const all = start(["--nodes", "3"], { DATABASE_URL: database(folder) });
    const urls = (): string[] =>
      [...all.said.matchAll(/Mesher is ready: (\S+)/g)].map(([, url]) => url!);
    await until("three are ready", () => urls().length === 3, 60_000);
    const { printed } = all;
    const users = await Promise.all(
      urls().map((url) => loggedIn(url, printed.email, printed.password)),
    );
    for (const user of users) {
      await until(
        "all see all",
        async () => (await user.get("/api/v1/cluster")).json.nodes.length === 3,
      );
    }
    const sent: string[] = [];
    await Promise.all(
      urls().map(async (url, i) => {
        const batch = Array.from({ length: 70 }, (_, k) => ({ message: `fault ${(i + k) % 5}` }));
        const got = await senderTo(url, printed).post("/api/v1/events/bulk", batch);
        assertEquals(got.status, 202);
        sent.push(...got.json.ids);
      }),
    );
    for (const user of users) {
      await until(
        "all are stored",
        async () =>
          (await user.get("/api/v1/projects/default/storage")).json.event_count === sent.length,
      );
      const { data } = (await user.get("/api/v1/projects/default/issues")).json;
      const counts = data.map(({ event_count }: { event_count: number }) => event_count);
      assertEquals(counts.reduce((sum: number, count: number) => sum + count, 0), sent.length);
      assertEquals((await user.get(`/api/v1/events/${sent[0]}`)).status, 200);
    }
    assertEquals(await all.stop(), 0, all.said);
    assertEquals(all.said.match(/password/g)?.length, 1, "secrets are printed once");
  });
}

test("mesher --nodes 3: three processes share a file of SQLite", async () => {
  await threeShare((folder) => join(folder, "mesher.db"));
});

test("mesher --nodes 3: three processes share a PostgreSQL", async () => {
  if (typeof POSTGRES === "string") {
    process.stderr.write(`passed over: ${POSTGRES}\n`);
    return;
  }
  const database = await POSTGRES.newDatabase();
  try {
    await threeShare(() => database.url);
  } finally {
    await database.drop();
  }
});
