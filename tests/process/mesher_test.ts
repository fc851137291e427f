/**
 * Tests Mesher as a process: one node started in an empty folder, and its messages about invalid
 * settings.
 */
import { assert, assertEquals } from "@std/assert";
import { DatabaseSync } from "node:sqlite";
import { existsSync, statSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { join } from "node:path";
import { test, until } from "../kit/test.ts";
import { loggedIn } from "../mesher/end_to_end_kit.ts";
import { senderTo, watch, withProcesses } from "./mesher_kit.ts";

/** Returns the stored events, by reading the database file. */
function storedIn(file: string): string[] {
  const db = new DatabaseSync(file, { readOnly: true });
  try {
    return db.prepare("SELECT id FROM events").all().map(({ id }) => String(id));
  } finally {
    db.close();
  }
}

test("mesher in an empty folder starts one node that accepts, stores and shows an event", async () => {
  await withProcesses(async (start, folder) => {
    const env = { DATABASE_URL: join(folder, "mesher.db") };
    const one = start([], env);
    const url = await one.ready();
    const { firstLogin } = one;
    assert(
      !one.output.includes(firstLogin.password) && !one.output.includes(firstLogin.key),
      one.output,
    );
    for (const file of [env.DATABASE_URL, `${env.DATABASE_URL}-wal`, one.loginFile]) {
      assertEquals([file, statSync(file).mode & 0o777], [file, 0o600]);
    }
    const user = await loggedIn(url, firstLogin.email, firstLogin.password);
    const watcher = await watch(url, firstLogin);
    const sent = await senderTo(url, firstLogin).post("/api/v1/events", {
      message: "from a process",
    });
    assertEquals(sent.status, 202);
    await until("the watcher has received the event", () => watcher.seen.get(sent.json.id) === 1);
    const found = await user.get(`/api/v1/events/${sent.json.id}`);
    assertEquals(found.json.event.message, "from a process");
    await watcher.close();
    // An event that is accepted just before the stop is stored before the process exits.
    const last = await senderTo(url, firstLogin).post("/api/v1/events", { message: "the last" });
    assertEquals(await one.stop(), 0, one.output);
    assert(storedIn(env.DATABASE_URL).includes(last.json.id));

    const again = start([], env);
    const there = await again.ready();
    assert(!existsSync(again.loginFile), "the login is written at the first start only");
    const back = await loggedIn(there, firstLogin.email, firstLogin.password);
    assertEquals((await back.get(`/api/v1/events/${last.json.id}`)).status, 200);
    assertEquals(await again.stop(), 0, again.output);
  });
});

test("mesher reports an invalid setting in one line, and exits", async () => {
  await withProcesses(async (start, folder) => {
    writeFileSync(
      join(folder, "text"),
      "no database, but a text that is long enough to look like one",
    );
    const taken = createServer();
    await new Promise<void>((done) => taken.listen(0, "127.0.0.1", done));
    const { port } = taken.address() as { port: number };
    const node = { MESHER_COOKIE: "easy", DATABASE_URL: ":memory:" };
    const database = join(folder, "not made");
    const grid: [string[], Record<string, string>, number, RegExp][] = [
      [[], { MESHER_HTTP_PORT: "http" }, 2, /^MESHER_HTTP_PORT is "http": use a whole number/],
      [["--what"], {}, 2, /^unknown argument "--what": see --help$/],
      [["--nodes", "3"], { DATABASE_URL: ":memory:" }, 2, /^DATABASE_URL is :memory:/],
      [
        [],
        { MESHER_HTTP_PORT: `${port}`, DATABASE_URL: database },
        1,
        /HTTP_PORT: cannot listen: port \d+ is in use: .* set another/,
      ],
      [
        ["--nodes", "2"],
        { MESHER_WS_PORT: `${port}`, DATABASE_URL: database },
        1,
        /WS_PORT: cannot listen: port \d+ is in use: .* set another/,
      ],
      [[], { MESHER_HOST: "no.such.host.invalid" }, 1, /^MESHER_HOST and .*: cannot listen/],
      [
        [],
        { ...node, MESHER_NODE_NAME: `a@127.0.0.1:${port}` },
        1,
        /^MESHER_NODE_NAME .*: cannot listen/,
      ],
      [[], { ...node, MESHER_NODE_NAME: "a@0.0.0.0:0" }, 1, /the cookie is too easy to guess/],
      [[], { DATABASE_URL: join(folder, "no/where") }, 1, /^DATABASE_URL: SQLite cannot open/],
      [[], { DATABASE_URL: join(folder, "text") }, 1, /^DATABASE_URL: .*not a database/],
      [[], { DATABASE_URL: "postgres://u:s3cret@127.0.0.1:1/d" }, 1, /^DATABASE_URL: .*REFUSED/],
    ];
    await Promise.all(grid.map(async ([args, env, status, words]) => {
      const wrong = start(args, env);
      assertEquals(await wrong.ended, status, wrong.output);
      const [line, ...more] = wrong.output.trim().split("\n");
      assert(words.test(line!.replace("mesher: ", "")), wrong.output);
      assertEquals(more, []);
      assert(!wrong.output.includes("s3cret"), wrong.output);
    }));
    await new Promise((done) => taken.close(done));
    assert(!existsSync(database), "the database is only created when the ports are free");
  });
});
