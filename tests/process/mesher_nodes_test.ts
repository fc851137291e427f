/**
 * Tests `mesher --nodes 3`, one command with three processes, on each database. Without PostgreSQL,
 * its test is skipped with a message.
 */
import { assert, assertEquals } from "@std/assert";
import { existsSync } from "node:fs";
import { createServer } from "node:net";
import { join } from "node:path";
import process from "node:process";
import { freePorts } from "../../scripts/cluster/ports.ts";
import { test, until } from "../kit/test.ts";
import { loggedIn } from "../mesher/end_to_end_kit.ts";
import { endAll, isAlive } from "./demo.ts";
import { type MesherProcess, senderTo, withProcesses } from "./mesher_kit.ts";
import { postgresEngine } from "./mesher_cluster.ts";

/** PostgreSQL is started before any test, because it outlives the tests. */
const POSTGRES = await postgresEngine();

/** Starts three nodes, sends events to each, and finds all of them on each. */
async function threeShare(all: MesherProcess): Promise<void> {
  const urls = (): string[] => [
    ...new Set([...all.output.matchAll(/Mesher is ready: (\S+)/g)].map(([, url]) => url!)),
  ];
  await until("three nodes are ready", () => urls().length === 3, 120_000).catch((error) => {
    throw new Error(`${error.message}:\n${all.output}`);
  });
  const { firstLogin } = all;
  const users = await Promise.all(
    urls().map((url) => loggedIn(url, firstLogin.email, firstLogin.password)),
  );
  for (const user of users) {
    await until(
      "all nodes see each other",
      async () => (await user.get("/api/v1/cluster")).json.nodes.length === 3,
    );
  }
  const sent: string[] = [];
  await Promise.all(
    urls().map(async (url, i) => {
      const batch = Array.from({ length: 70 }, (_, k) => ({ message: `fault ${(i + k) % 5}` }));
      const got = await senderTo(url, firstLogin).post("/api/v1/events/bulk", batch);
      assertEquals(got.status, 202);
      sent.push(...got.json.ids);
    }),
  );
  for (const user of users) {
    await until(
      "all events are stored",
      async () =>
        (await user.get("/api/v1/projects/default/storage")).json.event_count === sent.length,
    );
    const { data } = (await user.get("/api/v1/projects/default/issues")).json;
    const counts = data.map(({ event_count }: { event_count: number }) => event_count);
    assertEquals(counts.reduce((sum: number, count: number) => sum + count, 0), sent.length);
    assertEquals((await user.get(`/api/v1/events/${sent[0]}`)).status, 200);
  }
  assertEquals(await all.stop(), 0, all.output);
  assert(!all.output.includes(firstLogin.password), "secrets are not printed");
}

test("mesher --nodes 3 in an empty folder prints the addresses of its pages", async () => {
  await withProcesses(async (start, folder) => {
    const port = (await freePorts(1))[0]!;
    const env = { MESHER_HTTP_PORT: `${port}`, MESHER_WS_PORT: `${port + 1}`, DATABASE_URL: "" };
    const all = start(["--nodes", "3"], env, folder);
    await until(
      "three nodes are ready",
      () => all.output.match(/Mesher is ready/g)?.length === 3,
      60_000,
    );
    const pages = /3 nodes start; pages: (.*)/.exec(all.output)![1]!.split(" ");
    assertEquals(pages, [0, 10, 20].map((more) => `http://127.0.0.1:${port + more}`));
    for (const page of pages) {
      const got = await fetch(page);
      assert((await got.text()).includes("<title>"), page);
      assertEquals(got.headers.get("content-type"), "text/html; charset=utf-8");
    }
    // Kills a process, which is then restarted.
    const [, name, pid] = /(mesher2@\S+) is process (\d+)/.exec(all.output)!;
    process.kill(Number(pid), "SIGKILL");
    const ends = `${name} has ended: SIGKILL, and is restarted in 1 s`;
    await until("the exit is reported", () => all.output.includes(ends));
    await until(
      "the restarted node is ready",
      () => all.output.match(/Mesher is ready/g)?.length === 4,
      60_000,
    );
    await threeShare(all);
    assert(existsSync(join(folder, "mesher.db")));
  });
});

/** Waits until all nodes are ready. Returns their process ids. */
async function readyNodes(all: MesherProcess, count = 3): Promise<number[]> {
  await until(
    "all nodes are ready",
    () => all.output.match(/Mesher is ready/g)?.length === count,
    60_000,
  );
  return [...all.output.matchAll(/ is process (\d+)/g)].map(([, pid]) => Number(pid));
}

test("mesher --nodes 3: the nodes store their events and exit when the parent is killed with kill -9", async () => {
  await withProcesses(async (start, folder) => {
    const all = start(["--nodes", "3"], { DATABASE_URL: join(folder, "mesher.db") });
    const pids = await readyNodes(all);
    assertEquals(pids.map(isAlive), [true, true, true]);
    all.signal("SIGKILL");
    await until("the processes have exited", () => !pids.some(isAlive)).finally(() => endAll(pids));
    assertEquals(
      all.output.match(/stopping: accepted events are being stored/g)?.length,
      3,
      all.output,
    );
  });
});

test("mesher --nodes 3 stops all nodes on Ctrl-C", async () => {
  await withProcesses(async (start, folder) => {
    const all = start(["--nodes", "3"], { DATABASE_URL: join(folder, "mesher.db") });
    for (const pid of await readyNodes(all)) process.kill(pid, "SIGINT");
    assertEquals(await all.stop(), 0, all.output);
  });
});

test("mesher --nodes 2 stops if a node cannot start, and restarts a node that has been ready", async () => {
  await withProcesses(async (start, folder) => {
    const port = (await freePorts(1))[0]!;
    const env = { MESHER_HTTP_PORT: `${port}`, MESHER_WS_PORT: "", DATABASE_URL: "" };
    const all = start(["--nodes", "2"], env, folder);
    await until("the second is started", () => /mesher2@\S+ is process/.test(all.output), 60_000);
    let free = await listening(port + 10);
    assertEquals(await all.ended, 1, all.output);
    assert(all.output.includes(`port ${port + 10} is in use`), all.output);
    assert(/mesher2@\S+ has ended: exit status 1, before it was ready/.test(all.output));
    await free();

    const again = start(["--nodes", "2"], env, folder);
    const [, pid] = await readyNodes(again, 2);
    process.kill(pid!, "SIGKILL");
    await until("the exit is reported", () => /ended: SIGKILL/.test(again.output));
    free = await listening(port + 10);
    await until(
      "the start has failed",
      () => /ended: exit status 1, and is restarted in 2 s/.test(again.output),
      60_000,
    ).finally(free);
    await until(
      "the second is ready again",
      () => again.output.match(/Mesher is ready/g)?.length === 3,
      60_000,
    );
    assertEquals(await again.stop(), 0, again.output);
  });
});

/** Listens on a port. Returns a function that frees it. */
async function listening(port: number): Promise<() => Promise<void>> {
  const server = createServer();
  await new Promise<void>((done, failed) => {
    server.on("error", failed).listen(port, "127.0.0.1", done);
  });
  return () => new Promise((done) => server.close(() => done()));
}

const missing = POSTGRES.missing;
if (missing !== undefined) process.stderr.write(`passed over: ${missing}\n`);
test(
  "mesher --nodes 3: three processes share a PostgreSQL database",
  { ignore: missing !== undefined },
  async () => {
    await withProcesses((start, folder) =>
      POSTGRES.with(folder, async ({ url }) => {
        const all = start(["--nodes", "3"], { DATABASE_URL: url });
        await threeShare(all);
        await all.stop();
      })
    );
  },
);
