/**
 * Tests Mesher's services: they are killed, the database fails or rejects an event, and watchers
 * are connected.
 */
import { assert, assertEquals } from "@std/assert";
import type { Pid } from "../../mod.ts";
import { type App, INBOX_MAX } from "../../mesher/app.ts";
import type { MesherEvent } from "../../mesher/domain/event.ts";
import { validateEvent } from "../../mesher/domain/validate.ts";
import { ANNOUNCER } from "../../mesher/services/announcer.ts";
import { LOAD_MONITOR } from "../../mesher/services/load_monitor.ts";
import { NODE_MONITOR } from "../../mesher/services/node_monitor.ts";
import { PROCESSOR } from "../../mesher/services/processor.ts";
import { RATE_LIMITER } from "../../mesher/services/rate_limiter.ts";
import { TOTALS_KEEPER } from "../../mesher/services/totals_keeper.ts";
import { REGISTRY } from "../../mesher/services/registry.ts";
import { ROUNDS } from "../../mesher/services/rounds.ts";
import { type TreeShape, treeShape } from "../../mesher/services/tree_shape.ts";
import { WEBHOOKS } from "../../mesher/services/notifier.ts";
import { WRITER } from "../../mesher/services/writer.ts";
import { openSqlite } from "../../mesher/storage/sqlite.ts";
import { StorageError } from "../../mesher/storage/error.ts";
import type { NewEvent } from "../../mesher/storage/events.ts";
import type { Storage } from "../../mesher/storage/storage.ts";
import { test, until } from "../kit/test.ts";
import { onStage } from "./end_to_end_kit.ts";
import { watch } from "../process/mesher_kit.ts";

const SERVICES = [
  ...[WRITER, WEBHOOKS, ANNOUNCER, PROCESSOR],
  ...[RATE_LIMITER, REGISTRY, NODE_MONITOR, LOAD_MONITOR, TOTALS_KEEPER],
];

/** Returns an event with a unique id. */
function anEvent(): MesherEvent {
  const moment = { now: Date.now(), newId: () => crypto.randomUUID() };
  const valid = validateEvent({ message: "m" }, moment);
  assert(valid.ok);
  return valid.event;
}

/** Opens SQLite in memory, with writes that pass through `write`. */
async function storageThat(
  write: (batch: readonly NewEvent[], storage: Storage) => ReturnType<Storage["writeEvents"]>,
): Promise<Storage> {
  const storage = await openSqlite({ path: ":memory:" });
  return { ...storage, writeEvents: (batch) => write(batch, storage) };
}

/**
 * Returns all actors of the running tree by their path: supervisors, services, and the singletons.
 */
async function treeOf({ mesher }: App): Promise<Map<string, string>> {
  const { place, node } = mesher;
  const found = new Map<string, string>();
  const visit = (shape: TreeShape, path: string): void => {
    if (shape.pid !== null) found.set(path, shape.pid);
    for (const child of shape.children) visit(child, `${path}/${child.id}`);
  };
  // The tree may exit during the inspection.
  const shape = place.tree && await treeShape("", place.tree).catch(() => null);
  if (shape !== null) visit(shape, "mesher");
  for (const { name } of ROUNDS) {
    const pid = node.global.whereis(name);
    if (pid !== undefined) found.set(name, `${pid}`);
  }
  return found;
}

test("Each accepted event is counted exactly once although services are killed under load", async () => {
  await onStage(async ({ app, sender, first, lines }) => {
    const { node, counters, inbox, outbox, storage } = app.mesher;
    const accepted: string[] = [];
    let isOver = false;
    const load = async (): Promise<void> => {
      while (!isOver) {
        await until("the inbox has room", () => inbox.size < INBOX_MAX / 2);
        const batch = Array.from({ length: 20 }, (_, i) => ({ message: `fault ${i % 3}` }));
        const got = await sender.post("/api/v1/events/bulk", batch);
        assertEquals([got.status, got.json.accepted], [202, 20]);
        accepted.push(...got.json.ids);
      }
    };
    const loads = [load(), load()];
    const whole = await treeOf(app);
    const places = [...whole.keys()];
    assertEquals(places.length, SERVICES.length + 3 + ROUNDS.length, places.join(" "));
    for (const path of places) {
      const before = (await treeOf(app)).get(path);
      assert(before !== undefined, `${path} runs`);
      const accepts = accepted.length;
      const pid = node.actors().find((pid) => `${pid}` === before)!;
      node.exit(pid, "kill");
      await until(`${path} and all others run`, async () => {
        const tree = await treeOf(app);
        return tree.get(path) !== before && places.every((place) => tree.has(place));
      });
      await until("more events are accepted", () => accepted.length > accepts);
    }
    isOver = true;
    await Promise.all(loads);
    await until("all events are stored", () => inbox.size + outbox.size === 0);
    assertEquals(new Set(accepted).size, accepted.length);
    assertEquals(counters.get("accepted"), accepted.length);
    assertEquals(await storage.eventCount(first.projectId, 0), accepted.length);
    const { rows } = await storage.issues(first.organisationId, first.projectId, {}, { limit: 9 });
    const counted = rows.map(({ eventCount }) => eventCount);
    assertEquals(counted.reduce((sum, count) => sum + count, 0), accepted.length);
    assert(lines.includes("all services have ended, and are restarted"));
  }, { ratePerMinute: 1_000_000_000 });
});

test("Writer writes 50 events at once, and fewer events after 250 ms", async () => {
  const sizes: number[] = [];
  const storage = await storageThat((batch, real) => {
    sizes.push(batch.length);
    return real.writeEvents(batch);
  });
  await onStage(
    async ({ app }) => {
      const { intake, counters, storage } = app.mesher;
      const project = (await storage.allProjects())[0]!;
      const take = (count: number) => intake.take(project, Array.from({ length: count }, anEvent));
      await take(50);
      await until("the first events are stored", () => counters.get("stored") === 50);
      await Promise.all([take(15), take(15)]);
      await until("the other events are stored", () => counters.get("stored") === 80);
      assertEquals(sizes, [50, 30]);
    },
    {},
    storage,
  );
});

test("Writer that is killed during a write is replaced by a writer that writes the same batch", async () => {
  let writes = 0;
  const storage = await storageThat((batch, real) =>
    // The first write never ends.
    ++writes === 1 ? new Promise(() => {}) : real.writeEvents(batch)
  );
  await onStage(
    async ({ app, sender }) => {
      const { node, counters, outbox } = app.mesher;
      assertEquals((await sender.post("/api/v1/events", { message: "held" })).status, 202);
      await until("the first write has begun", () => writes === 1);
      node.exit(node.whereis(WRITER)! as Pid<never>, "kill");
      await until("the successor has written the batch", () => counters.get("stored") === 1);
      assertEquals([writes, outbox.size], [2, 0]);
    },
    {},
    storage,
  );
});

test("Writer keeps events while the database is down, and stores each event once when it is up", async () => {
  let isAway = true;
  const storage = await storageThat((batch, real) => {
    if (isAway) return Promise.reject(new StorageError("away", true));
    return real.writeEvents(batch);
  });
  await onStage(
    async ({ sender, app, lines, first }) => {
      const got = await sender.post("/api/v1/events/bulk", [{ message: "a" }, { message: "b" }]);
      assertEquals(got.status, 202);
      await until(
        "the write was retried twice",
        () => app.mesher.counters.get("write_retries") >= 2,
      );
      assert(lines.some((line) => /storage failed, 2 events wait/.test(line)), lines.join("\n"));
      isAway = false;
      await until("both events are stored", () => app.mesher.counters.get("stored") === 2);
      assertEquals(await app.mesher.storage.eventCount(first.projectId, 0), 2);
      assert(lines.includes("storage is back"));
    },
    {},
    storage,
  );
});

test("Writer stores the other events when the database permanently rejects one", async () => {
  const storage = await storageThat((batch, real) => {
    if (batch.some(({ title }) => title === "poison")) {
      return Promise.reject(new StorageError("refused", false));
    }
    return real.writeEvents(batch);
  });
  await onStage(
    async ({ sender, app }) => {
      const batch = [{ message: "a" }, { message: "poison" }, { message: "b" }];
      await sender.post("/api/v1/events/bulk", batch);
      await until("the other events are stored", () => app.mesher.counters.get("stored") === 2);
      assertEquals(app.mesher.counters.get("unwritable"), 1);
      assertEquals(app.mesher.outbox.size, 0);
    },
    {},
    storage,
  );
});

test("Ingest answers 503 while the buffer is full", async () => {
  let isAway = true;
  const storage = await storageThat((batch, real) =>
    isAway ? Promise.reject(new StorageError("away", true)) : real.writeEvents(batch)
  );
  await onStage(
    async ({ sender, app }) => {
      const { inbox, outbox, counters, intake, storage } = app.mesher;
      const project = (await storage.allProjects())[0]!;
      const full = Array.from({ length: 1_000 }, anEvent);
      let taken = 0;
      while ((await intake.take(project, full)).kind === "accepted") taken++;
      assert(taken * 1_000 <= INBOX_MAX + outbox.max);
      const got = await sender.post(
        "/api/v1/events/bulk",
        Array.from({ length: 100 }, () => ({ message: "m" })),
      );
      if (inbox.room < 100) {
        assertEquals([got.status, got.json.error], [503, "the buffer is full"]);
        assertEquals(got.headers.get("retry-after"), "1");
      }
      assert(counters.get("refused_full") >= 1_000);
      await intake.take(project, full.slice(0, inbox.room));
      if (inbox.room === 0) {
        const [bad, late] = [await sender.post("/api/v1/events", {}), inbox.room];
        if (late === 0) assertEquals(bad.status, 503, "it is not validated in vain");
      }
      isAway = false;
      await until(
        "the buffer has room",
        () => inbox.room > 1_000 && outbox.size < 500,
      );
      assertEquals((await sender.post("/api/v1/events", { message: "m" })).status, 202);
    },
    { ratePerMinute: 1_000_000_000 },
    storage,
  );
});

test("Live sends a client issues, alerts and the events that match its filter", async () => {
  await onStage(async ({ app, sender, user, first }) => {
    const all = await watch(app.url, first);
    const some = await watch(app.url, first);
    some.send({ type: "subscribe", filters: { level: "fatal", environment: "production" } });
    await until("the filter is set", () => some.others.length === 1);
    assertEquals(some.others[0], {
      type: "filters_updated",
      filters: { level: "fatal", environment: "production" },
    });
    await user.post("/api/v1/projects/default/alert-rules", {
      name: "All that is new",
      condition: { condition_type: "new_issue" },
    });
    const send = async (level: string, environment: string): Promise<string> =>
      (await sender.post("/api/v1/events", { message: `${level}`, level, environment })).json.id;
    const [a, b, c] = [
      await send("fatal", "production"),
      await send("fatal", "staging"),
      await send("error", "production"),
    ];
    await until(
      "both watchers have received their events",
      () => all.seen.size === 3 && some.seen.size === 1,
    );
    assertEquals([...some.seen], [[a, 1]]);
    assertEquals(new Set(all.seen.keys()), new Set([a, b, c]));
    await until("the alert has arrived", () => some.others.some(({ type }) => type === "alert"));
    await until("the count has arrived", () => all.others.some(({ count }) => count === 2));

    const issues = (await user.get("/api/v1/projects/default/issues")).json.data;
    await user.post(`/api/v1/issues/${issues[0].id}/resolve`);
    await until(
      "the change has arrived",
      () => all.others.some(({ type, action }) => type === "issue" && action === "resolved"),
    );
    some.send({ type: "nonsense" });
    await until(
      "the invalid message is answered",
      () => some.others.some(({ error }) => error !== undefined),
    );
    await Promise.all([all.close(), some.close()]);
    await until("no client watches", () => app.mesher.live.clients === 0);
  });
});

test("WebSocket ingest accepts events with a key, and answers each event", async () => {
  await onStage(async ({ app, first }) => {
    const socket = new WebSocket(
      `ws://127.0.0.1:${app.mesher.ports.ws}/ingest`,
      { headers: { "x-api-key": first.key } } as never,
    );
    const answers: { status?: string; error?: string }[] = [];
    await new Promise((opened) => socket.onopen = opened);
    socket.onmessage = ({ data }) => answers.push(JSON.parse(String(data)));
    socket.send(JSON.stringify({ message: "by socket" }));
    socket.send("{");
    socket.send(JSON.stringify({ level: "strange", message: "m" }));
    await until("all events are answered", () => answers.length === 3);
    assertEquals(answers[0]!.status, "accepted");
    assertEquals(answers[1]!.error, "invalid json");
    assertEquals(answers[2]!.error, "level must be one of debug, info, warning, error, fatal");
    await until("the event is stored", () => app.mesher.counters.get("stored") === 1);
    const closed = new Promise((done) => socket.onclose = done);
    socket.close();
    await closed;
  });
});

test("WebSocket ingest counts rejections with the same reasons as HTTP ingest", async () => {
  await onStage(async ({ app, first }) => {
    const { counters, ports } = app.mesher;
    const socket = new WebSocket(
      `ws://127.0.0.1:${ports.ws}/ingest`,
      { headers: { "x-api-key": first.key } } as never,
    );
    const answers: { status?: string; error?: string; retry_after?: number }[] = [];
    await new Promise((opened) => socket.onopen = opened);
    socket.onmessage = ({ data }) => answers.push(JSON.parse(String(data)));
    for (let i = 0; i < 3; i++) socket.send(JSON.stringify({ message: "m" }));
    socket.send("{");
    await until("all events are answered", () => answers.length === 4);
    assertEquals(answers.slice(0, 3).map(({ status }) => status), [
      "accepted",
      undefined,
      undefined,
    ]);
    assert(answers[1]!.retry_after! > 0);
    assertEquals(counters.labelled("rejected"), { rate_limited: 2, invalid_body: 1 });
    const closed = new Promise((done) => socket.onclose = done);
    socket.close();
    await closed;
  }, { ratePerMinute: 1 });
});

test("A WebSocket is rejected without a credential for its organisation", async () => {
  await onStage(async ({ app, first, user }) => {
    const opens = (path: string, headers: Record<string, string>): Promise<boolean> =>
      new Promise((resolve) => {
        const socket = new WebSocket(app.url.replace("http", "ws") + path, { headers } as never);
        socket.onopen = () => (socket.onclose = () => resolve(true), socket.close());
        socket.onerror = () => resolve(false);
      });
    const stream = "/stream/projects/default";
    assertEquals(await opens(stream, {}), false);
    assertEquals(await opens(stream, { "x-api-key": first.key }), false);
    assertEquals(await opens(stream, user.headers), true);
    assertEquals(await opens(`/ws${stream}`, user.headers), true);
    assertEquals(await opens(stream, { ...user.headers, origin: "https://evil.example" }), false);
    assertEquals(await opens("/stream/projects/other", user.headers), false);
    assertEquals(await opens("/ingest", user.headers), false);
    assertEquals(await opens("/ingest", { "x-api-key": `mshr_${"0".repeat(48)}` }), false);
    assertEquals(await opens("/elsewhere", user.headers), false);
  });
});
