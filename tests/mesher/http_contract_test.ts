/**
 * Tests properties of every route: the API document lists it, and it returns stored text unchanged.
 * `hostile_*_test.ts` test the other properties.
 */
import { assert, assertEquals } from "@std/assert";
import { openApiOf } from "../../mesher/http/openapi.ts";
import { ROUTES } from "../../mesher/http/routes/all.ts";
import { test, until } from "../kit/test.ts";
import { onStage } from "./end_to_end_kit.ts";
import { ownOrganisation } from "./hostile_kit.ts";

const PROJECT = "/api/v1/projects/{project_id}";
const ISSUE = "/api/v1/issues/{issue_id}";
const MEMBERS = "/api/v1/orgs/{org_id}/members";
const AFFECTED = ["status", "affected"];
const PAGE = ["data", "has_more", "next_cursor", "next_cursor_id"];

/**
 * The 36 routes of the original API: the status of a success, a body, and the names in the
 * response.
 */
const ORIGINAL: readonly [string, number, unknown, readonly string[]][] = [
  ["POST /api/v1/events", 202, { message: "m" }, ["status"]],
  ["POST /api/v1/events/bulk", 202, [{ message: "m" }], ["status"]],
  [`GET ${PROJECT}/issues`, 200, null, PAGE],
  [`GET ${PROJECT}/events/search?q=secret`, 200, null, ["id", "issue_id"]],
  [`GET ${PROJECT}/events/tags?key=a&value=b`, 200, null, []],
  [`GET ${ISSUE}/events`, 200, null, PAGE],
  [`GET ${ISSUE}/timeline`, 200, null, ["id", "level", "message", "received_at"]],
  [`GET ${PROJECT}/dashboard/volume`, 200, null, ["bucket", "count"]],
  [`GET ${PROJECT}/dashboard/levels`, 200, null, ["level", "count"]],
  [`GET ${PROJECT}/dashboard/top-issues`, 200, null, [
    ...["id", "title", "level", "status", "event_count", "last_seen"],
  ]],
  [`GET ${PROJECT}/dashboard/tags?key=a`, 200, null, []],
  [`GET ${PROJECT}/dashboard/health`, 200, null, ["unresolved_count", "events_24h", "new_today"]],
  ["GET /api/v1/events/{event_id}", 200, null, ["event", "navigation"]],
  [`POST ${ISSUE}/resolve`, 200, {}, AFFECTED],
  [`POST ${ISSUE}/archive`, 200, {}, AFFECTED],
  [`POST ${ISSUE}/unresolve`, 200, {}, AFFECTED],
  [`POST ${ISSUE}/discard`, 200, {}, AFFECTED],
  [`POST ${ISSUE}/assign`, 200, { user_id: "" }, ["status"]],
  [`POST ${ISSUE}/delete`, 200, {}, AFFECTED],
  [`GET ${MEMBERS}`, 200, null, ["id", "user_id", "email", "display_name", "role", "joined_at"]],
  [`POST ${MEMBERS}`, 201, { email: "eva@example.org" }, ["id"]],
  [`POST ${MEMBERS}/{membership_id}/role`, 200, { role: "owner" }, AFFECTED],
  [`GET ${PROJECT}/api-keys`, 200, null, [
    ...["id", "project_id", "label", "created_at", "revoked_at"],
  ]],
  [`POST ${PROJECT}/api-keys`, 201, {}, ["key_value"]],
  ["POST /api/v1/api-keys/{key_id}/revoke", 200, {}, AFFECTED],
  [`GET ${PROJECT}/alert-rules`, 200, null, ["id", "name", "enabled", "cooldown_minutes"]],
  [`POST ${PROJECT}/alert-rules`, 201, {
    name: "r",
    condition: { condition_type: "threshold", threshold: 10, window_minutes: 5 },
  }, ["id"]],
  ["POST /api/v1/alert-rules/{rule_id}/toggle", 200, {}, AFFECTED],
  [`GET ${PROJECT}/alerts`, 200, null, ["id", "rule_id", "status", "message", "triggered_at"]],
  ["POST /api/v1/alerts/{alert_id}/acknowledge", 200, {}, AFFECTED],
  ["POST /api/v1/alerts/{alert_id}/resolve", 200, {}, AFFECTED],
  ["POST /api/v1/alert-rules/{rule_id}/delete", 200, {}, AFFECTED],
  [`GET ${PROJECT}/settings`, 200, null, ["retention_days", "sample_rate"]],
  [`POST ${PROJECT}/settings`, 200, { retention_days: 7, sample_rate: 1 }, AFFECTED],
  [`GET ${PROJECT}/storage`, 200, null, ["event_count", "estimated_bytes"]],
  [`POST ${MEMBERS}/{membership_id}/remove`, 200, {}, AFFECTED],
];

test("The 36 routes of the original API exist with the same statuses and names", async () => {
  await onStage(async (stage) => {
    const { ids, user, sender } = await ownOrganisation(stage);
    const eva = { email: "eva@example.org", password: "a long enough one" };
    const made = (await user.post("/api/v1/orgs/default/users", eva)).json;
    await user.post(`/api/v1/orgs/default/members/${made.id}/remove`);
    // Adds a user who can be removed and whose role can be changed. The only owner cannot.
    const max = { email: "max@example.org", password: "a long enough one" };
    const membership = (await user.post("/api/v1/orgs/default/users", max)).json.id;
    const values: Record<string, string> = { ...ids, membership_id: membership };
    assertEquals(ORIGINAL.length, 36);
    for (const [row, status, body, names] of ORIGINAL) {
      const [method, path] = row.split(" ") as [string, string];
      const filled = path.replaceAll(/\{(\w+)\}/g, (_, name) => values[name]!);
      const client = row.startsWith("POST /api/v1/events") ? sender : user;
      const got = method === "GET" ? await client.get(filled) : await client.post(filled, body);
      assertEquals([row, got.status], [row, status]);
      const shown = Array.isArray(got.json) ? got.json[0] ?? {} : got.json;
      for (const name of names) assert(Object.hasOwn(shown, name), `${row} has no ${name}`);
    }
  });
});

test("OpenAPI describes every route and its fields", async () => {
  await onStage(async ({ user }) => {
    const served = (await user.as({}).get("/api/openapi.json")).json;
    assertEquals(served, JSON.parse(JSON.stringify(openApiOf(ROUTES))));
    const names = new Set<string>();
    for (const route of ROUTES) {
      const path = route.path.replaceAll(/:(\w+)/g, "{$1}");
      const operation = served.paths[path]?.[route.method.toLowerCase()];
      assert(operation !== undefined, `${route.method} ${path}`);
      assert(
        !names.has(operation.operationId),
        `two operations are called ${operation.operationId}`,
      );
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

const HOSTILE_TEXTS = [
  `'; DROP TABLE events; --`,
  `" OR 1=1 --`,
  `<script>alert(1)</script>`,
  `\${7*7} {{7*7}} %00 %s`,
  `\r\nSet-Cookie: a=b\r\n\u0000\u001b[31m`,
  `"}],"admin":true,"x":[{"`,
  `\ud800 lone`,
];

test("Every event field accepts any text, and the API returns the text unchanged", async () => {
  await onStage(async ({ sender, user }) => {
    for (const text of HOSTILE_TEXTS) {
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
      await until("the event is stored", async () => {
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
    assertEquals(all.json.data.length, HOSTILE_TEXTS.length);
  });
});
