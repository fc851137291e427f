/**
 * What holds for every route: nothing without its credential, nothing of another organisation, a document
 * that says what there is, and texts that stay texts.
 */
import { assert, assertEquals } from "@std/assert";
import { openApiOf } from "../../mesher/http/openapi.ts";
import type { Route } from "../../mesher/http/route.ts";
import { ROUTES } from "../../mesher/http/routes/all.ts";
import { test, until } from "../kit/test.ts";
import { type Client, loggedIn, onStage, type Stage } from "./end_to_end_kit.ts";

const UUID = "00000000-0000-7000-8000-000000000000";

/** A path with these values in its variable parts. */
function pathOf(route: Route, values: Readonly<Record<string, string>>): string {
  return route.path.replaceAll(/:(\w+)/g, (_, name) => encodeURIComponent(values[name] ?? UUID));
}

/** A body that passes a route's checks, with `text` wherever a text may be anything. */
function bodyOf(route: Route, text: string): Record<string, unknown> {
  const fields = Object.entries(route.body ?? {});
  return Object.fromEntries(fields.map(([name, field]) => {
    if (field.enum !== undefined) return [name, field.enum.at(-1)];
    switch (field.type) {
      case "string":
        return [name, text];
      case "boolean":
        return [name, true];
      case "object":
        return [name, { condition_type: "new_issue", type: "websocket" }];
      default:
        return [name, field.min ?? 1];
    }
  }));
}

function call(
  client: Client,
  route: Route,
  path: string,
  body: unknown,
): ReturnType<Client["get"]> {
  return route.method === "GET" ? client.get(path) : client.post(path, body);
}

/** One of everything, in the first organisation. */
async function oneOfEach({ user, sender, first }: Stage): Promise<Record<string, string>> {
  const project = first.projectId;
  const rule = await user.post(`/api/v1/projects/${project}/alert-rules`, {
    name: "r",
    condition: { condition_type: "new_issue" },
  });
  const event = (await sender.post("/api/v1/events", { message: "secret" })).json.id;
  let alerts: { id: string; issue_id: string }[] = [];
  await until("the alert has fired", async () => {
    alerts = (await user.get(`/api/v1/projects/${project}/alerts`)).json;
    return alerts.length > 0;
  });
  return {
    project_id: project,
    project,
    org_id: first.organisationId,
    event_id: event,
    issue_id: alerts[0]!.issue_id,
    alert_id: alerts[0]!.id,
    rule_id: rule.json.id,
    key_id: (await user.get(`/api/v1/projects/${project}/api-keys`)).json[0].id,
    membership_id: (await user.get(`/api/v1/orgs/default/members`)).json[0].id,
    session_id: (await user.get("/api/v1/sessions")).json[0].id,
  };
}

test("Routes that are not public answer 401 without a credential, with a wrong one and a wrong kind", async () => {
  await onStage(async (stage) => {
    const ids = await oneOfEach(stage);
    const key = { "x-api-key": stage.first.key, authorization: `Bearer ${stage.first.key}` };
    const wrong = [
      {},
      { authorization: `Bearer msht_${"0".repeat(48)}`, "x-api-key": `mshr_${"0".repeat(48)}` },
      { cookie: `mesher_session=mshs_${"0".repeat(48)}` },
    ];
    const open: string[] = [];
    for (const route of ROUTES) {
      if (route.access === "public") {
        open.push(route.path);
        continue;
      }
      // A project's key opens ingest only, and a session anything but.
      const other = route.access === "key" ? stage.user.headers : key;
      for (const headers of [...wrong, other]) {
        const asker = stage.user.as(headers);
        const got = await call(asker, route, pathOf(route, ids), bodyOf(route, "x"));
        assertEquals([route.path, got.status, got.json], [route.path, 401, {
          error: "unauthorized",
        }]);
      }
    }
    assertEquals(open.sort(), [
      "/api/openapi.json",
      "/api/v1/login",
      "/health",
      "/ready",
    ]);
  });
});

test("Ids of another organisation answer 404 on every route, and nothing is changed", async () => {
  await onStage(async (stage) => {
    const { user, app } = stage;
    const ids = await oneOfEach(stage);
    const eva = { email: "eva@example.org", password: "a long enough one" };
    const made = await user.post("/api/v1/orgs/default/users", eva);
    const stranger = await loggedIn(app.url, eva.email, eva.password);
    await stranger.post("/api/v1/orgs", { name: "Elsewhere" });
    await user.post(`/api/v1/orgs/default/members/${made.json.id}/remove`);
    const seen: string[] = [];
    for (const route of ROUTES) {
      if (route.access !== "user" || !route.path.includes(":")) continue;
      const query = Object.entries(route.query ?? {})
        .map(([name, { enum: values, type }]) =>
          `${name}=${values?.[0] ?? (type === "integer" ? 1 : "text")}`
        );
      const path = `${pathOf(route, ids)}?${query.join("&")}`;
      const got = await call(stranger, route, path, bodyOf(route, "text"));
      assertEquals([route.method, route.path, got.status], [route.method, route.path, 404]);
      assert(/not found$/.test(got.json.error), got.json.error);
      assert(!JSON.stringify(got.json).includes("secret"));
      seen.push(route.path);
    }
    assert(seen.length > 35, `${seen.length} routes`);
    assertEquals((await user.get(`/api/v1/issues/${ids["issue_id"]}`)).json.status, "unresolved");
    assertEquals(
      (await user.get(`/api/v1/projects/${ids["project_id"]}/alert-rules`)).json.length,
      1,
    );
  });
});

test("Routes that another method is asked of answer 405, and say which there are", async () => {
  await onStage(async ({ user }) => {
    const got = await user.ask("DELETE", "/api/v1/projects/default/settings");
    assertEquals([got.status, got.headers.get("allow")], [405, "GET, POST"]);
    assertEquals((await user.get("/api/v1/events")).status, 405);
    const preflight = await fetch(`${user.url}/api/1/envelope/`, { method: "OPTIONS" });
    assertEquals([preflight.status, preflight.headers.get("access-control-allow-origin")], [
      204,
      "*",
    ]);
  });
});

test("OpenAPI has every route and its fields, and is what is served", async () => {
  await onStage(async ({ user }) => {
    const served = (await user.as({}).get("/api/openapi.json")).json;
    assertEquals(served, JSON.parse(JSON.stringify(openApiOf(ROUTES))));
    const names = new Set<string>();
    for (const route of ROUTES) {
      const path = route.path.replaceAll(/:(\w+)/g, "{$1}");
      const operation = served.paths[path]?.[route.method.toLowerCase()];
      assert(operation !== undefined, `${route.method} ${path}`);
      assert(!names.has(operation.operationId), `two are called ${operation.operationId}`);
      names.add(operation.operationId);
      assertEquals(operation.security.length === 0, route.access === "public");
      assert(operation.responses[route.ok] !== undefined);
      if (route.access !== "public") assert(operation.responses[401] !== undefined, path);
      const { schema } = operation.requestBody?.content["application/json"] ?? {};
      assertEquals(Object.keys(schema?.properties ?? {}), Object.keys(route.body ?? {}));
    }
    assertEquals(names.size, ROUTES.length);
  });
});

const NASTY = [
  `'; DROP TABLE events; --`,
  `" OR 1=1 --`,
  `<script>alert(1)</script>`,
  `\${7*7} {{7*7}} %00 %s`,
  `\r\nSet-Cookie: a=b\r\n\u0000\u001b[31m`,
  `"}],"admin":true,"x":[{"`,
  `\ud800 lone`,
];

test("Every field of a request takes any text without a 500, and lists stay as they are", async () => {
  await onStage(async (stage) => {
    const { user, lines } = stage;
    const ids = await oneOfEach(stage);
    for (const text of NASTY) {
      for (const route of ROUTES) {
        if (/logout|password|end$|login|delete$|remove$|users$|discard/.test(route.path)) continue;
        const client = route.access === "key" ? stage.sender : user;
        const query = Object.keys(route.query ?? {})
          .map((name) => `${name}=${encodeURIComponent(text.replace(/\ud800/g, ""))}`).join("&");
        for (const path of [pathOf(route, ids), pathOf(route, {})]) {
          const got = await call(client, route, `${path}?${query}`, bodyOf(route, text));
          assert(got.status < 500, `${route.path}: ${got.status} ${JSON.stringify(text)}`);
        }
        const values = Object.fromEntries(Object.keys(ids).map((name) => [name, text]));
        if (text.includes("\ud800")) continue;
        const got = await call(client, route, pathOf(route, values), bodyOf(route, text));
        assert(got.status < 500, `${route.path}: ${got.status} ${JSON.stringify(text)}`);
      }
    }
    assertEquals(lines.filter((line) => line.includes("a request failed")), []);
    assertEquals(
      (await user.get("/api/v1/events/" + ids["event_id"])).json.event.message,
      "secret",
    );
  });
});

test("Every field of an event takes any text, and gives it back as it was", async () => {
  await onStage(async ({ sender, user }) => {
    for (const text of NASTY) {
      const event = {
        message: text,
        level: "error",
        exception: { type: text, value: text, stacktrace: [{ file: text, function: text }] },
        breadcrumbs: [{ message: text, category: text, data: { [text]: text } }],
        tags: { [text]: text },
        user: { id: text, email: text },
        environment: text,
        release: text,
        fingerprint: [text],
        extra: { [text]: [text] },
      };
      const sent = await sender.post("/api/v1/events", event);
      assertEquals(sent.status, 202);
      let got = await user.get(`/api/v1/events/${sent.json.id}`);
      await until("it is stored", async () => {
        got = await user.get(`/api/v1/events/${sent.json.id}`);
        return got.status === 200;
      });
      const kept = text.replaceAll("\0", "\ufffd").toWellFormed();
      assertEquals(got.json.event.message, kept);
      assertEquals(got.json.event.tags, { [kept]: kept });
      assertEquals(got.json.event.extra, { [kept]: [kept] });
      assertEquals(got.json.event.exception[0].frames[0].function, kept);
    }
    const all = await user.get("/api/v1/projects/default/events?limit=100");
    assertEquals(all.json.data.length, NASTY.length);
  });
});
