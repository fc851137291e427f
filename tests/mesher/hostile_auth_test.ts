/**
 * Tests authentication and authorisation: cookies, cross-site requests, password guessing, expired
 * sessions, tokens, keys and roles.
 */
import { assert, assertEquals, assertMatch, assertRejects } from "@std/assert";
import { startApp } from "../../mesher/app.ts";
import { hashPassword, isOutdated, PASSWORD_COST } from "../../mesher/domain/password.ts";
import { hashSecret } from "../../mesher/domain/secret.ts";
import { type AddressRange, rangesFrom } from "../../mesher/domain/address.ts";
import { browserOf } from "../../mesher/domain/browser.ts";
import {
  ACCOUNT_FAILURES,
  ATTEMPTS,
  Attempts,
  CLIENT_FAILURES,
} from "../../mesher/http/attempts.ts";
import { SESSION_MS } from "../../mesher/http/auth.ts";
import { clientOf } from "../../mesher/http/client.ts";
import { HASHES_MAX, HASHES_WAITING_MAX, Semaphore } from "../../mesher/http/hashing.ts";
import { LOOKUPS, mustFit, QUOTAS } from "../../mesher/http/quota.ts";
import { HttpError } from "../../mesher/http/http_error.ts";
import { findProject } from "../../mesher/http/scope.ts";
import { KEY_MS } from "../../mesher/pipeline/keys.ts";
import { Watch } from "../../mesher/sockets/watch.ts";
import { openStorage } from "../../mesher/storage/open.ts";
import { startCheaply } from "../kit/keys.ts";
import { test, until } from "../kit/test.ts";
import { Client, type Got, loggedIn, onStage, type Stage, testConfig } from "./end_to_end_kit.ts";
import { otherOrganisation, ownOrganisation } from "./hostile_kit.ts";

const EVA = { email: "eva@example.org", password: "a long enough one" };

/** Adds another user to the first organisation. Returns their membership and client. */
async function joined(
  { user, app }: Stage,
  role: string,
  person: typeof EVA = EVA,
): Promise<{ client: Client; id: string; userId: string }> {
  const made = await user.post("/api/v1/orgs/default/users", { ...person, role });
  assertEquals(made.status, 201, JSON.stringify(made.json));
  const client = await loggedIn(app.url, person.email, person.password);
  return { client, id: made.json.id, userId: made.json.user_id };
}

function login(client: Client, email: string, password: string): Promise<Got> {
  return client.as({}).post("/api/v1/login", { email, password });
}

test("Session cookies are HttpOnly and SameSite, and are Secure if the server is configured so", async () => {
  for (const secureCookies of [false, true]) {
    await onStage(async ({ user, first }) => {
      const got = await login(user, first.email, first.password);
      const [cookie, browser] = got.headers.getSetCookie();
      const prefix = secureCookies ? "__Host-" : "";
      const end = secureCookies ? "; SameSite=Strict; Secure" : "; SameSite=Strict";
      const session = `mesher_session=mshs_[0-9a-f]{48}; Path=/; Max-Age=604800; HttpOnly${end}`;
      const known =
        `mesher_browser=[0-9a-f]{32}\\.[0-9a-f]{64}; Path=/; Max-Age=15552000; HttpOnly`;
      assertMatch(cookie!, new RegExp(`^${prefix}${session}$`));
      assertMatch(browser!, new RegExp(`^${prefix}${known}${end}$`));
      assert(!JSON.stringify(got.json).includes("mshs_"), "the secret is only in the cookie");
      const out = await user.post("/api/v1/logout", {});
      const ended = new RegExp(`^${prefix}mesher_session=; Path=/; Max-Age=0; `);
      assertMatch(out.headers.get("set-cookie")!, ended);
    }, { secureCookies });
  }
});

test("Session cookies have the __Host- prefix behind a proxy that reports https", async () => {
  const proxies = rangesFrom(["127.0.0.1"]) as AddressRange[];
  await onStage(async ({ user, first }) => {
    const https = user.as({ "x-forwarded-proto": "https" });
    const right = { email: first.email, password: first.password };
    const [cookie] = (await https.post("/api/v1/login", right)).headers.getSetCookie();
    assertMatch(cookie!, /^__Host-mesher_session=.*; Secure$/);
    const value = cookie!.split(";")[0]!;
    const me = (headers: Record<string, string>) => user.as(headers).get("/api/v1/me");
    assertEquals((await me({ cookie: value, "x-forwarded-proto": "https" })).status, 200);
    // A cookie without the prefix may have been set by a plain-http page or by a subdomain.
    const bare = value.replace("__Host-", "");
    assertEquals((await me({ cookie: bare, "x-forwarded-proto": "https" })).status, 401);
    assertEquals((await me({ cookie: value })).status, 401);
    // The values that the client sent itself come before those that the proxy appends.
    assertEquals((await me({ cookie: value, "x-forwarded-proto": "https, http" })).status, 401);
  }, { proxies });
  await onStage(async ({ user, first }) => {
    const claims = user.as({ "x-forwarded-proto": "https" });
    const right = { email: first.email, password: first.password };
    const [cookie] = (await claims.post("/api/v1/login", right)).headers.getSetCookie();
    assertMatch(
      cookie!,
      /^mesher_session=/,
      "the header is ignored, because the sender is not a trusted proxy",
    );
  });
});

test("A session cookie is rejected in requests from pages of another site or port", async () => {
  await onStage(async ({ user, app }) => {
    const { host, hostname } = new URL(app.url);
    const change = async (headers: Record<string, string>): Promise<number> =>
      (await user.as({ ...user.headers, ...headers }).post("/api/v1/projects/default/settings", {}))
        .status;
    for (
      const headers of [
        { origin: "https://evil.example" },
        { origin: `https://${hostname}.evil.example` },
        { origin: `http://${hostname}:1` },
        { origin: `http://${hostname}` },
        { origin: "null" },
        { origin: "nonsense" },
        { "sec-fetch-site": "cross-site" },
        { "sec-fetch-site": "same-site" },
        { "sec-fetch-site": "same-site", origin: `http://${hostname}:${app.mesher.ports.ws}` },
      ]
    ) {
      assertEquals([headers, await change(headers as Record<string, string>)], [headers, 403]);
    }
    for (
      const headers of [
        {},
        { origin: `http://${host}` },
        { "sec-fetch-site": "none" },
        // The origin differs because the proxy has changed the host name. The header
        // `sec-fetch-site` of the browser decides.
        { origin: "https://errors.example.org", "sec-fetch-site": "same-origin" },
      ]
    ) {
      assertEquals([headers, await change(headers as Record<string, string>)], [headers, 200]);
    }
    // A token is accepted from any origin, because browsers do not send tokens on their own.
    const token = (await user.post("/api/v1/tokens", { label: "t" })).json.token;
    const program = user.as({ authorization: `Bearer ${token}`, origin: "https://evil.example" });
    assertEquals((await program.post("/api/v1/projects/default/settings", {})).status, 200);
  });
});

test("A stream opens only for pages of the server itself", async () => {
  await onStage(async ({ user, app }) => {
    const { http, ws } = app.mesher.ports;
    const opens = (port: number, origin: string): Promise<boolean> =>
      new Promise((resolve) => {
        const socket = new WebSocket(
          `ws://127.0.0.1:${port}/stream/projects/default`,
          { headers: { ...user.headers, origin } } as never,
        );
        socket.onopen = () => (socket.onclose = () => resolve(true), socket.close());
        socket.onerror = () => resolve(false);
      });
    const page = `http://127.0.0.1:${http}`;
    assertEquals(await opens(http, page), true);
    assertEquals(await opens(ws, page), true);
    assertEquals(await opens(http, "http://127.0.0.1:1"), false);
    assertEquals(await opens(ws, "http://127.0.0.1:1"), false);
    assertEquals(await opens(http, `http://127.0.0.1:${ws}`), false);
    assertEquals(await opens(http, "http://evil.example"), false);
  });
});

test("Login does not reveal whether a user exists", async () => {
  await onStage(async ({ user, first }) => {
    const wrong = await login(user, first.email, "not the password");
    const unknown = await login(user, "nobody@example.org", "not the password");
    assertEquals([wrong.status, wrong.json], [unknown.status, unknown.json]);
    assertEquals([...wrong.headers.keys()], [...unknown.headers.keys()]);
    assertEquals(wrong.headers.get("set-cookie"), null);
  });
});

test("Login is blocked after ten failed passwords from one client, however its address is written", async () => {
  await onStage(async ({ user, first }) => {
    const spellings = [first.email, first.email.toUpperCase(), ` ${first.email} `];
    const statuses: number[] = [];
    for (let i = 0; i < 12; i++) {
      statuses.push((await login(user, spellings[i % 3]!, "guess")).status);
    }
    assertEquals(statuses, [...Array(10).fill(401), 429, 429]);
    const right = await login(user, first.email, first.password);
    assertEquals([right.status, right.json], [429, { error: "too many attempts" }]);
    const seconds = Number(right.headers.get("retry-after"));
    assert(seconds > 0 && seconds <= 1_200, `${seconds}`);
    // Guesses of the current password in a session and failed logins use the same counter.
    const change = { current: "guess", password: "another long one" };
    const got = await user.post("/api/v1/password", change);
    assertEquals([got.status, got.headers.has("retry-after")], [429, true]);
  });
});

test("Failed logins of one client do not block other clients", async () => {
  const proxies = rangesFrom(["127.0.0.1"]) as AddressRange[];
  await onStage(async ({ user, first, app }) => {
    const right = { email: first.email, password: first.password };
    const from = (client: string, cookie?: string): Client =>
      user.as({ "x-forwarded-for": client, ...(cookie === undefined ? {} : { cookie }) });
    const [, browser] = (await from("192.0.2.1").post("/api/v1/login", right)).headers
      .getSetCookie();
    const known = browser!.split(";")[0]!;
    const wrong = { ...right, password: "a guess" };
    for (let i = 0; i < 12; i++) await from("203.0.113.9").post("/api/v1/login", wrong);
    assertEquals((await from("203.0.113.9").post("/api/v1/login", right)).status, 429);
    assertEquals((await from("192.0.2.2").post("/api/v1/login", right)).status, 200);
    // Guesses from a large number of addresses lock the account for unknown browsers.
    const { attempts } = app.mesher;
    for (let i = 0; i < ACCOUNT_FAILURES.limit; i++) {
      attempts.try({ email: first.email, client: `10.0.${i >> 8}.${i & 255}` }, Date.now());
    }
    assertEquals((await from("192.0.2.3").post("/api/v1/login", right)).status, 429);
    assertEquals((await from("203.0.113.9", known).post("/api/v1/login", right)).status, 200);
    // The cookie of a known browser alone grants no access, does not help with guessing, and is
    // valid for one account.
    assertEquals((await from("192.0.2.4", known).get("/api/v1/me")).status, 401);
    const statuses: number[] = [];
    for (let i = 0; i < 12; i++) {
      statuses.push((await from("192.0.2.5", known).post("/api/v1/login", wrong)).status);
    }
    assertEquals(statuses, [...Array(10).fill(401), 429, 429]);
    const forged = known.replace(/.$/, (last) => last === "0" ? "1" : "0");
    assertEquals((await from("192.0.2.6", forged).post("/api/v1/login", right)).status, 429);
    const { passwordHash } = (await app.mesher.storage.credentials(first.email))!;
    const value = known.split("=")[1]!;
    assert(browserOf(value, passwordHash) !== undefined);
    assertEquals(browserOf(value, `${passwordHash}x`), undefined, "a new password invalidates it");
  }, { proxies });
});

test("Attempts keeps a blocked client while many other clients are checked", () => {
  const attempts = new Attempts(100);
  const mallory = { email: "victim@x", client: "mallory" };
  for (let i = 0; i < ATTEMPTS.limit; i++) assertEquals(attempts.try(mallory, 0), 0);
  for (let i = 0; i < 1_000; i++) {
    assertEquals(attempts.try({ email: `other${i}@x`, client: `client ${i}` }, 1), 0);
  }
  assert(attempts.try({ email: "VICTIM@x ", client: "mallory" }, 2) > 0);
  assertEquals(attempts.watched, 100);
  // If all tracked clients have used up their attempts, a new client must wait too.
  const few = new Attempts(3);
  for (const email of ["a", "b", "c"]) {
    for (let i = 0; i < ATTEMPTS.limit; i++) few.try({ email, client: "1" }, 0);
  }
  assert(few.try({ email: "d", client: "1" }, 1) > 0);
  assert(few.try({ email: "a", client: "1" }, 1) > 0);
  assertEquals(few.try({ email: "d", client: "1" }, 2 * ATTEMPTS.windowMs), 0);
  assertEquals(few.try({ email: "a", client: "1" }, 2 * ATTEMPTS.windowMs), 0);
});

test("Attempts counts the failures of a client at all accounts, and a success does not reset the count", () => {
  const attempts = new Attempts();
  const at = (email: string, client = "mallory") => ({ email, client });
  const fails = (count: number, name: string): void => {
    for (let i = 0; i < count; i++) assertEquals(attempts.try(at(`${name}${i}`), 0), 0);
  };
  fails(CLIENT_FAILURES.limit - 1, "victim");
  for (let i = 0; i < 100; i++) {
    assertEquals(attempts.try(at("own"), 1), 0);
    attempts.succeed(at("own"));
    // An attempt that is taken back, because no login was made, does not count.
    assertEquals(attempts.try(at("other"), 1), 0);
    attempts.takeBack(at("other"));
  }
  assertEquals(attempts.isClientSpent("mallory", 1), false);
  fails(1, "last");
  assertEquals(attempts.isClientSpent("mallory", 1), true);
  // A client that waits does not use up the attempts of the account, so others may try.
  for (let i = 0; i < 100; i++) assert(attempts.try(at("ann"), 2) > 0);
  for (let i = 0; i < ATTEMPTS.limit; i++) assertEquals(attempts.try(at("ann", "ann's"), 2), 0);
  // A client that must wait because of the account does not use up its own attempts.
  for (let i = 0; i < 100; i++) assert(attempts.try(at("ann", "ann's"), 2) > 0);
  assertEquals(attempts.isClientSpent("ann's", 2), false);
  assertEquals(attempts.try(at("bob", "ann's"), 2), 0);
  assertEquals(attempts.try(at("ann", "bob's"), 2), 0);
  assertEquals(attempts.try(at("own"), 2 * CLIENT_FAILURES.windowMs), 0);
});

test("Login blocks a client after fifty failures at different accounts, and does not block others", async () => {
  const proxies = rangesFrom(["127.0.0.1"]) as AddressRange[];
  await onStage(async ({ user, first, lines }) => {
    let made = 0;
    // The proxy appends the client's address to the header that the client sent.
    const guess = async (client: string): Promise<number> => {
      const forwarded = { "x-forwarded-for": `198.51.100.${made % 250}, ${client}` };
      const body = { email: `user${made++}@example.org`, password: "the guess" };
      return (await user.as(forwarded).post("/api/v1/login", body)).status;
    };
    for (let i = 0; i < CLIENT_FAILURES.limit; i += 5) {
      const statuses = await Promise.all(Array.from({ length: 5 }, () => guess("203.0.113.9")));
      assertEquals(statuses, Array(5).fill(401));
    }
    assertEquals(await guess("203.0.113.9"), 429);
    const from = (client: string): Client => user.as({ "x-forwarded-for": client });
    const right = { email: first.email, password: first.password };
    const there = await from("203.0.113.9").post("/api/v1/login", right);
    assertEquals([there.status, there.json], [429, { error: "too many attempts" }]);
    const seconds = Number(there.headers.get("retry-after"));
    assert(seconds > 0 && seconds <= 1_200, `${seconds}`);
    // A client that must wait cannot guess the user's password in a session either.
    const change = { current: "a guess", password: "another long one" };
    const headers = { ...user.headers, "x-forwarded-for": "203.0.113.9" };
    assertEquals((await user.as(headers).post("/api/v1/password", change)).status, 429);
    // Other clients are unaffected, even for the same accounts.
    assertEquals((await from("203.0.113.10").post("/api/v1/login", right)).status, 200);
    assertEquals(await guess("203.0.113.10"), 401);
    const warnings = lines.filter((line) => line.includes("too many wrong passwords"));
    assert(warnings.length > 0 && warnings.every((line) => line.includes(" 203.0.113.9,")));
    assert(!lines.some((line) => /the guess|user\d+@/.test(line)), "no attempted value is logged");
  }, { proxies });
});

test("Failed logins are counted by the address of the connection if no proxy is trusted", async () => {
  await onStage(async ({ user, app }) => {
    const { attempts } = app.mesher;
    for (let i = 1; i < CLIENT_FAILURES.limit; i++) {
      assertEquals(attempts.try({ email: `user${i}`, client: "127.0.0.1" }, Date.now()), 0);
    }
    const guess = async (i: number): Promise<number> => {
      const elsewhere = user.as({ "x-forwarded-for": `203.0.113.${i}` });
      const body = { email: `u${i}@example.org`, password: "guess" };
      return (await elsewhere.post("/api/v1/login", body)).status;
    };
    assertEquals([await guess(1), await guess(2), await guess(3)], [401, 429, 429]);
  });
});

test("clientOf returns the last forwarded address that is not a trusted proxy", () => {
  const ours = rangesFrom(["10.0.0.0/8", "2001:db8:1::/48"]) as AddressRange[];
  const grid: [remote: string, forwarded: string | null, client: string][] = [
    ["203.0.113.9", null, "203.0.113.9"],
    ["::ffff:203.0.113.9", null, "203.0.113.9"],
    ["::1", null, "0:0:0:0::/64"],
    ["2001:db8:2:3:4:5:6:7", null, "2001:db8:2:3::/64"],
    ["2001:db8:2:3::ffff", null, "2001:db8:2:3::/64"],
    ["fe80::1%eth0", null, "fe80:0:0:0::/64"],
    ["", "203.0.113.9", ""],
    // An address that is not a trusted proxy is the client, whatever headers it sends.
    ["203.0.113.9", "198.51.100.1", "203.0.113.9"],
    ["203.0.113.9", "10.0.0.2", "203.0.113.9"],
    ["10.0.0.1", null, "10.0.0.1"],
    ["10.0.0.1", "203.0.113.9", "203.0.113.9"],
    ["::ffff:10.0.0.1", "::ffff:203.0.113.9", "203.0.113.9"],
    ["10.0.0.1", "198.51.100.1, 203.0.113.9", "203.0.113.9"],
    ["10.0.0.1", "10.0.0.7, 198.51.100.1 ,203.0.113.9,10.0.0.2", "203.0.113.9"],
    ["2001:db8:1::1", "10.0.0.3, 2001:db8:1:9::2", "10.0.0.3"],
    ["10.0.0.1", "203.0.113.9:4711", "203.0.113.9"],
    ["10.0.0.1", "[2001:db8:2::1]:4711", "2001:db8:2:0::/64"],
    ["10.0.0.1", "[2001:db8:2::1]", "2001:db8:2:0::/64"],
    // An invalid address ends the search.
    ["10.0.0.1", "203.0.113.9, unknown", "10.0.0.1"],
    ["10.0.0.1", "", "10.0.0.1"],
    ["10.0.0.1", ",,,", "10.0.0.1"],
    ["10.0.0.1", "203.0.113.9.evil", "10.0.0.1"],
    ["10.0.0.1", "203.0.113.9, 10.0.0.2:x", "10.0.0.1"],
    ["10.0.0.1", `${"1.2.3.4,".repeat(500)}203.0.113.9`, "203.0.113.9"],
  ];
  for (const [remote, forwarded, client] of grid) {
    const headers = new Headers(forwarded === null ? {} : { "x-forwarded-for": forwarded });
    assertEquals([remote, forwarded, clientOf(headers, remote, ours)], [remote, forwarded, client]);
    const alone = clientOf(new Headers(), remote, []);
    assertEquals(clientOf(headers, remote, []), alone);
  }
});

test("A manager can look up twenty addresses of users by adding members", async () => {
  await onStage(async (stage) => {
    const { user, app } = stage;
    const at = "/api/v1/orgs/default";
    const eva = await joined(stage, "owner");
    const max = await joined(stage, "member", { ...EVA, email: "max@example.org" });
    const add = async (client: Client, email: string): Promise<number> =>
      (await client.post(`${at}/members`, { email })).status;
    const leo = { ...EVA, email: "leo@example.org" };
    assertEquals((await eva.client.post(`${at}/users`, leo)).status, 201);
    for (let i = 0; i < LOOKUPS.limit - 1; i++) {
      // Adding an existing member does not count as a lookup.
      assertEquals(await add(eva.client, "MAX@example.org"), 409);
      assertEquals(await add(eva.client, `nobody${i}@example.org`), 404);
    }
    const taken = await eva.client.post(`${at}/users`, { ...EVA, email: "max@example.org" });
    assertEquals([taken.status, taken.json], [409, { error: "email is taken" }]);
    await user.post(`${at}/members/${max.id}/remove`);
    const received = [
      await add(eva.client, "nobody@example.org"),
      await add(eva.client, EVA.email),
    ];
    assertEquals([...received, await add(eva.client, "max@example.org")], [429, 429, 429]);
    const made = await eva.client.post(`${at}/users`, { ...EVA, email: "new@example.org" });
    assertEquals([made.status, made.headers.has("retry-after")], [429, true]);
    assertEquals(await app.mesher.storage.credentials("new@example.org"), null);
    // A lookup by id is not limited, because it reveals nothing about an address. Other clients
    // need not wait.
    const byId = await eva.client.post(`${at}/members`, { user_id: max.userId });
    assertEquals(byId.status, 201);
    assertEquals(await add(user, "nobody@example.org"), 404);
  });
});

test("Semaphore limits the running and the waiting tasks, and rejects the others", async () => {
  const semaphore = new Semaphore(2, 3);
  let [working, most] = [0, 0];
  const ends: (() => void)[] = [];
  const work = async (): Promise<void> => {
    most = Math.max(most, ++working);
    await new Promise<void>((end) => ends.push(end));
    working--;
    if (ends.length % 2 === 0) throw new Error("it failed");
  };
  const all = Array.from({ length: 5 }, () => semaphore.take(work).catch(() => {}));
  const refused = await assertRejects(() => semaphore.take(work), HttpError);
  assertEquals([refused.status, refused.headers], [503, { "retry-after": "2" }]);
  for (let done = 0; done < 5; done++) {
    await until("a task has ended", () => ends.length > done);
    ends[done]!();
  }
  await Promise.all(all);
  assertEquals([working, most], [0, 2]);
  await semaphore.take(() => Promise.resolve());
});

test("Login answers 503 to requests above the limit of concurrent password hashes", async () => {
  await onStage(async ({ user, first }) => {
    // With these parameters, a hash takes less than a tenth of the usual time, which is still
    // longer than a request.
    const size = 2 * (HASHES_MAX + HASHES_WAITING_MAX);
    const requests = Array.from(
      { length: size },
      (_, i) => login(user, `user${i}@example.org`, "guess"),
    );
    const statuses = (await Promise.all(requests)).map(({ status }) => status);
    const refused = statuses.filter((status) => status === 503).length;
    assert(refused > 0, "no request was rejected");
    assertEquals(refused + statuses.filter((status) => status === 401).length, size);
    assertEquals((await login(user, first.email, first.password)).status, 200);
  }, { passwordCost: { ...PASSWORD_COST, N: 8_192, p: 1 } });
});

test("Sessions end at logout, at expiry and when the password changes", async () => {
  let ahead = 0;
  const now = (): number => Date.now() + ahead;
  const storage = await openStorage({ sqlitePath: ":memory:", now });
  const app = await startApp(testConfig(), {
    log: () => {},
    storage,
    now,
    startNode: startCheaply,
  });
  try {
    const { email, password } = app.first!;
    const [one, two, three] = [
      await loggedIn(app.url, email, password),
      await loggedIn(app.url, email, password),
      await loggedIn(app.url, email, password),
    ];
    const token = (await one.post("/api/v1/tokens", { label: "t" })).json.token;
    const program = one.as({ authorization: `Bearer ${token}` });
    const me = async (client: Client): Promise<number> => (await client.get("/api/v1/me")).status;
    assertEquals((await one.post("/api/v1/logout", {})).status, 200);
    assertEquals([await me(one), await me(two), await me(program)], [401, 200, 200]);
    const change = { current: password, password: "another long one" };
    assertEquals((await two.post("/api/v1/password", change)).status, 200);
    assertEquals([await me(two), await me(three), await me(program)], [401, 401, 200]);
    const fresh = await loggedIn(app.url, email, change.password);
    ahead = SESSION_MS - 60_000;
    assertEquals(await me(fresh), 200);
    ahead = SESSION_MS + 60_000;
    assertEquals([await me(fresh), await me(program)], [401, 200]);
    ahead = 366 * 86_400_000;
    assertEquals(await me(program), 401);
  } finally {
    await app.stop();
  }
});

test("Secrets appear in no log, and in no response except the list of a project's keys", async () => {
  await onStage(async (stage) => {
    const { user, first, app, lines } = stage;
    const token = (await user.post("/api/v1/tokens", { label: "t" })).json.token;
    const key = (await user.post("/api/v1/projects/default/api-keys", {})).json.key_value;
    const session = user.headers["cookie"]!.split("=")[1]!;
    const pages = [
      "/api/v1/me",
      "/api/v1/sessions",
      "/api/v1/orgs/default/members",
      "/api/v1/projects/default/api-keys",
      "/api/v1/projects/default",
      "/api/v1/cluster",
      "/metrics",
    ];
    const secrets = [token, key, session, first.key, first.password];
    for (const page of pages) {
      const text = JSON.stringify((await user.get(page)).json);
      for (const secret of page.endsWith("/api-keys") ? [token, session] : secrets) {
        assert(!text.includes(secret), page);
        assert(!text.includes(secret.slice(10)), page);
      }
      assert(!/scrypt\$/.test(text), page);
    }
    assertEquals(await app.mesher.storage.sessionBySecret(session), null);
    assertEquals(await app.mesher.storage.projectByKey(key), null);
    for (const line of lines) for (const secret of secrets) assert(!line.includes(secret), line);
  });
});

test("A revoked key is rejected at once on its node, and on other nodes after their cache expires", async () => {
  let ahead = 0;
  const now = (): number => Date.now() + ahead;
  const storage = await openStorage({ sqlitePath: ":memory:" });
  const open = { ...storage, close: () => Promise.resolve() };
  const app = await startApp(testConfig(), {
    log: () => {},
    storage: open,
    now,
    startNode: startCheaply,
  });
  const other = await startApp(testConfig(), {
    log: () => {},
    storage,
    now,
    startNode: startCheaply,
  });
  try {
    const { email, password, key } = app.first!;
    const user = await loggedIn(app.url, email, password);
    const [here, there] = [app.url, other.url].map((url) => new Client(url, { "x-api-key": key }));
    const sends = async (client: Client): Promise<number> =>
      (await client.post("/api/v1/events", { message: "m" })).status;
    assertEquals([await sends(here!), await sends(there!)], [202, 202]);
    const [{ id }] = (await user.get("/api/v1/projects/default/api-keys")).json;
    assertEquals((await user.post(`/api/v1/api-keys/${id}/revoke`)).status, 200);
    assertEquals(await sends(here!), 401);
    ahead = KEY_MS;
    assertEquals(await sends(there!), 401);
    assert(KEY_MS <= 2_000, "the documentation of the route says two seconds");
  } finally {
    await app.stop();
    await other.stop();
  }
});

test("A stream ends soon after its session, membership or project ends", async () => {
  await onStage(async (stage) => {
    const { user, first, app } = stage;
    const { storage } = app.mesher;
    const ended: string[] = [];
    const watch = new Watch(storage, 5);
    const hashOf = (client: Client): string => hashSecret(client.headers["cookie"]!.split("=")[1]!);
    const streams: { close(): void }[] = [];
    const add = (name: string, client: Client, projectId: string): void => {
      const stream = { close: () => (ended.push(name), watch.remove(stream)) };
      streams.push(stream);
      watch.add(stream, { secretHash: hashOf(client), projectId });
    };
    const eva = await joined(stage, "member");
    const again = await loggedIn(app.url, first.email, first.password);
    const project = (await user.post("/api/v1/orgs/default/projects", { name: "P" })).json.id;
    add("stays", user, first.projectId);
    add("logged out", again, first.projectId);
    add("left", eva.client, first.projectId);
    add("gone", user, project);
    await again.post("/api/v1/logout", {});
    await until(
      "the stream of the logged-out session has ended",
      () => ended.join() === "logged out",
    );
    await user.post(`/api/v1/orgs/default/members/${eva.id}/remove`);
    await until(
      "the stream of the former member has ended",
      () => ended.join() === "logged out,left",
    );
    await user.post(`/api/v1/projects/${project}/delete`);
    await until(
      "the stream of the deleted project has ended",
      () => ended.join() === "logged out,left,gone",
    );
    for (const stream of streams) watch.remove(stream);
  });
});

test("The WebSocket of a stream is closed when its session has ended", async () => {
  await onStage(async ({ user, app }) => {
    const socket = new WebSocket(
      `${app.url.replace("http", "ws")}/stream/projects/default`,
      { headers: user.headers } as never,
    );
    const closed = new Promise<CloseEvent>((resolve) => socket.onclose = resolve);
    await new Promise((opened) => socket.onopen = opened);
    await user.post("/api/v1/logout", {});
    assertEquals((await closed).code, 1008);
    await until("no client watches", () => app.mesher.live.clients === 0);
  });
});

test("Members may read and write, managers may manage, and only owners may change owners", async () => {
  await onStage(async (stage) => {
    const { user, first } = stage;
    const member = await joined(stage, "member");
    const max = { email: "max@example.org", password: "a long enough one" };
    const admin = await joined(stage, "admin", max);
    const members = (await user.get("/api/v1/orgs/default/members")).json;
    const owner = members.find(({ role }: { role: string }) => role === "owner");
    const [key] = (await user.get("/api/v1/projects/default/api-keys")).json;
    const at = "/api/v1/orgs/default";
    const webhook = { type: "webhook", url: "https://hooks.example/" };
    const rule = { name: "r", condition: { condition_type: "new_issue" }, action: webhook };
    const ruleId = (await user.post("/api/v1/projects/default/alert-rules", rule)).json.id;
    // Actions that a member may not perform, with the statuses that a member and an admin receive.
    // An admin who receives 403 may not perform the action either.
    const grid: [path: string, body: unknown, member: number, admin: number][] = [
      [`${at}/members`, { email: "x@y.z" }, 403, 404],
      [`${at}/users`, { ...EVA, role: "member" }, 403, 409],
      [`${at}/users`, { ...EVA, role: "owner" }, 403, 403],
      [`${at}/members/${admin.id}/role`, { role: "owner" }, 403, 403],
      [`${at}/members/${owner.id}/role`, { role: "member" }, 403, 403],
      [`${at}/members/${owner.id}/remove`, {}, 403, 403],
      [`${at}/projects`, { name: "Default" }, 403, 409],
      ["/api/v1/projects/default/settings", { name: "D" }, 403, 200],
      ["/api/v1/projects/default/api-keys", { label: "k" }, 403, 201],
      ["/api/v1/projects/default/alert-rules", rule, 403, 201],
      ["/api/v1/projects/default/alert-rules", { ...rule, action: undefined }, 403, 201],
      [`/api/v1/alert-rules/${ruleId}/toggle`, { enabled: false }, 404, 200],
      [`/api/v1/alert-rules/${ruleId}/delete`, {}, 404, 200],
      [`/api/v1/api-keys/${key.id}/revoke`, {}, 404, 200],
      ["/api/v1/projects/default/delete", {}, 403, 200],
    ];
    for (const [path, body, ofMember, ofAdmin] of grid) {
      assertEquals([path, (await member.client.post(path, body)).status], [path, ofMember]);
      assertEquals([path, (await admin.client.post(path, body)).status], [path, ofAdmin]);
    }
    // Revoking a role has an immediate effect.
    await user.post(`${at}/members/${admin.id}/role`, { role: "member" });
    assertEquals((await admin.client.post(`${at}/projects`, { name: "Q" })).status, 403);
    assertEquals((await user.post(`${at}/members/${owner.id}/remove`)).status, 409);
    assertEquals(
      (await user.post(`${at}/members/${owner.id}/role`, { role: "admin" })).status,
      409,
    );
    assertEquals((await user.get("/api/v1/me")).json.user.email, first.email);
  });
});

test("Any member may leave except the last owner", async () => {
  await onStage(async (stage) => {
    const eva = await joined(stage, "member");
    const other = await joined(stage, "member", { ...EVA, email: "max@example.org" });
    const at = "/api/v1/orgs/default/members";
    assertEquals((await eva.client.post(`${at}/${other.id}/remove`)).status, 403);
    assertEquals((await eva.client.post(`${at}/${eva.id}/remove`)).status, 200);
    assertEquals((await eva.client.get("/api/v1/orgs")).json, []);
  });
});

test("One owner remains when two owners remove or demote each other at once", async () => {
  await onStage(async (stage) => {
    const { user } = stage;
    const at = "/api/v1/orgs/default/members";
    for (const verb of ["role", "remove"]) {
      const other = await joined(stage, "owner", { ...EVA, email: `${verb}@example.org` });
      const members = (await user.get(at)).json;
      const me = (await user.get("/api/v1/me")).json.user.id;
      const own = members.find((one: { user_id: string }) => one.user_id === me).id;
      const body = verb === "role" ? { role: "member" } : {};
      const statuses = (await Promise.all([
        user.post(`${at}/${other.id}/${verb}`, body),
        other.client.post(`${at}/${own}/${verb}`, body),
      ])).map(({ status }) => status).sort();
      // The second user is no longer an owner, or no longer a member.
      assertEquals(statuses[0], 200, `${statuses}`);
      assert([403, 404, 409].includes(statuses[1]!), `${statuses}`);
      const { storage } = stage.app.mesher;
      const left = await storage.members(stage.first.organisationId);
      assertEquals(left.filter(({ role }) => role === "owner").length, 1);
      // Makes the first user an owner for the next round, whichever request was faster.
      await storage.addMember(stage.first.organisationId, me, "owner");
      const again = (await storage.members(stage.first.organisationId))
        .find(({ userId }) => userId === me)!;
      await storage.setRole(stage.first.organisationId, again.id, "owner");
    }
  });
});

test("A socket is closed and accepts no more events when its key is revoked", async () => {
  await onStage(async ({ user, app, sender }) => {
    const socket = new WebSocket(
      `${app.url.replace("http", "ws")}/ingest`,
      { headers: sender.headers } as never,
    );
    const answers: string[] = [];
    const closed = new Promise<CloseEvent>((resolve) => socket.onclose = resolve);
    await new Promise((opened) => socket.onopen = opened);
    socket.onmessage = ({ data }) => answers.push(JSON.parse(String(data)));
    const deep = `{"message":"m","extra":${"[".repeat(100_000)}${"]".repeat(100_000)}}`;
    for (const text of ['{"message":"m"}', deep, "[".repeat(500_000), " ".repeat(1_048_577)]) {
      socket.send(text);
    }
    await until("all events are answered", () => answers.length === 4);
    const [{ id }] = (await user.get("/api/v1/projects/default/api-keys")).json;
    await user.post(`/api/v1/api-keys/${id}/revoke`);
    socket.send('{"message":"late"}');
    assertEquals((await closed).code, 1008);
    assertEquals(answers.map((one) => Object.values(one)[0]), [
      ...["accepted", "accepted", "invalid json", "payload too large", "unauthorized"],
    ]);
    await until("two events are stored", () => app.mesher.counters.get("stored") === 2);
  });
});

test("A slug that two of the user's organisations share is rejected as ambiguous", async () => {
  await onStage(async (stage) => {
    const mine = await ownOrganisation(stage);
    const theirs = await otherOrganisation(stage);
    const body = { name: "Default", slug: "default" };
    const trap = await theirs.user.post(`/api/v1/orgs/${theirs.ids["org_id"]}/projects`, body);
    assertEquals(trap.status, 201);
    assertEquals((await mine.user.get("/api/v1/projects/default/settings")).status, 200);
    // The other organisation adds the user as a member, so that requests for "default" could reach
    // its project.
    const added = await theirs.user.post(`/api/v1/orgs/${theirs.ids["org_id"]}/members`, {
      user_id: mine.userId,
    });
    assertEquals(added.status, 201);
    const got = await mine.user.get("/api/v1/projects/default/settings");
    assertEquals([got.status, got.json], [409, {
      error: "several projects have this slug: use the id",
    }]);
    const { ids } = mine;
    assertEquals((await mine.user.get(`/api/v1/projects/${ids["project_id"]}`)).status, 200);
    const { storage } = stage.app.mesher;
    const memberships = await storage.organisationsOf(mine.userId);
    const found = await findProject(storage, memberships, ids["project_id"]!);
    assertEquals(found.membership.organisation.id, ids["org_id"]);
  });
});

test("A password hash with outdated parameters is replaced after a successful login", async () => {
  await onStage(async ({ user, first, app }) => {
    const { storage } = app.mesher;
    const id = (await user.get("/api/v1/me")).json.user.id;
    const cheap = await hashPassword(first.password, { N: 512, r: 8, p: 1 });
    await storage.setPassword(id, cheap);
    assertEquals((await login(user, first.email, "not the password")).status, 401);
    assertEquals((await storage.credentials(first.email))!.passwordHash, cheap);
    const again = await loggedIn(app.url, first.email, first.password);
    const { passwordHash } = (await storage.credentials(first.email))!;
    assert(!isOutdated(passwordHash, app.mesher.config.passwordCost));
    assertEquals((await again.get("/api/v1/me")).status, 200);
    assertEquals((await login(user, first.email, first.password)).status, 200);
    assertEquals((await storage.credentials(first.email))!.passwordHash, passwordHash);
  });
});

test("Users are created only with a valid address and a long enough password", async () => {
  await onStage(async ({ user }) => {
    const at = "/api/v1/orgs/default/users";
    const { password } = EVA;
    for (
      const email of [
        ...[
          "x",
          "@",
          "a@",
          "@b",
          "a@b@c",
          "a b@c",
          "a@b\n",
          "a\u0000@b",
          "a\u001b[31m@b",
          "a\u202e@b",
        ],
        ...["a\u200b@b", "\ud800@b", `${"x".repeat(254)}@b`],
      ]
    ) {
      const got = await user.post(at, { email, password });
      // Surrounding white space is trimmed.
      const isBlank = email === "a@b\n";
      assertEquals([email, got.status], [email, isBlank ? 201 : 400]);
    }
    assertEquals((await user.post(at, { email: "c@d", password: "x".repeat(9) })).status, 400);
    assertEquals((await user.post(at, { email: "c@d", password: "x".repeat(257) })).status, 400);
  });
});

test("A slug that is equal to another organisation's id is rejected", async () => {
  await onStage(async (stage) => {
    const mine = await ownOrganisation(stage);
    const theirs = await otherOrganisation(stage);
    for (const slug of [mine.ids["org_id"]!, mine.ids["project_id"]!, crypto.randomUUID()]) {
      const got = await theirs.user.post("/api/v1/orgs", { name: "A trap", slug });
      assertEquals([got.status, got.json], [400, { error: "slug must not be an id" }]);
      const at = `/api/v1/orgs/${theirs.ids["org_id"]}/projects`;
      assertEquals((await theirs.user.post(at, { name: "A trap", slug })).status, 400);
      assertEquals((await theirs.user.post("/api/v1/orgs", { name: slug })).status, 400);
    }
    // An id also takes precedence over an equal slug that is stored already, even if the
    // organisation with that slug is first in the list of names.
    const { storage } = stage.app.mesher;
    const slug = mine.ids["org_id"]!;
    const trap = await storage.createOrganisation({ name: "AAA", slug, ownerId: mine.userId });
    assert(trap.ok);
    const found = await mine.user.get(`/api/v1/orgs/${slug}`);
    assertEquals([found.json.id, found.json.name], [slug, "Default"]);
  });
});

test("A user has at most fifty sessions, not counting tokens", async () => {
  await onStage(async ({ user, first, app }) => {
    const { storage } = app.mesher;
    const userId = (await user.get("/api/v1/me")).json.user.id;
    const expiresAt = Date.now() + 60_000;
    for (let i = 0; i < 60; i++) {
      const kind = i % 6 === 0 ? "token" : "session";
      await storage.createSession({ userId, kind, label: "", secretHash: `${i}`, expiresAt });
    }
    const last = await loggedIn(app.url, first.email, first.password);
    assertEquals((await last.get("/api/v1/me")).status, 200);
    assertEquals((await user.get("/api/v1/me")).status, 401, "the oldest session has ended");
    const kinds = (await storage.sessions(userId)).map(({ kind }) => kind);
    assertEquals(kinds.filter((kind) => kind === "session").length, 50);
    assertEquals(kinds.filter((kind) => kind === "token").length, 10);
  });
});

test("The numbers of tokens, alert rules, keys and organisations are limited", async () => {
  await onStage(async ({ user }) => {
    const made = async (path: string, body: (i: number) => unknown, max: number): Promise<void> => {
      const statuses: number[] = [];
      for (let i = 0; i <= max; i++) statuses.push((await user.post(path, body(i))).status);
      assertEquals(statuses.filter((status) => status === 201).length, max, path);
      assertEquals(statuses.at(-1), 409, path);
    };
    await made("/api/v1/tokens", (i) => ({ label: `t${i}` }), QUOTAS["tokens of one user"]);
    await made("/api/v1/projects/default/alert-rules", (i) => ({
      name: `r${i}`,
      condition: { condition_type: "new_issue" },
    }), QUOTAS["alert rules of one project"]);
    // A key and an organisation exist before the test creates any.
    await made(
      "/api/v1/projects/default/api-keys",
      () => ({}),
      QUOTAS["keys of one project"] - 1,
    );
    await made("/api/v1/orgs", (i) => ({ name: `o${i}` }), QUOTAS["organizations of one user"] - 1);
    const revoked = (await user.get("/api/v1/projects/default/api-keys")).json[5].id;
    await user.post(`/api/v1/api-keys/${revoked}/revoke`);
    assertEquals((await user.post("/api/v1/projects/default/api-keys", {})).status, 201);
  });
  mustFit("projects of one organization", QUOTAS["projects of one organization"] - 1);
});

test("Metrics and the cluster routes require an operator", async () => {
  await onStage(async (stage) => {
    const { user, first } = stage;
    const eva = await joined(stage, "owner");
    const statuses = async (client: Client): Promise<number[]> => [
      (await client.get("/metrics")).status,
      (await client.get("/api/v1/cluster")).status,
      (await client.post("/api/v1/operators", { email: "nobody@example.org" })).status,
    ];
    assertEquals(await statuses(user), [200, 200, 404]);
    assertEquals(await statuses(eva.client), [403, 403, 403], "an owner is not an operator");
    assertEquals(await statuses(user.as({})), [401, 401, 401]);
    const set = async (client: Client, email: string, operator: boolean): Promise<number> =>
      (await client.post("/api/v1/operators", { email, operator })).status;
    assertEquals(await set(user, first.email, false), 409);
    assertEquals(await set(user, EVA.email.toUpperCase(), true), 200);
    assertEquals((await eva.client.get("/api/v1/me")).json.user.operator, true);
    assertEquals(await set(eva.client, first.email, false), 200);
    assertEquals(await statuses(user), [403, 403, 403]);
    assertEquals(await set(eva.client, EVA.email, false), 409);
    // One operator remains if two remove each other at the same time.
    assertEquals(await set(eva.client, first.email, true), 200);
    const both = await Promise.all([
      set(user, EVA.email, false),
      set(eva.client, first.email, false),
    ]);
    assert(both.filter((status) => status === 200).length === 1, `${both}`);
  });
});

test("The cluster page and its actions require an operator", async () => {
  await onStage(async (stage) => {
    const { user } = stage;
    const eva = await joined(stage, "owner");
    const page = "/observer/";
    assertEquals((await user.get(page)).status, 200);
    assertEquals((await user.get(`${page}api/cluster`)).json.access, "control");
    for (const client of [eva.client, user.as({}), user.as({ host: "127.0.0.1" })]) {
      for (const path of [page, `${page}api/cluster`, `${page}metrics`]) {
        assertEquals((await client.get(path)).status, 403, path);
      }
    }
    const [tree] = (await user.get(`${page}api/tree`)).json;
    const id = /\.(\d+)>$/.exec(tree.children[0].pid)![1];
    const suspend = `${page}api/suspend?id=${id}`;
    assertEquals((await user.post(suspend)).status, 403);
    const own = { ...user.headers, "x-firn": "1" };
    const other = { ...own, origin: "https://evil.example", "sec-fetch-site": "cross-site" };
    assertEquals((await user.as(other).post(suspend)).status, 403);
    assertEquals((await user.as(own).post(suspend)).json, true);
    assertEquals((await user.as(own).post(suspend.replace("suspend", "resume"))).json, true);
  });
});

test("Tokens are revoked with a password change if the request asks for it", async () => {
  await onStage(async ({ user, first, app }) => {
    const tokenOf = async (client: Client): Promise<Client> => {
      const { token } = (await client.post("/api/v1/tokens", { label: "t" })).json;
      return user.as({ authorization: `Bearer ${token}` });
    };
    const kept = await tokenOf(user);
    const second = "a second long one";
    const change = { current: first.password, password: second };
    assertEquals((await user.post("/api/v1/password", change)).status, 200);
    assertEquals((await kept.get("/api/v1/me")).status, 200);
    const again = await loggedIn(app.url, first.email, second);
    const all = { current: second, password: "a third long one", end_tokens: true };
    assertEquals((await again.post("/api/v1/password", all)).status, 200);
    assertEquals((await kept.get("/api/v1/me")).status, 401);
  });
});
