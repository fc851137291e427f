/**
 * Tests that everything is accepted that Sentry accepts: encodings, tunnels, large attachments, old
 * clients, browser reports. Data that is not stored is counted and shown to operators.
 */
import { assert, assertEquals } from "@std/assert";
import { Buffer } from "node:buffer";
import {
  brotliCompressSync,
  deflateRawSync,
  deflateSync,
  gzipSync,
  zstdCompressSync,
} from "node:zlib";
import { test, until } from "../kit/test.ts";
import { readConfig } from "../../mesher/config.ts";
import { Client, onStage, type Stage } from "./end_to_end_kit.ts";

const envelope = (message: string, header: object = {}): string =>
  `${JSON.stringify(header)}\n{"type":"event","length":null}\n${JSON.stringify({ message })}\n`;

async function assertTitles({ user }: Stage, wanted: readonly string[]): Promise<void> {
  let titles: string[] = [];
  await until(`${wanted.join(", ")} are stored`, async () => {
    const got = await user.get("/api/v1/projects/default/events?limit=100");
    titles = got.json.data.map(({ title }: { title: string }) => title);
    return wanted.every((title) => titles.includes(title));
  });
}

test("An envelope is accepted in every encoding that Sentry's SDKs use", async () => {
  await onStage(async (stage) => {
    const encodings = [
      ["gzip", gzipSync],
      ["deflate", deflateSync],
      ["br", brotliCompressSync],
      ["zstd", zstdCompressSync],
      // Deflate without the header of zlib, and several encodings that are applied one after
      // another.
      ["Deflate", deflateRawSync],
      ["identity, deflate, gzip", (text: string) => gzipSync(deflateSync(text))],
    ] as const;
    for (const [encoding, compress] of encodings) {
      const sender = stage.sender.as({ ...stage.sender.headers, "content-encoding": encoding });
      const body = new Uint8Array(compress(envelope(`as ${encoding}`)));
      assertEquals((await sender.ask("POST", "/api/1/envelope/", body)).status, 200, encoding);
    }
    await assertTitles(stage, encodings.map(([encoding]) => `as ${encoding}`));
    const rejected = [
      ["lz4", 415],
      ["gzip, lz4", 415],
      ["gzip, gzip, gzip, gzip", 415],
      ["gzip, gzip", 400],
      ["deflate", 400],
      ["zstd", 400],
    ] as const;
    const body = new Uint8Array(gzipSync(envelope("x")));
    for (const [encoding, status] of rejected) {
      const sender = stage.sender.as({ ...stage.sender.headers, "content-encoding": encoding });
      assertEquals((await sender.ask("POST", "/api/1/envelope/", body)).status, status, encoding);
    }
  });
});

test("An envelope without a key in its header is accepted with the DSN in its first line", async () => {
  await onStage(async (stage) => {
    const { app, first, lines } = stage;
    const unknown = new Client(app.url);
    const dsn = (key: string): string => `https://${key}@mesher.example/1`;
    const send = (text: string) => unknown.ask("POST", "/api/1/envelope/", text);
    assertEquals((await send(envelope("by its DSN", { dsn: dsn(first.key) }))).status, 200);
    assertEquals((await send(envelope("x", { dsn: dsn("wrong") }))).status, 401);
    assertEquals((await send(envelope("x"))).status, 401);
    assertEquals((await send("nonsense")).status, 401);
    await assertTitles(stage, ["by its DSN"]);
    assertEquals(app.mesher.counters.labelled("rejected"), { unauthorized: 3 });
    // Logging is limited: only the first message of each kind is logged, and then none for some
    // time.
    const logged = lines.filter((line) => line.startsWith("ingest rejected"));
    assertEquals(logged, ["ingest rejected (unauthorized): unauthorized"]);
  });
});

test("An item that is too large or malformed is dropped, and the others are stored", async () => {
  await onStage(async (stage) => {
    const { sender, user, app } = stage;
    const large = `{}\n{"type":"attachment","length":6000000}\n${"x".repeat(6_000_000)}\n`;
    const body = large + envelope("beside 6 MB").slice(3) +
      `{"type":"event"}\n"${"y".repeat(1_200_000)}"\n{"type":"event"}\nnonsense\n`;
    assertEquals((await sender.ask("POST", "/api/1/envelope/", body)).status, 200);
    await assertTitles(stage, ["beside 6 MB"]);
    assertEquals(app.mesher.counters.labelled("ignored_items"), { attachment: 1 });
    const [node] = (await user.get("/api/v1/cluster")).json.nodes;
    assertEquals(node.ignored_items, { attachment: 1 });
    assertEquals(node.rejected, { too_large: 1, invalid_json: 1 });
    const metrics = (await user.get("/metrics")).json as string;
    assert(metrics.includes('mesher_ignored_items_total{type="attachment"} 1'), metrics);
    assert(metrics.includes('mesher_rejected_total{reason="too_large"} 1'), metrics);
  });
});

test("The store route accepts deflated JSON in base64, and an empty event", async () => {
  await onStage(async (stage) => {
    const { sender, app } = stage;
    const packed = Buffer.from(deflateSync('{"message":"packed"}')).toString("base64");
    for (const body of [packed, `{"logger":"x"}`, `{"type":"transaction","message":"t"}`]) {
      assertEquals((await sender.ask("POST", "/api/1/store/", body)).status, 200, body);
    }
    for (const body of ["", "nonsense", packed.slice(0, 12), "{"]) {
      assertEquals((await sender.ask("POST", "/api/1/store/", body)).status, 400, body);
    }
    await assertTitles(stage, ["packed", "Untitled"]);
    assertEquals(app.mesher.counters.labelled("ignored_items"), { transaction: 1 });
  });
});

test("Routes for data that Mesher does not store answer with a reason, and count the data by type", async () => {
  await onStage(async ({ sender, app, user, first }) => {
    const stranger = new Client(app.url);
    const cases = [
      [sender, "POST", "minidump/", 501],
      [sender, "POST", "otlp/v1/traces", 501],
      [sender, "POST", "integration/otlp/v1/logs", 501],
      [sender, "POST", "nel/", 200],
      [sender, "POST", `events/${"a".repeat(32)}/attachments/`, 200],
      [stranger, "GET", `cron/nightly/${first.key}/?status=ok`, 200],
      [stranger, "POST", `cron/nightly/${first.key}`, 200],
      [stranger, "GET", "cron/nightly/wrong/", 401],
      [stranger, "POST", "minidump/", 401],
    ] as const;
    for (const [client, method, path, status] of cases) {
      const body = method === "GET" ? undefined : "{}";
      const got = await client.ask(method, `/api/1/${path}`, body);
      assertEquals([path, got.status], [path, status]);
      if (status === 501) assert(got.json.error.startsWith("Mesher does not store"), path);
    }
    const [node] = (await user.get("/api/v1/cluster")).json.nodes;
    assertEquals(node.ignored_items, {
      minidump: 1,
      otlp_traces: 1,
      otlp_logs: 1,
      nel: 1,
      attachment: 1,
      check_in: 2,
    });
  });
});

test("Ids of 18 digits are stored without rounding", async () => {
  await onStage(async ({ sender, user }) => {
    const body = `{"message": "m", "user": {"id": 123456789012345678, "plan": "gold"},
      "extra": {"order": -9007199254740993, "near": 1.5e300, "text": "[1234567890123456789"}}`;
    const sent = await sender.ask("POST", "/api/1/store/", body);
    const id = sent.json.id.replace(/(.{8})(.{4})(.{4})(.{4})/, "$1-$2-$3-$4-");
    let event = sent.json;
    await until("the event is stored", async () => {
      const got = await user.get(`/api/v1/events/${id}`);
      event = got.json.event;
      return got.status === 200;
    });
    assertEquals(event.user_context.id, "123456789012345678");
    assertEquals(event.extra.order, "-9007199254740993");
    assertEquals([event.extra.near, event.extra.text], [1.5e300, "[1234567890123456789"]);
    assertEquals(event.contexts.user, { plan: "gold" });
  });
});

test("Browser reports and user feedback are stored as events", async () => {
  await onStage(async (stage) => {
    const { sender, first, app } = stage;
    const csp = {
      "csp-report": {
        "document-uri": "https://a.example/",
        "effective-directive": "script-src",
        "blocked-uri": "https://evil.example/x.js",
      },
    };
    // Sends the report as browsers do: with the key in the URL and without custom headers.
    const browser = new Client(app.url, { "content-type": "application/csp-report" });
    const path = `/api/1/security/?sentry_key=${first.key}`;
    assertEquals((await browser.post(path, csp)).status, 200);
    const modern = [{
      type: "csp-violation",
      url: "https://a.example/",
      user_agent: "B/1",
      body: { effectiveDirective: "img-src", blockedURL: "inline" },
    }, { type: "deprecation", body: {} }];
    assertEquals((await browser.post(path, modern)).status, 200);
    assertEquals((await browser.post(path, { x: 1 })).status, 400);
    const older = {
      "csp-report": { "violated-directive": "style-src 'self'", "blocked-uri": "eval" },
    };
    const olderPath = `/api/1/csp-report/?sentry_key=${first.key}`;
    assertEquals((await browser.post(olderPath, older)).status, 200);
    const feedback = `{}\n{"type":"feedback"}\n${
      JSON.stringify({ contexts: { feedback: { message: "it is slow", contact_email: "a@b.c" } } })
    }\n{"type":"user_report"}\n{"event_id":"${"a".repeat(32)}","comments":"it broke"}\n`;
    assertEquals((await sender.ask("POST", "/api/1/envelope/", feedback)).status, 200);
    await assertTitles(stage, [
      "Blocked 'script-src' from 'evil.example'",
      "Blocked 'img-src' from 'inline'",
      "Blocked 'style-src' from 'eval'",
      "User feedback: it is slow",
      "User feedback: it broke",
    ]);
    assertEquals(app.mesher.counters.labelled("ignored_items"), { browser_report: 1 });
    const many = Array.from({ length: 120 }, () => ({
      type: "csp-violation",
      body: { effectiveDirective: "font-src", blockedURL: "https://f.example/" },
    }));
    assertEquals((await browser.post(path, many)).status, 200);
    await until("all are stored", () => Promise.resolve(app.mesher.counters.get("stored") === 125));
  });
});

test("Secrets are removed from stored events, including those that a project's own rules name", async () => {
  await onStage(async ({ sender, user }) => {
    const settings = { scrub: { fields: ["member_number"], safe: ["csrf_token"] } };
    assertEquals((await user.post("/api/v1/projects/default/settings", settings)).status, 200);
    const extra = { password: "hunter2", member_number: "M-77", csrf_token: "seen" };
    const { id } = (await sender.post("/api/v1/events", { message: "m", extra })).json;
    const path = `/api/v1/events/${id}`;
    await until("the event is stored", async () => (await user.get(path)).status === 200);
    const text = JSON.stringify((await user.get(path)).json);
    assert(!text.includes("hunter2") && !text.includes("M-77") && text.includes("seen"), text);
    const wrong = await user.post("/api/v1/projects/default/settings", { scrub: { fields: 5 } });
    assertEquals(wrong.status, 400);
  });
});

test("A user's address is inferred where Sentry infers it: for {{auto}}, infer_ip and browsers", async () => {
  const proxies = readConfig({ MESHER_PROXIES: "127.0.0.1" }, { memory: true }).proxies;
  await onStage(async ({ sender, user }) => {
    const from = sender.as({ ...sender.headers, "x-forwarded-for": "9.9.9.9, 203.0.113.9" });
    const addressOf = async (event: unknown): Promise<unknown> => {
      const { id } = (await from.post("/api/1/store/", event)).json;
      const path = `/api/v1/events/${id.replace(/(.{8})(.{4})(.{4})(.{4})/, "$1-$2-$3-$4-")}`;
      await until("the event is stored", async () => (await user.get(path)).status === 200);
      return (await user.get(path)).json.event.user_context;
    };
    const infer = (setting: string) => ({ name: "js", settings: { infer_ip: setting } });
    const known = { id: null, email: null, username: null, ip: "203.0.113.9" };
    assertEquals(await addressOf({ message: "m", user: { id: 7, ip_address: "{{auto}}" } }), {
      ...known,
      id: "7",
    });
    assertEquals(await addressOf({ message: "m", sdk: infer("auto") }), known);
    assertEquals(await addressOf({ message: "m", platform: "javascript" }), known);
    const never = { message: "m", platform: "javascript", sdk: infer("never") };
    assertEquals(await addressOf(never), null);
    assertEquals(await addressOf({ message: "m", platform: "python" }), null);
  }, { proxies });
});

test("Commits, deploys and archived releases of sentry-cli are accepted, and not stored", async () => {
  await onStage(async ({ app, user }) => {
    const token =
      (await user.post("/api/v1/tokens", { label: "ci", scopes: "releases" })).json.token;
    const cli = new Client(app.url, { authorization: `Bearer ${token}` });
    const [org] = (await user.get("/api/v1/orgs")).json;
    assertEquals((await cli.get("/api/0/")).json.user.email, "admin@mesher.local");
    assertEquals((await cli.get("/api/0/organizations/")).json[0].slug, org.slug);
    const releases = `/api/0/organizations/${org.slug}/releases`;
    const release = `${releases}/shop@1/`;
    const commits = JSON.stringify({ commits: [{ id: "a".repeat(40) }] });
    assertEquals((await cli.ask("PUT", release, commits)).status, 404);
    await cli.post(`${releases}/`, { version: "shop@1", projects: ["default"] });
    assertEquals((await cli.ask("PUT", release, commits)).json.version, "shop@1");
    const archived = { version: "shop@1", projects: [], status: "archived" };
    assertEquals((await cli.post(`${releases}/`, archived)).json.version, "shop@1");
    const deploy = await cli.post(`${release}deploys/`, { environment: "prod" });
    assertEquals([deploy.status, deploy.json.environment], [201, "prod"]);
    assertEquals((await cli.get(`${release}deploys/`)).json, []);
    assertEquals(app.mesher.counters.labelled("ignored_items"), { deploy: 1 });
  });
});
