/** Tests every route once as intended: its status and the names in its body. */
import { assert, assertEquals, assertMatch } from "@std/assert";
import { test, until } from "../kit/test.ts";
import { type Client, loggedIn, onStage, type Stage } from "./end_to_end_kit.ts";

/**
 * Sends an event with a stack, and waits until it is stored. Returns its id and that of its issue.
 */
async function stored(
  { sender, user }: Stage,
  event: Record<string, unknown> = { message: "boom" },
): Promise<{ id: string; issueId: string }> {
  const got = await sender.post("/api/v1/events", event);
  assertEquals(got.status, 202, JSON.stringify(got.json));
  assertEquals(got.json.status, "accepted");
  const { id } = got.json;
  let issueId = "";
  await until("the event is stored", async () => {
    const found = await user.get(`/api/v1/events/${id}`);
    issueId = found.json.event?.issue_id;
    return found.status === 200;
  });
  return { id, issueId };
}

async function ok(client: Client, method: "get" | "post", path: string, body?: unknown) {
  const got = method === "get" ? await client.get(path) : await client.post(path, body);
  assert(
    got.status >= 200 && got.status < 300,
    `${path}: ${got.status} ${JSON.stringify(got.json)}`,
  );
  return got.json;
}

test("Ingest stores single events, bulk requests and Sentry envelopes", async () => {
  await onStage(async (stage) => {
    const { sender, user } = stage;
    const { id } = await stored(stage, { message: "one", tags: { color: "red" } });
    assertEquals((await sender.post("/api/v1/events", { id, message: "one" })).json.id, id);

    const bulk = await sender.post("/api/v1/events/bulk", [
      { message: "two" },
      { message: 3 },
      { message: "four", level: "fatal" },
    ]);
    assertEquals([bulk.status, bulk.json.accepted, bulk.json.ids.length], [202, 2, 2]);
    assertEquals(bulk.json.errors, [{ index: 1, error: "message must be a string" }]);

    const eventId = "0123456789abcdef0123456789abcdef";
    const item = JSON.stringify({ event_id: eventId, message: "by sentry", level: "warning" });
    const envelope = `{"event_id":"${eventId}"}\n{"type":"event"}\n${item}\n`;
    const auth = { "x-sentry-auth": `Sentry sentry_version=7, sentry_key=${stage.first.key}` };
    const got = await sender.as(auth).ask("POST", "/api/1/envelope/", envelope);
    assertEquals([got.status, got.json.id], [200, eventId]);
    const store = await sender.as(auth).post("/api/1/store/", { message: "by an old sdk" });
    assertEquals(store.status, 200);

    const list = async (): Promise<string[]> =>
      (await user.get("/api/v1/projects/default/events")).json.data
        .map((event: { message: string }) => event.message).sort();
    await until("five events are stored", async () => (await list()).length === 5);
    assertEquals(await list(), ["by an old sdk", "by sentry", "four", "one", "two"]);
  });
});

test("Ingest rejects invalid events with an error message", async () => {
  await onStage(async ({ sender, app }) => {
    const refused = async (path: string, body: string): Promise<unknown> => {
      const got = await sender.ask("POST", path, body);
      return [got.status, got.json.error];
    };
    assertEquals(await refused("/api/v1/events", "{"), [400, "invalid json"]);
    assertEquals(await refused("/api/v1/events", "[]"), [400, "an event must be a JSON object"]);
    assertEquals(await refused("/api/v1/events/bulk", "[]"), [
      400,
      "a bulk request must contain at least one event",
    ]);
    const big = JSON.stringify({ message: "x".repeat(1_048_576) });
    assertEquals(await refused("/api/v1/events", big), [400, "payload too large"]);
    assertEquals(await refused("/api/1/envelope/", "nonsense"), [
      400,
      "the envelope's first line must be a JSON object",
    ]);
    assertEquals(await refused("/api/nobodys/envelope/", "{}\n"), [404, "project not found"]);
    const gzip = new Blob([JSON.stringify({ message: "x".repeat(2_000_000) })]).stream()
      .pipeThrough(new CompressionStream("gzip"));
    const bomb = await new Response(gzip).arrayBuffer();
    const got = await sender.as({ ...sender.headers, "content-encoding": "gzip" })
      .ask("POST", "/api/v1/events", bomb);
    assertEquals([got.status, got.json.error], [400, "payload too large"]);
    assertEquals(app.mesher.counters.get("accepted"), 0);
  });
});

test("Ingest answers 429 with Retry-After over a project's limit until the minute ends", async () => {
  await onStage(async ({ sender, app }) => {
    const statuses: number[] = [];
    for (let i = 0; i < 7; i++) {
      statuses.push((await sender.post("/api/v1/events", { message: `${i}` })).status);
    }
    assertEquals(statuses, [202, 202, 202, 202, 202, 429, 429]);
    const got = await sender.post("/api/v1/events", { message: "late" });
    const seconds = Number(got.headers.get("retry-after"));
    assert(seconds >= 1 && seconds <= 120, `Retry-After: ${seconds}`);
    assertEquals(got.json, { error: "rate limited" });
    assertEquals(app.mesher.counters.get("accepted"), 5);
  }, { ratePerMinute: 5 });
});

test("Issues can be listed, filtered, changed, assigned and deleted", async () => {
  await onStage(async (stage) => {
    const { user } = stage;
    for (const [i, message] of ["alpha", "beta", "gamma"].entries()) {
      await stored(stage, { message, level: i === 0 ? "fatal" : "error" });
    }
    const { issueId } = await stored(stage, { message: "alpha", level: "fatal" });
    const base = "/api/v1/projects/default/issues";
    const titles = async (query: string): Promise<string[]> =>
      (await ok(user, "get", base + query)).data.map(({ title }: { title: string }) => title);
    assertEquals(await titles(""), ["alpha", "gamma", "beta"]);
    assertEquals(await titles("?level=fatal"), ["alpha"]);
    assertEquals(await titles("?q=AMM"), ["gamma"]);
    assertEquals(await titles("?status=resolved"), []);
    assertEquals(await titles("?assigned_to=none&limit=1000"), ["alpha", "gamma", "beta"]);
    const page = await ok(user, "get", `${base}?limit=2`);
    assertEquals([page.data.length, page.has_more], [2, true]);
    const rest = await ok(
      user,
      "get",
      `${base}?limit=2&cursor=${page.next_cursor}&cursor_id=${page.next_cursor_id}`,
    );
    assertEquals([rest.data[0].title, rest.data.length, rest.has_more], ["beta", 1, false]);
    assertEquals((await user.get(`${base}?cursor=nonsense`)).status, 400);
    assertEquals((await user.get(`${base}?status=strange`)).status, 400);

    const issue = `/api/v1/issues/${issueId}`;
    for (
      const [verb, status] of [
        ["resolve", "resolved"],
        ["archive", "archived"],
        ["unresolve", "unresolved"],
        ["discard", "discarded"],
      ]
    ) {
      assertEquals(await ok(user, "post", `${issue}/${verb}`), { status: "ok", affected: 1 });
      assertEquals((await ok(user, "get", issue)).status, status);
      assertEquals(await ok(user, "post", `${issue}/${verb}`), { status: "ok", affected: 0 });
    }
    const me = (await ok(user, "get", "/api/v1/me")).user.id;
    assertEquals(await ok(user, "post", `${issue}/assign`, { user_id: me }), { status: "ok" });
    assertEquals((await ok(user, "get", issue)).assigned_to, me);
    assertEquals(await titles(`?assigned_to=${me}`), ["alpha"]);
    await ok(user, "post", `${issue}/assign`, { user_id: "" });
    assertEquals((await ok(user, "get", issue)).assigned_to, null);
    assertEquals((await user.post(`${issue}/assign`, { user_id: "somebody" })).status, 404);

    const events = await ok(user, "get", `${issue}/events?limit=1`);
    assertEquals([events.data.length, events.has_more], [1, true]);
    const timeline = await ok(user, "get", `${issue}/timeline`);
    assertEquals(Object.keys(timeline[0]), ["id", "level", "message", "received_at"]);
    assertEquals(timeline.length, 2);
    assertEquals(await ok(user, "get", `${issue}/tags`), []);
    assertEquals(await ok(user, "post", `${issue}/delete`), { status: "ok", affected: 1 });
    assertEquals((await user.get(issue)).status, 404);
  });
});

test("Events are found by words and tags, and shown with the previous and next event", async () => {
  await onStage(async (stage) => {
    const { user } = stage;
    const exception = {
      type: "TypeError",
      value: "x is not a function",
      stacktrace: [{ file: "app.ts", function: "main", line: 3 }],
    };
    const first = await stored(stage, { exception, tags: { browser: "firefox" } });
    const second = await stored(stage, { exception, user: { email: "a@b.c" } });
    const base = "/api/v1/projects/default/events";
    const ids = (rows: { id: string }[]): string[] => rows.map(({ id }) => id);
    assertEquals(ids(await ok(user, "get", `${base}/search?q=typeerror`)), [second.id, first.id]);
    assertEquals(ids(await ok(user, "get", `${base}/search?q=typeerror&limit=1`)), [second.id]);
    assertEquals(ids(await ok(user, "get", `${base}/tags?key=browser&value=firefox`)), [first.id]);
    assertEquals((await user.get(`${base}/search`)).json, { error: "missing search query" });
    assertEquals((await user.get(`${base}/tags?key=a`)).json, {
      error: "missing key or value parameter",
    });
    assertEquals((await ok(user, "get", `${base}?level=error`)).data.length, 2);
    const { event, navigation } = await ok(user, "get", `/api/v1/events/${first.id}`);
    assertEquals(navigation, { next_id: second.id, prev_id: null });
    assertEquals([event.title, event.exception[0].type], [
      "TypeError: x is not a function",
      "TypeError",
    ]);
    assertEquals(event.stacktrace[0].function, "main");
  });
});

test("Dashboards count the received events", async () => {
  await onStage(async (stage) => {
    const { user } = stage;
    await stored(stage, { message: "a", level: "error", tags: { os: "linux" } });
    await stored(stage, { message: "b", level: "info", tags: { os: "linux" } });
    const base = "/api/v1/projects/default";
    const volume = await ok(user, "get", `${base}/dashboard/volume`);
    assertEquals([volume.length, volume.at(-1).count], [24, 2]);
    assertEquals((await ok(user, "get", `${base}/dashboard/volume?bucket=day`)).length, 1);
    assertEquals(await ok(user, "get", `${base}/dashboard/levels`), [
      { level: "error", count: 1 },
      { level: "info", count: 1 },
    ]);
    const [top] = await ok(user, "get", `${base}/dashboard/top-issues?limit=1`);
    assertEquals([top.event_count, top.status], [1, "unresolved"]);
    assertEquals(await ok(user, "get", `${base}/dashboard/tags?key=os`), [
      { value: "linux", count: 2 },
    ]);
    assertEquals((await user.get(`${base}/dashboard/tags`)).status, 400);
    assertEquals(await ok(user, "get", `${base}/dashboard/tag-keys`), [{ value: "os", count: 2 }]);
    assertEquals(await ok(user, "get", `${base}/dashboard/health`), {
      unresolved_count: 2,
      events_24h: 2,
      new_today: 2,
    });
    assertEquals((await ok(user, "get", `${base}/storage`)).event_count, 2);
  });
});

test("Alert rules fire for new issues, and their alerts can be acknowledged and resolved", async () => {
  await onStage(async (stage) => {
    const { user } = stage;
    const base = "/api/v1/projects/default";
    const rule = { name: "New", condition: { condition_type: "new_issue" }, cooldown_minutes: 0 };
    const made = await user.post(`${base}/alert-rules`, rule);
    assertEquals(made.status, 201);
    const { id } = made.json;
    const [shown] = await ok(user, "get", `${base}/alert-rules`);
    assertEquals([shown.id, shown.enabled, shown.action], [id, true, { type: "websocket" }]);
    assertEquals(
      (await user.post(`${base}/alert-rules`, { name: "x", condition: {} })).status,
      400,
    );

    await stored(stage, { message: "never seen before" });
    let alerts: { id: string; message: string; status: string; triggered_at: string }[] = [];
    await until("the alert has fired", async () => {
      alerts = await ok(user, "get", `${base}/alerts`);
      return alerts.length === 1;
    });
    const alert = alerts[0]!;
    assertEquals([alert.message, alert.status], ["New issue: never seen before", "active"]);
    const at = `/api/v1/alerts/${alert.id}`;
    assertEquals(await ok(user, "post", `${at}/acknowledge`), { status: "ok", affected: 1 });
    assertEquals(await ok(user, "post", `${at}/acknowledge`), { status: "ok", affected: 0 });
    assertEquals(await ok(user, "post", `${at}/resolve`), { status: "ok", affected: 1 });
    assertEquals((await ok(user, "get", `${base}/alerts?status=resolved`)).length, 1);
    assertEquals(await ok(user, "get", `${base}/alerts?status=active`), []);
    await stored(stage, { message: "a second one" });
    await until("the alert has fired again", async () => {
      alerts = await ok(user, "get", `${base}/alerts?status=active`);
      return alerts.length === 1;
    });
    const { triggered_at: firedAt } = alerts[0]!;
    const justBefore = new Date(Date.parse(firedAt) - 1).toISOString();
    const none = { status: "ok", affected: 0 };
    const resolve = (body: unknown) => ok(user, "post", `${base}/alerts/resolve`, body);
    assertEquals(await resolve({ until: justBefore }), none);
    assertEquals(await resolve({ status: "acknowledged" }), none);
    for (const wrong of [{ until: "yesterday" }, { until: "5" }, { status: "resolved" }]) {
      assertEquals((await user.post(`${base}/alerts/resolve`, wrong)).status, 400);
    }
    assertEquals((await ok(user, "get", `${base}/alerts?status=active`)).length, 1);
    const all = { status: "active", until: firedAt };
    assertEquals(await resolve(all), { status: "ok", affected: 1 });
    assertEquals(await resolve({}), none);
    assertEquals((await ok(user, "get", `${base}/alerts?status=resolved`)).length, 2);
    const toggle = await ok(user, "post", `/api/v1/alert-rules/${id}/toggle`, { enabled: false });
    assertEquals(toggle, { status: "ok", affected: 1 });
    assertEquals((await ok(user, "get", `${base}/alert-rules`))[0].enabled, false);
    await ok(user, "post", `/api/v1/alert-rules/${id}/delete`);
    assertEquals(await ok(user, "get", `${base}/alert-rules`), []);
  });
});

test("Projects, settings and keys can be changed", async () => {
  await onStage(async ({ user }) => {
    const made = await user.post("/api/v1/orgs/default/projects", { name: "Second Shop!" });
    assertEquals([made.status, made.json.slug], [201, "second-shop"]);
    assertEquals(
      (await user.post("/api/v1/orgs/default/projects", { name: "second shop" })).status,
      409,
    );
    const base = `/api/v1/projects/${made.json.id}`;
    assertEquals((await ok(user, "get", base)).name, "Second Shop!");
    assertEquals((await ok(user, "get", "/api/v1/projects")).length, 2);
    assertEquals((await ok(user, "get", "/api/v1/orgs/default/projects")).length, 2);
    const change = { retention_days: 7, sample_rate: 0.5 };
    assertEquals(await ok(user, "post", `${base}/settings`, change), { status: "ok", affected: 1 });
    const settings = await ok(user, "get", `${base}/settings`);
    assertEquals([settings.retention_days, settings.sample_rate], [7, 0.5]);
    assertEquals((await user.post(`${base}/settings`, { sample_rate: 2 })).json, {
      error: "sample_rate must be a number from 0 to 1",
    });

    const key = await user.post(`${base}/api-keys`, { label: "ci" });
    assertEquals(key.status, 201);
    assertMatch(key.json.key_value, /^mshr_[0-9a-f]{48}$/);
    const [listed] = await ok(user, "get", `${base}/api-keys`);
    assertEquals(listed.key_value, key.json.key_value, "the key is shown again");
    const sender = user.as({ authorization: `Bearer ${key.json.key_value}` });
    assertEquals((await sender.post("/api/v1/events", { message: "m" })).status, 202);
    await ok(user, "post", `/api/v1/api-keys/${listed.id}/revoke`);
    assertEquals((await sender.post("/api/v1/events", { message: "m" })).status, 401);
    assertEquals((await user.post(`/api/v1/api-keys/${listed.id}/revoke`)).status, 404);
    await ok(user, "post", `${base}/delete`);
    assertEquals((await user.get(base)).status, 404);
  });
});

test("Members of an organisation can join, change roles and leave", async () => {
  await onStage(async ({ user, app }) => {
    const base = "/api/v1/orgs/default";
    const person = { email: "eva@example.org", password: "a long enough one", display_name: "Eva" };
    assertEquals((await user.post(`${base}/users`, { ...person, password: "short" })).status, 400);
    const made = await user.post(`${base}/users`, person);
    assertEquals(made.status, 201);
    assertEquals((await user.post(`${base}/users`, person)).status, 409);
    const eva = await loggedIn(app.url, person.email, person.password);
    assertEquals((await eva.post(`${base}/users`, { ...person, email: "c@d.e" })).status, 403);
    assertEquals((await eva.post("/api/v1/projects/default/settings", {})).status, 403);
    const at = `${base}/members/${made.json.id}`;
    assertEquals(await ok(user, "post", `${at}/role`, { role: "admin" }), {
      status: "ok",
      affected: 1,
    });
    const members = await ok(eva, "get", `${base}/members`);
    assertEquals(members.map(({ role }: { role: string }) => role).sort(), ["admin", "owner"]);
    const owner = members.find(({ role }: { role: string }) => role === "owner");
    assertEquals((await eva.post(`${base}/members/${owner.id}/remove`)).status, 403);
    assertEquals((await user.post(`${base}/members/${owner.id}/remove`)).status, 409);
    assertEquals((await eva.post(`${at}/role`, { role: "owner" })).status, 403);

    const org = await eva.post("/api/v1/orgs", { name: "Evas" });
    assertEquals([org.status, org.json.role], [201, "owner"]);
    assertEquals((await eva.post("/api/v1/orgs", { name: "evas" })).status, 409);
    assertEquals((await ok(eva, "get", "/api/v1/orgs/evas")).name, "Evas");
    assertEquals((await ok(eva, "get", "/api/v1/orgs")).length, 2);
    const me = (await ok(user, "get", "/api/v1/me")).user.id;
    assertEquals((await eva.post("/api/v1/orgs/evas/members", { user_id: me })).status, 201);
    assertEquals((await eva.post("/api/v1/orgs/evas/members", { user_id: me })).status, 409);
    assertEquals((await eva.post("/api/v1/orgs/evas/members", {})).json, {
      error: "user_id is required",
    });
    await ok(user, "post", `${at}/remove`);
    assertEquals((await eva.get(base)).status, 404);
  });
});

test("Accounts can log in, create tokens, change the password and log out", async () => {
  await onStage(async ({ user, app, first }) => {
    const anonymous = user.as({});
    const wrong = await anonymous.post("/api/v1/login", { email: first.email, password: "wrong" });
    assertEquals([wrong.status, wrong.json.error], [401, "wrong email or password"]);
    const form = await anonymous.as({ "content-type": "text/plain" })
      .post("/api/v1/login", { email: first.email, password: first.password });
    assertEquals(form.status, 415);
    const good = await anonymous.post("/api/v1/login", {
      email: first.email,
      password: first.password,
    });
    assertMatch(good.headers.get("set-cookie")!, /HttpOnly; SameSite=Strict$/);

    const token = (await ok(user, "post", "/api/v1/tokens", { label: "ci" })).token;
    const program = user.as({ authorization: `Bearer ${token}` });
    assertEquals((await ok(program, "get", "/api/v1/me")).user.email, first.email);
    const sessions = await ok(program, "get", "/api/v1/sessions");
    const { id } = sessions.find(({ kind }: { kind: string }) => kind === "token");
    const current = sessions.filter((one: { current: boolean }) => one.current);
    assertEquals(current.map((one: { id: string }) => one.id), [id]);
    assert(!JSON.stringify(sessions).includes(token));

    const change = { current: first.password, password: "another long one" };
    assertEquals((await user.post("/api/v1/password", { ...change, current: "x" })).status, 403);
    await ok(user, "post", "/api/v1/password", change);
    assertEquals((await user.get("/api/v1/me")).status, 401);
    const again = await loggedIn(app.url, first.email, change.password);
    await ok(again, "post", `/api/v1/sessions/${id}/end`);
    assertEquals((await program.get("/api/v1/me")).status, 401);
    await ok(again, "post", "/api/v1/logout");
    assertEquals((await again.get("/api/v1/me")).status, 401);

    const statuses = new Set<number>();
    for (let i = 0; i < 12; i++) {
      statuses.add(
        (await anonymous.post("/api/v1/login", { email: "x@y.z", password: "guess" })).status,
      );
    }
    assertEquals([...statuses], [401, 429]);
  });
});

test("A session cookie is rejected in requests from another site", async () => {
  await onStage(async ({ user }) => {
    const evil = user.as({ ...user.headers, origin: "https://evil.example" });
    const got = await evil.post("/api/v1/projects/default/api-keys", { label: "mine" });
    assertEquals([got.status, got.json.error], [403, "the request comes from another site"]);
    const own = user.as({ ...user.headers, origin: user.url });
    assertEquals((await own.post("/api/v1/projects/default/api-keys", {})).status, 201);
  });
});

test("System routes report the health of the node", async () => {
  await onStage(async ({ user, app }) => {
    const anonymous = user.as({});
    assertEquals((await anonymous.get("/health")).json, { status: "ok" });
    assertEquals((await anonymous.get("/ready")).json, { status: "ready" });
    assertMatch((await user.get("/metrics")).json, /^mesher_stored_total 0$/m);
    const cluster = await ok(user, "get", "/api/v1/cluster");
    assertEquals([cluster.standalone, cluster.nodes.length], [true, 1]);
    assertEquals(cluster.trees[0].root.children.map(({ id }: { id: string }) => id), [
      "pipeline",
      "cluster",
    ]);
    assertEquals(cluster.names[0], {
      name: "mesher_registry",
      node: app.mesher.node.name,
      pid: cluster.names[0].pid,
    });
    assertEquals((await anonymous.get("/api/nothing")).json, { error: "not found" });
    assertEquals((await anonymous.get("/..%2f..%2fdeno.json")).status, 404);
    assertEquals((await anonymous.get("/rows.js/../../../deno.json")).status, 404);
  });
});
