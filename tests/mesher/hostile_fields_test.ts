/**
 * Tests hostile values in every field of the API, and hostile bodies and requests.
 */
import { assert, assertEquals } from "@std/assert";
import { isOwnHalf, test, until } from "../kit/test.ts";
import { onStage } from "./end_to_end_kit.ts";
import { asked, assertUnharmed, tryBodies, tryQueries } from "./hostile_grid.ts";
import {
  DESTRUCTIVE,
  headOf,
  operationsOf,
  ownOrganisation,
  pathOf,
  rawAsk,
} from "./hostile_kit.ts";

test("Body fields accept any value, or reject it with a documented status", () =>
  onStage((stage) => tryBodies(stage, isOwnHalf)));

test("Bodies with duplicate keys or thousands of unknown keys are read correctly", async () => {
  await onStage(async (stage) => {
    const own = await ownOrganisation(stage);
    const project = `/api/v1/projects/${own.ids["project_id"]}`;
    const twice = '{"sample_rate":5,"sample_rate":0.25}';
    assertEquals((await own.user.ask("POST", `${project}/settings`, twice)).status, 200);
    assertEquals((await own.user.get(`${project}/settings`)).json.sample_rate, 0.25);
    const special = '{"__proto__":{"sample_rate":1},"constructor":{"sample_rate":1}}';
    assertEquals((await own.user.ask("POST", `${project}/settings`, special)).status, 200);
    assertEquals((await own.user.get(`${project}/settings`)).json.sample_rate, 0.25);
    const many = JSON.stringify(
      Object.fromEntries(Array.from({ length: 5_000 }, (_, i) => [`k${i}`, i])),
    );
    for (const operation of await operationsOf(stage.app.url)) {
      if (operation.body === null) continue;
      await asked(
        operation,
        () => own.user.ask(operation.method, pathOf(operation, own.ids), many),
      );
    }
    await assertUnharmed(stage, own);
  });
});

test("Query fields accept any text, or reject it with a documented status", () =>
  onStage((stage) => tryQueries(stage, isOwnHalf)));

test("Searches treat wildcards, quotes and backslashes as ordinary characters", async () => {
  await onStage(async (stage) => {
    const { sender, user } = stage;
    const titles = ["100% of it", "snake_case", "a\\b", "it's", 'say "hi"', "bang! bang!", "plain"];
    for (const message of titles) await sender.post("/api/v1/events", { message });
    const list = "/api/v1/projects/default/issues";
    await until(
      "all events are stored",
      async () => (await user.get(list)).json.data.length === titles.length,
    );
    const found = async (q: string): Promise<string[]> =>
      (await user.get(`${list}?${new URLSearchParams({ q })}`)).json.data
        .map(({ title }: { title: string }) => title).sort();
    assertEquals(await found("%"), ["100% of it"]);
    assertEquals(await found("_"), ["snake_case"]);
    assertEquals(await found("\\"), ["a\\b"]);
    assertEquals(await found("'"), ["it's"]);
    assertEquals((await user.get(`${list}?q=%22`)).status, 400, "an unterminated quote");
    assertEquals(await found("!"), ["bang! bang!"]);
    assertEquals(await found("p%n"), []);
    assertEquals(await found("p_ain"), []);
    const search = "/api/v1/projects/default/events/search";
    for (
      const q of ["NEAR(plain", "plain OR", 'message:"', "plain*", "^plain", "-plain", "{plain}:"]
    ) {
      assertEquals((await user.get(`${search}?${new URLSearchParams({ q })}`)).status, 200, q);
    }
  });
});

test("Operations without a body ignore the body of a request", async () => {
  await onStage(async (stage) => {
    const own = await ownOrganisation(stage);
    for (const operation of await operationsOf(stage.app.url)) {
      const { method, path, body, access } = operation;
      if (method !== "POST" || body !== null || access === "key" || DESTRUCTIVE.test(path)) {
        continue;
      }
      for (const junk of ["{", "[".repeat(60_000), '{"affected":99}']) {
        const got = await asked(
          operation,
          () => own.user.ask(operation.method, pathOf(operation, own.ids), junk),
        );
        // Chunks are uploaded as a form. The document has no schema for the form, but the operation
        // rejects invalid ones.
        assertEquals([path, got], [path, path.endsWith("/chunk-upload") ? 400 : 200]);
      }
    }
    await assertUnharmed(stage, own);
  });
});

test("Malformed requests have no effect on other requests", async () => {
  await onStage(async (stage) => {
    const own = await ownOrganisation(stage);
    const { url } = stage.app;
    const session = own.user.headers;
    const settings = "POST /api/v1/projects/default/settings";
    const json = { ...session, "content-type": "application/json" };
    const cases: [string, number[]][] = [
      [headOf(settings, { ...json, "content-length": "-1" }), [400]],
      [headOf(settings, { ...json, "content-length": "1e3" }), [400]],
      [headOf(settings, { ...json, "content-length": "99999999999999999999" }), [400, 413]],
      [headOf(settings, { ...json, "content-length": "20000000" }), [413]],
      [
        headOf(settings, { ...json, "content-length": "2", "transfer-encoding": "chunked" }) + "{}",
        [400, 411],
      ],
      [headOf("GET /api/v1/orgs", { ...session, host: "a b" }), [400]],
      [headOf("GET /api/v1/orgs", { cookie: "mesher_session=\u00ff\u00fe" }), [400, 401]],
      [headOf("GET /api/v1/orgs", { cookie: `mesher_session=${"x".repeat(8_000)}` }), [401]],
      [headOf("GET /api/v1/orgs", { authorization: `Bearer ${"x".repeat(8_000)}` }), [401]],
      [headOf("GET /api/v1/orgs", { authorization: "Bearer a b" }), [401]],
      [headOf("GET http://evil.example/api/v1/orgs"), [401]],
      [headOf("GET http://[/api/v1/orgs"), [400, 501]],
      [headOf("CONNECT /api/v1/orgs"), [400, 405, 501]],
      [headOf("TRACE /api/v1/orgs"), [400, 405, 501]],
      [headOf("GET /api/v1/orgs?" + "a".repeat(9_000)), [414]],
      [headOf("GET /api/v1/orgs", { a: "b\r\nX-Injected: 1" }), [400, 401]],
    ];
    for (const [request, statuses] of cases) {
      const got = await rawAsk(url, request);
      assert(statuses.includes(got.status), `${request.slice(0, 120)}: ${got.status}`);
      assert(!/evil|injected/i.test(got.head), got.head);
    }
    await assertUnharmed(stage, own);
  });
});
