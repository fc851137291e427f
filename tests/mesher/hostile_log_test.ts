/**
 * Tests that external input is escaped: it cannot start other log lines, response headers or
 * metrics, and is only data in a page's data.
 */
import { assert, assertEquals } from "@std/assert";
import { lineOf } from "../../mesher/log.ts";
import type { Storage } from "../../mesher/storage/storage.ts";
import { openStorage } from "../../mesher/storage/open.ts";
import { StorageError } from "../../mesher/storage/error.ts";
import { test, until } from "../kit/test.ts";
import { onStage } from "./end_to_end_kit.ts";
import {
  ask,
  bodyOf,
  DESTRUCTIVE,
  headOf,
  operationsOf,
  ownOrganisation,
  pathOf,
  rawAsk,
} from "./hostile_kit.ts";

/**
 * A text that, without escaping, would forge a log line with colour and reversed text, and a
 * header.
 */
const MARK =
  "MARK\r\n2026-01-01T00:00:00.000Z error \u001b[31mforged\u202e\u2028X-Forged: 1\r\n\r\n";

test("lineOf writes any text as one line without terminal escapes", () => {
  const all = Array.from({ length: 0x1_0000 }, (_, code) => String.fromCharCode(code));
  for (let at = 0; at < all.length; at += 512) {
    const line = lineOf(all.slice(at, at + 512).join("a"));
    assert(!/[\p{Cc}\p{Cf}\p{Cs}\u2028\u2029]/u.test(line), `${at}`);
  }
  assertEquals(lineOf("a\r\nb\u001b[31mc\u202ed\u2028e"), "a ⏎ b ⏎ [31mc\\u{202e}d ⏎ e");
  assertEquals(lineOf("plain: it's 100% ü 東京 🎉"), "plain: it's 100% ü 東京 🎉");
  assert(lineOf("x".repeat(10_000_000)).length <= 4_096);
});

test("Data from a client is never logged", async () => {
  await onStage(async (stage) => {
    const { lines, app } = stage;
    const { user, sender, ids } = await ownOrganisation(stage);
    const header = encodeURIComponent(MARK);
    const named = {
      "user-agent": `MARK ${header}`,
      referer: `http://MARK/${header}`,
      "x-forwarded-for": "MARK",
      "x-request-id": "MARK",
    };
    for (const operation of await operationsOf(app.url)) {
      const { method, path, body, query, access } = operation;
      if (DESTRUCTIVE.test(path)) continue;
      const client = access === "key" ? sender : user;
      const asker = client.as({ ...client.headers, ...named });
      const texts = Object.fromEntries(
        Object.entries(body ?? {}).map((
          [name, { type, enum: values }],
        ) => [name, type === "string" && values === undefined ? MARK : bodyOf(operation)[name]]),
      );
      const search = new URLSearchParams(Object.keys(query).map((name) => [name, MARK]));
      const paths = [pathOf(operation, ids), path.replaceAll(/\{\w+\}/g, header)];
      for (const at of paths) {
        if (method === "GET") await asker.get(`${at}?${search}`);
        else await asker.post(at, access === "key" ? { message: MARK, level: MARK } : texts);
      }
    }
    const event = {
      ...{ message: MARK, environment: MARK, release: MARK, tags: { [MARK]: MARK } },
      ...{ exception: { type: MARK, value: MARK }, fingerprint: [MARK], user: { id: MARK } },
    };
    await sender.post("/api/v1/events", event);
    await sender.ask("POST", "/api/1/envelope/", `{"dsn":"MARK"}\n{"type":"MARK"}\nMARK`);
    for (const role of ["stream/projects/default", "ingest"]) {
      const socket = new WebSocket(`${app.url.replace("http", "ws")}/${role}`, {
        headers: role === "ingest" ? sender.headers : user.headers,
      } as never);
      await new Promise((opened, failed) => {
        socket.onopen = opened;
        socket.onerror = () => failed(new Error(`${role} was rejected`));
      });
      const answered = new Promise((received) => socket.onmessage = received);
      socket.send(MARK);
      await answered;
      const closed = new Promise((done) => socket.onclose = done);
      socket.close(3000, "MARK");
      await closed;
    }
    for (
      const request of [
        headOf(`GET /api/v1/${header}`, { host: "MARK", cookie: "mesher_session=MARK" }),
        headOf("MARK /api/v1/orgs"),
        "MARK\r\n\r\n",
        headOf("GET /api/v1/orgs", { "MARK ": "MARK" }),
        headOf("GET /stream/projects/MARK", { upgrade: "websocket", connection: "upgrade, close" }),
      ]
    ) await rawAsk(app.url, request);
    await until(
      "all events are stored",
      () => app.mesher.inbox.size + app.mesher.outbox.size === 0,
    );
    assertEquals(lines.filter((line) => /MARK|forged/i.test(decodeURIComponent(line))), []);
  });
});

test("A database failure is logged in one line, and not shown to the client", async () => {
  const real = await openStorage({ sqlitePath: ":memory:" });
  const storage: Storage = {
    ...real,
    until: () => storage,
    issues: () => Promise.reject(new Error(`syntax error at '${MARK}' in SELECT`)),
    alerts: () => Promise.reject(new StorageError(`postgres://mesh:secret@db/ ${MARK}`, true)),
    health: async () => ({ ...await real.health(), ok: false, problem: "no user mesh at db" }),
  };
  await onStage(
    async ({ user, lines }) => {
      const broken = await user.get("/api/v1/projects/default/issues");
      assertEquals([broken.status, broken.json], [500, { error: "internal error" }]);
      const away = await user.get("/api/v1/projects/default/alerts");
      assertEquals([away.status, away.json], [503, { error: "the database is unavailable" }]);
      assertEquals(away.headers.get("retry-after"), "5");
      const cluster = (await user.get("/api/v1/cluster")).json.storage;
      assertEquals([cluster.ok, cluster.problem], [false, "the database does not answer"]);
      const ready = await user.as({}).get("/ready");
      assertEquals([ready.status, ready.json], [503, { status: "database away" }]);
      const logged = lines.filter((line) => line.includes("a request failed"));
      assertEquals(logged.length, 2);
      for (const line of logged) assert(!/[\p{Cc}\p{Cf}]/u.test(lineOf(line)));
    },
    {},
    storage,
  );
});

test("Data from a client never appears in a response header", async () => {
  await onStage(async (stage) => {
    const { user, sender, ids } = await ownOrganisation(stage);
    const known = new Set([
      ...["allow", "cache-control", "connection", "content-length", "content-type", "date"],
      ...["keep-alive", "retry-after", "set-cookie", "transfer-encoding", "vary"],
      ...["x-content-type-options", "x-sentry-rate-limits", "www-authenticate"],
    ]);
    for (const operation of await operationsOf(stage.app.url)) {
      if (DESTRUCTIVE.test(operation.path)) continue;
      const client = operation.access === "key" ? sender : user;
      const origin = operation.method === "GET" ? { origin: "https://evil.example" } : {};
      const named = { ...client.headers, ...origin, "x-mark": "MARK" };
      const got = await ask(client.as(named), operation, pathOf(operation, ids));
      for (const [name, value] of got.headers) {
        if (operation.access === "key" && name.startsWith("access-control-")) continue;
        assert(known.has(name), `${operation.path}: ${name}: ${value}`);
        assert(!/MARK|evil/.test(value), `${operation.path}: ${name}: ${value}`);
      }
      assertEquals(got.headers.get("x-content-type-options"), "nosniff");
      assertEquals(got.headers.get("cache-control"), "no-store", operation.path);
    }
  });
});

test("Metrics remain valid for a scraper, whatever names clients choose", async () => {
  await onStage(async (stage) => {
    const { user, sender } = stage;
    const name = 'a"} 1\nmesher_forged_total 99\n# TYPE x{y="z\\';
    await user.post("/api/v1/orgs", { name });
    await user.post("/api/v1/orgs/default/projects", { name, slug: "p", platform: name });
    await user.post("/api/v1/projects/p/api-keys", { label: name });
    await sender.post("/api/v1/events", {
      message: name,
      environment: name,
      tags: { [name]: name },
    });
    const metrics = await user.get("/metrics");
    const lines = (metrics.json as string).split("\n");
    assertEquals(lines.pop(), "");
    assert(lines.length > 20);
    for (const line of lines) {
      assert(
        /^# (?:TYPE|HELP) mesher_[a-z0-9_]+ [ -~]+$/.test(line) ||
          /^mesher_[a-z0-9_]+(?:\{[a-z_]+="[^"\\\n]*"(?:,[a-z_]+="[^"\\\n]*")*\})? \d+(?:\.\d+)?$/
            .test(line),
        line,
      );
      assert(!line.includes("forged"), line);
    }
    assertEquals(metrics.headers.get("content-type"), "text/plain; version=0.0.4; charset=utf-8");
    assertEquals(metrics.headers.get("x-content-type-options"), "nosniff");
  });
});
