/**
 * The grid of fields: every field of every operation of the document against every value that somebody
 * might try. What comes is one of the answers that the document knows, soon, and nothing is broken after.
 */
import { assert, assertEquals } from "@std/assert";
import { test, until } from "../kit/test.ts";
import { type Client, onStage, type Stage } from "./end_to_end_kit.ts";
import {
  bodyOf,
  DESTRUCTIVE,
  headOf,
  home,
  type Operation,
  operationsOf,
  pathOf,
  queryOf,
  rawAsk,
} from "./hostile_kit.ts";

/** Texts that have been the end of other servers. */
const TEXTS: readonly string[] = [
  "",
  " ",
  "'; DROP TABLE events; --",
  '" OR 1=1 --',
  "1; SELECT pg_sleep(10)",
  "$1",
  "%",
  "_",
  "!%_!",
  "\\",
  "<script>alert(1)</script>",
  "${7*7} {{7*7}} %s %n %00",
  "\r\nSet-Cookie: a=b\r\n\r\n",
  "\u0000",
  "a\u0000b",
  "\u001b[31mred\u0007",
  "\u202egnp.exe",
  "\ud800",
  "\udc00 lone",
  "__proto__",
  "constructor",
  "=cmd|'/c calc'!A0",
  "(a+)+$",
  "x".repeat(1_025),
  "é".repeat(2_000),
];

/** JSON that is no text, as it stands in a body. */
const VALUES: readonly string[] = [
  "null",
  "true",
  "0",
  "-1",
  "-0",
  "1.5",
  "1e400",
  "-1e400",
  "9007199254740993",
  "123456789012345678901234567890",
  "0.1e-400",
  "[]",
  "{}",
  '["a"]',
  '{"__proto__":{"enabled":true}}',
  '{"constructor":{"prototype":{"x":1}}}',
  '{"toString":1,"valueOf":2,"length":-1}',
  "[".repeat(20_000) + "]".repeat(20_000),
  '{"a":'.repeat(9_000) + "1" + "}".repeat(9_000),
];

/** Nothing may take longer, on however busy a machine. Milliseconds. */
const SLOW_MS = 5_000;

/** Asks, and holds the answer against the document. */
async function asked(operation: Operation, ask: () => ReturnType<Client["get"]>): Promise<number> {
  const before = performance.now();
  const got = await ask();
  const ms = performance.now() - before;
  const what = `${operation.method} ${operation.path}: ${got.status} ${JSON.stringify(got.json)}`;
  assert([operation.statuses[0]!, ...operation.statuses].includes(got.status), what);
  assert(got.status < 500, what);
  assert(ms < SLOW_MS, `${what} after ${ms} ms`);
  assert(got.headers.get("x-content-type-options") === "nosniff", what);
  const type = got.headers.get("content-type")!;
  assert(type === "application/json; charset=utf-8" || operation.path === "/metrics", type);
  return got.status;
}

/** Nothing of what was done to it has broken the node. */
async function assertUnharmed(
  { lines, app }: Stage,
  { user, ids }: Awaited<ReturnType<typeof home>>,
) {
  assertEquals(lines.filter((line) => /request failed|hook failed/.test(line)), []);
  const event = await user.get(`/api/v1/events/${ids["event_id"]}`);
  assertEquals([event.status, event.json.event?.message], [200, "secret"]);
  assertEquals((await user.as({}).get("/ready")).json, { status: "ready" });
  assertEquals(Object.hasOwn(Object.prototype, "enabled"), false);
  assertEquals(({} as { x?: number }).x, undefined);
  assertEquals((await app.mesher.storage.health()).problem, null);
}

test("Fields of bodies take any value for what it is, or refuse it with a status that is documented", async () => {
  await onStage(async (stage) => {
    const camp = await home(stage);
    const values = [...TEXTS.map((text) => JSON.stringify(text)), ...VALUES];
    let tried = 0;
    for (const operation of await operationsOf(stage.app.url)) {
      if (operation.body === null) continue;
      for (const field of Object.keys(operation.body)) {
        for (const value of values) {
          const others = bodyOf(operation);
          delete others[field];
          const body = `{${JSON.stringify(field)}:${value},${JSON.stringify(others).slice(1)}`
            .replace(/,\}$/, "}");
          // Passwords that are right are slow by purpose, and end sessions.
          if (/password|login|users/.test(operation.path) && tried % 8 !== 0 && value !== "null") {
            tried++;
            continue;
          }
          await asked(operation, () => camp.user.ask("POST", pathOf(operation, camp.ids), body));
          tried++;
        }
      }
    }
    assert(tried > 700, `${tried} bodies`);
    await assertUnharmed(stage, camp);
  });
});

test("Bodies with a key twice, with none of their keys, or with ten thousand others are read as what they say", async () => {
  await onStage(async (stage) => {
    const camp = await home(stage);
    const project = `/api/v1/projects/${camp.ids["project_id"]}`;
    const twice = '{"sample_rate":5,"sample_rate":0.25}';
    assertEquals((await camp.user.ask("POST", `${project}/settings`, twice)).status, 200);
    assertEquals((await camp.user.get(`${project}/settings`)).json.sample_rate, 0.25);
    const special = '{"__proto__":{"sample_rate":1},"constructor":{"sample_rate":1}}';
    assertEquals((await camp.user.ask("POST", `${project}/settings`, special)).status, 200);
    assertEquals((await camp.user.get(`${project}/settings`)).json.sample_rate, 0.25);
    const many = JSON.stringify(
      Object.fromEntries(Array.from({ length: 5_000 }, (_, i) => [`k${i}`, i])),
    );
    for (const operation of await operationsOf(stage.app.url)) {
      if (operation.body === null) continue;
      await asked(operation, () => camp.user.ask("POST", pathOf(operation, camp.ids), many));
    }
    await assertUnharmed(stage, camp);
  });
});

test("Fields of queries take any text for what it is, or refuse it with a status that is documented", async () => {
  await onStage(async (stage) => {
    const camp = await home(stage);
    const numbers = [
      "-1",
      "0",
      "1e9",
      "NaN",
      "Infinity",
      "99999999999999999999",
      "0x10",
      "1.5",
      "true",
    ];
    let tried = 0;
    for (const operation of await operationsOf(stage.app.url)) {
      const path = pathOf(operation, camp.ids);
      for (const field of Object.keys(operation.query)) {
        for (const text of [...TEXTS, ...numbers]) {
          const query = new URLSearchParams(queryOf(operation).slice(1));
          query.set(field, text.toWellFormed());
          // The request line has its own limit.
          if (`${query}`.length > 7_000) continue;
          await asked(operation, () => camp.user.get(`${path}?${query}`));
          tried++;
        }
        for (const raw of ["%00", "%", "%ff%fe", "%ED%A0%80", "[]=1", "a&a=b", "+"]) {
          await asked(operation, () => camp.user.get(`${path}?${field}=${raw}`));
        }
      }
      if (operation.method === "GET") {
        const query = `?__proto__=1&x[y]=2&${queryOf(operation).slice(1)}`;
        await asked(operation, () => camp.user.get(path + query));
      }
    }
    assert(tried > 900, `${tried} queries`);
    await assertUnharmed(stage, camp);
  });
});

test("Wildcards, quotes and backslashes in a search are letters like others", async () => {
  await onStage(async (stage) => {
    const { sender, user } = stage;
    const titles = ["100% of it", "snake_case", "a\\b", "it's", 'say "hi"', "bang! bang!", "plain"];
    for (const message of titles) await sender.post("/api/v1/events", { message });
    const list = "/api/v1/projects/default/issues";
    await until(
      "all are stored",
      async () => (await user.get(list)).json.data.length === titles.length,
    );
    const found = async (q: string): Promise<string[]> =>
      (await user.get(`${list}?${new URLSearchParams({ q })}`)).json.data
        .map(({ title }: { title: string }) => title).sort();
    assertEquals(await found("%"), ["100% of it"]);
    assertEquals(await found("_"), ["snake_case"]);
    assertEquals(await found("\\"), ["a\\b"]);
    assertEquals(await found("'"), ["it's"]);
    assertEquals(await found('"'), ['say "hi"']);
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

test("Operations without a body take one for none, whatever is in it", async () => {
  await onStage(async (stage) => {
    const camp = await home(stage);
    for (const operation of await operationsOf(stage.app.url)) {
      const { method, path, body, isIngest } = operation;
      if (method !== "POST" || body !== null || isIngest || DESTRUCTIVE.test(path)) continue;
      for (const junk of ["{", "[".repeat(60_000), '{"affected":99}']) {
        const got = await asked(
          operation,
          () => camp.user.ask("POST", pathOf(operation, camp.ids), junk),
        );
        assertEquals([path, got], [path, 200]);
      }
    }
    await assertUnharmed(stage, camp);
  });
});

test("Requests that are none, or lie about their body, are answered or hung up on, and hurt nobody", async () => {
  await onStage(async (stage) => {
    const camp = await home(stage);
    const { url } = stage.app;
    const session = camp.user.headers;
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
    await assertUnharmed(stage, camp);
  });
});
