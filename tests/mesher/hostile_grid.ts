/**
 * Tries every hostile value in every field of every operation of the API, on both databases. Each
 * response must arrive in time with a status that the API document lists, and the node must work
 * afterwards.
 */
import { assert, assertEquals } from "@std/assert";
import type { Client, Stage } from "./end_to_end_kit.ts";
import {
  bodyOf,
  type Fixture,
  type Operation,
  operationsOf,
  ownOrganisation,
  pathOf,
  queryOf,
} from "./hostile_kit.ts";

/** Texts that have caused errors in other servers. */
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

/** JSON values other than texts, as written in a body. */
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

/** The maximum time in milliseconds for a response, even on a busy machine. */
const RESPONSE_MS_MAX = 30_000;

/** Sends a request, and asserts that the operation documents the status of the response. */
export async function asked(
  operation: Operation,
  ask: () => ReturnType<Client["get"]>,
): Promise<number> {
  const before = performance.now();
  const got = await ask();
  const ms = performance.now() - before;
  const what = `${operation.method} ${operation.path}: ${got.status} ${JSON.stringify(got.json)}`;
  assert(operation.statuses.includes(got.status), what);
  assert(got.status < 500, what);
  assert(ms < RESPONSE_MS_MAX, `${what} after ${ms} ms`);
  assert(got.headers.get("x-content-type-options") === "nosniff", what);
  const type = got.headers.get("content-type")!;
  assert(type === "application/json; charset=utf-8" || operation.path === "/metrics", type);
  return got.status;
}

/** Asserts that the node still works. */
export async function assertUnharmed(
  { lines, app }: Stage,
  { user, ids }: Fixture,
): Promise<void> {
  assertEquals(lines.filter((line) => /request failed|hook failed/.test(line)), []);
  const event = await user.get(`/api/v1/events/${ids["event_id"]}`);
  assertEquals([event.status, event.json.event?.message], [200, "secret"]);
  assertEquals((await user.as({}).get("/ready")).json, { status: "ready" });
  assertEquals(Object.hasOwn(Object.prototype, "enabled"), false);
  assertEquals(({} as { x?: number }).x, undefined);
  assertEquals((await app.mesher.storage.health()).problem, null);
}

/** Tries every value in every field of every body, or those for which `isWanted` returns true. */
export async function tryBodies(
  stage: Stage,
  isWanted: (i: number) => boolean = () => true,
): Promise<void> {
  const own = await ownOrganisation(stage);
  const values = [...TEXTS.map((text) => JSON.stringify(text)), ...VALUES];
  let [tried, at] = [0, 0];
  for (const operation of await operationsOf(stage.app.url)) {
    if (operation.body === null) continue;
    for (const field of Object.keys(operation.body)) {
      at++;
      for (const [i, value] of values.entries()) {
        if (!isWanted(at + i)) continue;
        const others = bodyOf(operation);
        delete others[field];
        const body = `{${JSON.stringify(field)}:${value},${JSON.stringify(others).slice(1)}`
          .replace(/,\}$/, "}");
        // Requests with passwords take long by design and may end sessions, so only some values are tried.
        if (/password|login|users/.test(operation.path) && tried % 8 !== 0 && value !== "null") {
          tried++;
          continue;
        }
        await asked(
          operation,
          () => own.user.ask(operation.method, pathOf(operation, own.ids), body),
        );
        tried++;
      }
    }
  }
  assert(tried > 350, `${tried} bodies`);
  await assertUnharmed(stage, own);
}

/** Tries every text in every field of every query, or those for which `isWanted` returns true. */
export async function tryQueries(
  stage: Stage,
  isWanted: (i: number) => boolean = () => true,
): Promise<void> {
  const own = await ownOrganisation(stage);
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
  let [tried, at] = [0, 0];
  for (const operation of await operationsOf(stage.app.url)) {
    const path = pathOf(operation, own.ids);
    for (const field of Object.keys(operation.query)) {
      at++;
      for (const [i, text] of [...TEXTS, ...numbers].entries()) {
        if (!isWanted(at + i)) continue;
        const query = new URLSearchParams(queryOf(operation).slice(1));
        query.set(field, text.toWellFormed());
        // Skips long queries, because the server limits the length of the request line.
        if (`${query}`.length > 7_000) continue;
        await asked(operation, () => own.user.get(`${path}?${query}`));
        tried++;
      }
      for (const raw of ["%00", "%", "%ff%fe", "%ED%A0%80", "[]=1", "a&a=b", "+"]) {
        await asked(operation, () => own.user.get(`${path}?${field}=${raw}`));
      }
    }
    if (operation.method === "GET") {
      const query = `?__proto__=1&x[y]=2&${queryOf(operation).slice(1)}`;
      await asked(operation, () => own.user.get(path + query));
    }
  }
  assert(tried > 450, `${tried} queries`);
  await assertUnharmed(stage, own);
}
