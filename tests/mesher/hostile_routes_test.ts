/**
 * Tests every operation of the API document with every wrong credential, every id of another
 * organisation, every wrong method and every invalid body.
 */
import { assert, assertEquals } from "@std/assert";
import { openStorage } from "../../mesher/storage/open.ts";
import type { Storage } from "../../mesher/storage/storage.ts";
import { test, until } from "../kit/test.ts";
import { onStage } from "./end_to_end_kit.ts";
import {
  ask,
  bodyOf,
  headOf,
  NO_ID,
  type Operation,
  operationsOf,
  otherOrganisation,
  ownOrganisation,
  pathOf,
  rawAsk,
} from "./hostile_kit.ts";

const name = ({ method, path }: Operation): string => `${method} ${path}`;

test("Private operations answer 401 without a valid credential of the right kind", async () => {
  await onStage(async (stage) => {
    const { first, user, app } = stage;
    const { ids } = await ownOrganisation(stage);
    const token = (await user.post("/api/v1/tokens", { label: "t" })).json.token;
    const session = user.headers["cookie"]!.split("=")[1]!;
    const zeros = "0".repeat(48);
    const wrong: Record<string, string>[] = [
      {},
      { authorization: "" },
      { authorization: `Bearer msht_${zeros}`, "x-api-key": `mshr_${zeros}` },
      {
        cookie: `mesher_session=mshs_${zeros}`,
        "x-sentry-auth": `Sentry sentry_key=mshr_${zeros}`,
      },
      { authorization: `Basic ${btoa(`${first.email}:${first.password}`)}` },
      { authorization: `Bearer ${first.key.slice(0, -1)}`, "x-api-key": first.key.toUpperCase() },
    ];
    // A project's key only grants ingest; a session or token grants everything else.
    const key = [
      { authorization: `Bearer ${first.key}`, "x-api-key": first.key },
      { cookie: `mesher_session=${first.key}`, "x-sentry-auth": `Sentry sentry_key=${first.key}` },
    ];
    const person = [
      { cookie: user.headers["cookie"]!, authorization: `Bearer ${token}` },
      { "x-api-key": token, cookie: user.headers["cookie"]! },
      { "x-sentry-auth": `Sentry sentry_key=${session}` },
      { authorization: session },
    ];
    const open: string[] = [];
    let tried = 0;
    for (const operation of await operationsOf(app.url)) {
      if (operation.access === "public") {
        open.push(operation.path);
        continue;
      }
      for (const headers of [...wrong, ...(operation.access === "key" ? person : key)]) {
        const got = await ask(user.as(headers), operation, pathOf(operation, ids));
        assertEquals([name(operation), got.status, got.json], [name(operation), 401, {
          error: "unauthorized",
        }]);
        assertEquals(got.headers.get("www-authenticate"), "Bearer");
        tried++;
      }
    }
    assertEquals(open.sort(), [
      "/api/openapi.json",
      "/api/v1/invitations/accept",
      "/api/v1/invitations/show",
      "/api/v1/login",
      "/api/v1/password/forgot",
      "/api/v1/password/reset",
      "/health",
      "/ready",
    ]);
    assert(tried > 400, `${tried} requests`);
    const inQuery = `/api/v1/events?sentry_key=${token}`;
    assertEquals((await user.as({}).post(inQuery, { message: "m" })).status, 401);
  });
});

test("Ids of another organisation are treated as unknown in every part of a path", async () => {
  await onStage(async (stage) => {
    const mine = await ownOrganisation(stage);
    const theirs = await otherOrganisation(stage);
    let tried = 0;
    for (const operation of await operationsOf(stage.app.url)) {
      const client = operation.access === "key" ? theirs.sender : theirs.user;
      for (const param of operation.params) {
        // Skips the version in a PUT, because a release may have any name and a PUT creates it.
        if (param === "version" && operation.method === "PUT") continue;
        // Skips names and keys that clients send to routes for data that is not stored.
        if (operation.access === "key" && param !== "project") continue;
        const at = (id: string): string => pathOf(operation, { ...theirs.ids, [param]: id });
        const got = await ask(client, operation, at(mine.ids[param]!));
        assertEquals([name(operation), param, got.status], [name(operation), param, 404]);
        const nothing = await ask(client, operation, at(NO_ID));
        assertEquals([nothing.status, nothing.json], [got.status, got.json], name(operation));
        assertEquals([...nothing.headers.keys()], [...got.headers.keys()]);
        tried++;
      }
    }
    assert(tried > 40, `${tried} operations`);
    // The slugs of another organisation are unknown too. None of the attempts has changed anything.
    assertEquals((await theirs.user.get("/api/v1/projects/default/issues")).status, 404);
    assertEquals((await theirs.user.get("/api/v1/orgs/default/members")).status, 404);
    const issue = (await mine.user.get(`/api/v1/issues/${mine.ids["issue_id"]}`)).json;
    assertEquals([issue.status, issue.assigned_to, issue.event_count], ["unresolved", null, 1]);
    const project = `/api/v1/projects/${mine.ids["project_id"]}`;
    assertEquals((await mine.user.get(`${project}/alert-rules`)).json.length, 1);
    assertEquals((await mine.user.get(`${project}/alerts`)).json[0].status, "active");
    assertEquals((await mine.user.get(`${project}/api-keys`)).json[0].revoked_at, null);
    assertEquals((await mine.user.get("/api/v1/orgs/default/members")).json.length, 1);
    assertEquals((await mine.sender.post("/api/v1/events", { message: "m" })).status, 202);
  });
});

test("Ids of another organisation are treated as unknown in bodies and queries", async () => {
  await onStage(async (stage) => {
    const mine = await ownOrganisation(stage);
    const theirs = await otherOrganisation(stage);
    const project = `/api/v1/projects/${theirs.ids["project_id"]}`;
    const assign = `/api/v1/issues/${theirs.ids["issue_id"]}/assign`;
    for (const id of [mine.userId, NO_ID, "anonymous"]) {
      const got = await theirs.user.post(assign, { user_id: id });
      assertEquals([got.status, got.json], [404, { error: "member not found" }]);
      const list = await theirs.user.get(`${project}/issues?assigned_to=${id}`);
      assertEquals([list.status, list.json.data], [200, []]);
    }
    // A cursor is a position, not a row: with any cursor, only the user's own rows are returned.
    for (const id of [mine.ids["issue_id"]!, NO_ID]) {
      const query = `cursor=${Date.now() + 60_000}&cursor_id=${id}`;
      const issues = (await theirs.user.get(`${project}/issues?${query}`)).json.data;
      assertEquals(issues.map((issue: { id: string }) => issue.id), [theirs.ids["issue_id"]]);
      const events = (await theirs.user.get(`${project}/events?${query}`)).json.data;
      assertEquals(events.map((event: { id: string }) => event.id), [theirs.ids["event_id"]]);
    }
    // Senders choose event ids, so the same id in two projects means two events.
    const id = mine.ids["event_id"]!;
    assertEquals((await theirs.sender.post("/api/v1/events", { id, message: "mine" })).status, 202);
    await until(
      "the event is stored",
      async () => (await theirs.user.get(`/api/v1/events/${id}`)).status === 200,
    );
    assertEquals((await theirs.user.get(`/api/v1/events/${id}`)).json.event.message, "mine");
    assertEquals((await mine.user.get(`/api/v1/events/${id}`)).json.event.message, "secret");
  });
});

test("A request with another organisation's id runs the same queries as one with an unknown id", async () => {
  const asked: string[] = [];
  const real = await openStorage({ sqlitePath: ":memory:" });
  // Records the calls of the real storage, so that the two cases can be compared without timing.
  const storage = new Proxy(real, {
    get(target, key: keyof Storage & string): unknown {
      // deno-lint-ignore no-explicit-any -- any method of it
      const method = target[key] as any;
      if (typeof method !== "function") return method;
      return (...args: unknown[]): unknown => {
        asked.push(key);
        return method.apply(target, args);
      };
    },
  });
  await onStage(
    async (stage) => {
      const mine = await ownOrganisation(stage);
      const theirs = await otherOrganisation(stage);
      const questions = async (operation: Operation, path: string): Promise<string[]> => {
        asked.length = 0;
        await ask(operation.access === "key" ? theirs.sender : theirs.user, operation, path);
        // Excludes the calls of the storage that the node itself makes at the same time.
        const own =
          /^(?:all|enabled|eventC|write|unresolved|upkeep|spike|fire|unarch|health|projectBy)/;
        return asked.filter((key) => !own.test(key));
      };
      for (const operation of await operationsOf(stage.app.url)) {
        for (const param of operation.params) {
          const at = (id: string): string => pathOf(operation, { ...theirs.ids, [param]: id });
          // The key is cached for a short time, so it is queried in neither case.
          await ask(theirs.sender, operation, at(NO_ID));
          const foreign = await questions(operation, at(mine.ids[param]!));
          assertEquals(foreign, await questions(operation, at(NO_ID)), name(operation));
        }
      }
    },
    {},
    storage,
  );
});

test("Operations answer 405 to every other method, and list the allowed methods", async () => {
  await onStage(async (stage) => {
    const { ids, user, sender } = await ownOrganisation(stage);
    const operations = await operationsOf(stage.app.url);
    const paths = new Set(operations.map(({ path }) => path));
    for (const path of paths) {
      const here = operations.filter((one) => one.path === path);
      const allowed = here.map(({ method }) => method);
      for (const method of ["GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "PROPFIND"]) {
        if (allowed.includes(method as "GET")) continue;
        if (method === "OPTIONS" && here[0]!.access === "key") continue;
        const client = here[0]!.access === "key" ? sender : user;
        const got = await client.ask(method, pathOf(here[0]!, ids));
        assertEquals([method, path, got.status], [method, path, 405]);
        assertEquals(got.headers.get("allow")!.split(", ").sort(), [...allowed].sort());
        assertEquals(got.json, { error: "method not allowed" });
      }
    }
    // Pages of other sites may report events, for which their browser first sends a preflight
    // request.
    const preflight = await sender.as({}).ask("OPTIONS", "/api/1/envelope/");
    const allow = preflight.headers.get("access-control-allow-origin");
    assertEquals([preflight.status, allow], [204, "*"]);
    const headers = preflight.headers.get("access-control-allow-headers")!;
    assert(headers.includes("x-sentry-auth"), headers);
    assertEquals(preflight.headers.get("access-control-allow-methods"), "POST");
    // Other responses do not contain the headers that browsers read only in preflight responses.
    const stored = await sender.post("/api/v1/events", { message: "from another site" });
    assertEquals([stored.status, stored.headers.get("access-control-allow-origin")], [202, "*"]);
    assertEquals(stored.headers.get("access-control-allow-headers"), null);
    const management = await user.get("/api/v1/orgs");
    assertEquals(management.headers.get("access-control-allow-origin"), null);
  });
});

test("HEAD returns the same headers as GET, without the body", async () => {
  await onStage(async (stage) => {
    const { ids, user } = await ownOrganisation(stage);
    for (const operation of await operationsOf(stage.app.url)) {
      if (operation.method !== "GET" || operation.access === "key") continue;
      const path = pathOf(operation, ids);
      const query = path.includes("/search") ? "?q=a" : /tags$/.test(path) ? "?key=a&value=b" : "";
      const head = await user.ask("HEAD", path + query);
      assertEquals([path, head.status, head.json], [path, 200, ""]);
    }
  });
});

test("Operations with a JSON body answer 415, 413 or 400 for bodies that they cannot read", async () => {
  await onStage(async (stage) => {
    const { ids, user } = await ownOrganisation(stage);
    const types = [
      "text/plain",
      "text/plain;application/json",
      "application/x-www-form-urlencoded",
      "multipart/form-data; boundary=x",
      "application/jsonx",
      "",
    ];
    const broken: (string | Uint8Array)[] = [
      "{",
      "{}}",
      '{"a":1,}',
      '{"a":NaN}',
      '{"a":Infinity}',
      "{'a':1}",
      "nonsense",
      "null",
      "1",
      '"text"',
      "[]",
      "[".repeat(30_000) + "]".repeat(30_000),
      "[".repeat(60_000),
      '{"a":'.repeat(12_000),
      new Uint8Array([0x7b, 0x22, 0xff, 0x22, 0x3a, 0x31, 0x7d]),
      new Uint8Array([0xff, 0xfe, 0x7b, 0x00, 0x7d, 0x00]),
      new Uint8Array(100),
    ];
    const large = JSON.stringify({ name: "x".repeat(65_536) });
    let tried = 0;
    for (const operation of await operationsOf(stage.app.url)) {
      if (operation.body === null) continue;
      const path = pathOf(operation, ids);
      const asker = (type: string) => user.as({ ...user.headers, "content-type": type });
      const fit = JSON.stringify(bodyOf(operation));
      for (const type of types) {
        const got = await asker(type).ask(operation.method, path, fit);
        assertEquals([path, type, got.status, got.json], [path, type, 415, {
          error: "content-type must be application/json",
        }]);
      }
      const got = await user.ask(operation.method, path, large);
      assertEquals([path, got.status, got.json], [path, 413, { error: "payload too large" }]);
      const encoded = user.as({ ...user.headers, "content-encoding": "compress" });
      assertEquals([path, (await encoded.ask(operation.method, path, fit)).status], [path, 415]);
      for (const body of broken) {
        const got = await asker("application/json; charset=utf-8")
          .ask(operation.method, path, body as Uint8Array<ArrayBuffer>);
        assertEquals([path, got.status, body], [path, 400, body]);
        assert(/^invalid json|must be a JSON object$/.test(got.json.error), got.json.error);
      }
      for (const status of [400, 413, 415]) assert(operation.statuses.includes(status), path);
      tried++;
    }
    assert(tried > 10, `${tried} operations`);
  });
});

test("Unusual encodings of a path reach no other route", async () => {
  await onStage(async (stage) => {
    const { ids, user, sender } = await ownOrganisation(stage);
    const strange = [
      "%2F",
      "..%2f..",
      "%00",
      "%",
      "%zz",
      "%ED%A0%80",
      "__proto__",
      "constructor",
      "toString",
      "%27%20OR%201%3D1%20--",
      "%25",
      "*",
      "default%00",
      "default%20",
      "DEFAULT",
      "x".repeat(4_000),
    ];
    for (const operation of await operationsOf(stage.app.url)) {
      for (const param of operation.params) {
        // Skips the version in a PUT, because a release may have nearly any name and a PUT creates
        // it.
        if (param === "version" && operation.method === "PUT") continue;
        if (operation.access === "key" && param !== "project") continue;
        for (const text of strange) {
          const path = operation.path.replaceAll(
            /\{(\w+)\}/g,
            (_, other) => other === param ? text : ids[other]!,
          );
          const headers = operation.access === "key" ? sender.headers : user.headers;
          const type = { "content-type": "application/json", "content-length": "2" };
          const line = `${operation.method} ${path}`;
          const body = operation.method === "GET" ? "" : "{}";
          const head = headOf(line, operation.method === "GET" ? headers : { ...headers, ...type });
          const got = await rawAsk(stage.app.url, head + body);
          assert(got.status === 404 || got.status === 400, `${line}: ${got.status}`);
        }
      }
    }
    // After URL normalisation, a path with dot segments is answered like the path that it resolves to.
    for (
      const path of [
        "/api/v1/projects/../orgs",
        "/api/v1/x/%2e%2E/orgs",
        "/api/v1/./orgs",
        "/api/v1/orgs/",
      ]
    ) {
      const got = await rawAsk(stage.app.url, headOf(`GET ${path}`, user.headers));
      assertEquals([path, got.status], [path, 200]);
      const anonymous = await rawAsk(stage.app.url, headOf(`GET ${path}`));
      assertEquals([path, anonymous.status], [path, 401]);
    }
    for (const path of ["//api/v1/orgs", "/api//v1/orgs", "/api/v1/orgs//", "/API/v1/orgs"]) {
      const got = await rawAsk(stage.app.url, headOf(`GET ${path}`));
      assert(!got.body.includes("Default"), path);
    }
    assertEquals((await user.get("/api/v1/projects/%64efault")).status, 200);
  });
});
