/** Tests that secrets, and only secrets, are removed before an event is stored. */
import process from "node:process";
import { assert, assertEquals } from "@std/assert";
import { isCard, SCRUB_DEFAULT, scrubbed, scrubRulesFrom } from "../../mesher/domain/scrub.ts";
import { eventFromSentry } from "../../mesher/domain/sentry.ts";
import type { MesherEvent } from "../../mesher/domain/event.ts";
import { newId } from "../../mesher/domain/id.ts";
import { test } from "../kit/test.ts";
import { eventWith } from "./event.ts";

const SECRET = "hunter2-Zq9";
const text = (message: string): string => scrubbed(eventWith({ message })).message;

function eventOf(input: unknown): MesherEvent {
  const valid = eventFromSentry(input, { now: Date.now(), newId: () => newId() });
  assert(valid.ok);
  return valid.event;
}

test("scrubbed removes secrets from every part of an event", () => {
  const names = {
    password: SECRET,
    "X-Api-Key": SECRET,
    authToken: SECRET,
    nested: [{ pwd: SECRET }],
  };
  const event = eventOf({
    message: `login failed, password=${SECRET}`,
    transaction: `/reset?token=${SECRET}`,
    tags: { api_key: SECRET },
    extra: names,
    contexts: { app: names },
    breadcrumbs: [{ message: `Authorization: Bearer ${SECRET}`, data: names }],
    request: {
      url: `https://ada:${SECRET}@a.example/?access_token=${SECRET}`,
      query_string: [["secret", SECRET]],
      data: `{"user":"ada","password":"${SECRET}"}`,
      env: { DB_PASSWORD: SECRET, ANYTHING: SECRET, SERVER_NAME: "web-1" },
      headers: [["X-Auth-Token", SECRET], ["Accept", "x"]],
    },
    exception: {
      values: [{
        type: "E",
        value: `postgres://u:${SECRET}@db/x refused`,
        stacktrace: { frames: [{ function: "f", vars: { ...names, kept: "42" } }] },
      }],
    },
  });
  const json = JSON.stringify(scrubbed(event));
  assert(!json.includes(SECRET), json);
  for (const kept of ["login failed", '"kept":"42"', "web-1", '"user\\":\\"ada', '"Accept","x"']) {
    assert(json.includes(kept), kept);
  }
  const log = eventOf({ logentry: { message: "token=%(token)s", params: { token: SECRET } } });
  assert(!JSON.stringify(scrubbed(log)).includes(SECRET));
  const params = { password: SECRET, user: "ada" };
  const login = eventOf({ logentry: { message: "%(user)s logs in with %(password)s", params } });
  assertEquals(scrubbed(login).message, "ada logs in with [Filtered]");
  assert(JSON.stringify(scrubbed(event, { ...SCRUB_DEFAULT, enabled: false })).includes(SECRET));
});

test("scrubbed removes values that look like secrets, whatever their names", () => {
  for (
    const secret of [
      "4111 1111 1111 1111",
      "5555555555554444",
      "AKIAIOSFODNN7EXAMPLE",
      "ghp_0123456789abcdefghijklmnopqrstuvwxyz",
      "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0In0.abcDEF123",
      "-----BEGIN PGP PRIVATE KEY BLOCK-----\nlQ\n-----END PGP PRIVATE KEY BLOCK-----",
      "-----BEGIN RSA PRIVATE KEY-----\nMIIE\n-----END RSA PRIVATE KEY-----",
      "4111.1111.1111.1111",
      "4111\u00a01111\u00a01111\u00a01111",
      "DE89 3704 0044 0532 0130 00",
      "npm_0123456789abcdefghijklmnopqrstuvwxyz",
      "hf_abcdefghijklmnopqrstuvwxyzABCDEFGH",
      "shpat_0123456789abcdef0123456789abcdef",
      "SK0123456789abcdef0123456789abcdef",
    ]
  ) assertEquals(text(`a ${secret} b`), "a [Filtered] b");
  const { extra } = scrubbed(eventWith({ extra: { n: 4111111111111111, t: 1764496680000 } }));
  assertEquals(extra, { n: "[Filtered]", t: 1764496680000 });
  assert(isCard("378282246310005") && !isCard("4111111111111112") && !isCard("1764496680000"));
});

test("scrubbed removes a secret in any notation and at any depth", () => {
  for (
    const where of [
      `failed: password=${SECRET} host=x`,
      `https://x.example/?api_key=${SECRET}`,
      `https://x.example/cb#access_token=${SECRET}&x=1`,
      `redirect=https%3A%2F%2Fx.example%2F%3Ftoken%3D${SECRET}`,
      JSON.stringify({ inner: JSON.stringify({ password: SECRET }) }),
      JSON.stringify({ a: JSON.stringify({ b: JSON.stringify({ password: SECRET }) }) }),
      `{'password': '${SECRET}', 'user': 'ada'}`,
      `{:password=>"${SECRET}"}`,
      `Settings(api_key='${SECRET}', debug=True)`,
      `{User:ada Password:${SECRET} Age:3}`,
      `Server=x;User Id=sa;Password=${SECRET};`,
      `DEBUG=1\nDB_PASSWORD=${SECRET}\n`,
      `db:\n  password: ${SECRET}\n`,
      `<login><password>${SECRET}</password></login>`,
      `<login user="a" password="${SECRET}"/>`,
      `mysql -u root --password ${SECRET} -h x`,
      `curl -u ada:${SECRET} https://x.example/`,
      `password="${SECRET}`,
      `password    =    ${SECRET}`,
      `postgres://app:p@${SECRET}@db.example/shop`,
      `mysqldump -uroot -p${SECRET} shop`,
      `Authorization: Digest username="ada", response="${SECRET}"`,
      `https://a.blob.example/x?sv=1&sig=${SECRET}${"x".repeat(20)}`,
      `{"passwords": ["${SECRET}"]}`,
      `ALTER USER a WITH PASSWORD '${SECRET}'`,
      `name="password"\r\n\r\n${SECRET}\r\n--b--`,
      `https://api.telegram.org/bot123456789:AAF-${SECRET}-${"x".repeat(20)}/getMe`,
    ]
  ) assert(!text(where).includes(SECRET), text(where));
  const extra = {
    argv: ["app", "--api-key", SECRET],
    form: [{ name: "password", value: SECRET }],
    authHeader: SECRET,
    "X-Hub-Signature-256": SECRET,
    token_2: SECRET,
    api_keys: [SECRET],
    headers: [["Authorization", SECRET]],
    kennwort: SECRET,
    apitoken: SECRET,
    backupCodes: [SECRET],
    two_factor_code: SECRET,
    "пароль": SECRET,
    tokens: [`${SECRET}-1234567`],
  };
  const json = JSON.stringify(scrubbed(eventWith({ extra })));
  assert(!json.includes(SECRET), json);
});

test("scrubbed keeps fields whose names only describe a secret", () => {
  const extra = {
    accessKeyLabel: "a",
    password_changed_at: "2026-01-31",
    token_type: "bearer",
    oauth_provider: "github",
    credentials_provider: "env",
    cookie_name: "sid",
    idempotency_key: "a",
    translation_key: "a.b",
    queryKey: "a",
    secretary: "ada",
    tokens_used: 77,
    order_no: "4000123412341234",
    order: { toString: 3, valueOf: 4 },
    session_types: ["a"],
    argv: ["--author", "ada"],
    field: { name: "city", value: "Rome" },
  };
  assertEquals(scrubbed(eventWith({ extra })).extra, extra);
  const url = "see https://x.example/?q=a&page=2#top, user: ada";
  assertEquals(text(url), url);
});

test("scrubbed keeps values that resemble a secret", () => {
  for (
    const message of [
      "Unexpected token: }",
      "Unexpected token < in JSON at position 0",
      "password: is required",
      "invalid key: ada",
      "author=ada, tokenizer=bpe, passenger=7, monkey=1",
      "image digest sha256:abcdef12 not found",
      "basic validation-failed.yes",
      "order 1234567890123456 failed at 2026-01-31T12:00:00Z",
    ]
  ) assertEquals(text(message), message);
  const extra = {
    author: "ada",
    keyboard: "qwerty",
    max_tokens: 100,
    primary_key: "id",
    secretary: null,
    hasPassword: true,
    has_password: "true",
    tokens: ["the", "quick"],
    error_code: "E-1001",
    session: { id: 5 },
  };
  assertEquals(scrubbed(eventWith({ extra })).extra, extra);
});

test("scrubRulesFrom reads the names that a project adds to the secrets or exempts from them", () => {
  assert(typeof scrubRulesFrom({ fields: ["Číslo"] }) !== "string");
  const rules = scrubRulesFrom({ fields: ["Customer-Number"], safe: ["csrf_token"] });
  assert(typeof rules !== "string");
  const extra = { customerNumber: "7", csrfToken: "x", password: "y" };
  assertEquals(scrubbed(eventWith({ extra }), rules).extra, {
    customerNumber: "[Filtered]",
    csrfToken: "x",
    password: "[Filtered]",
  });
  for (
    const wrong of [null, [], { enabled: 1 }, { fields: "x" }, { safe: [5] }, { fields: [""] }]
  ) {
    assertEquals(typeof scrubRulesFrom(wrong), "string", JSON.stringify(wrong));
  }
});

/** Returns the CPU time that removing secrets from a text takes, in milliseconds. */
function cpuOf(message: string): number {
  const began = process.cpuUsage();
  text(message);
  const { user, system } = process.cpuUsage(began);
  return (user + system) / 1_000;
}

test("scrubbed runs in linear time", () => {
  const pieces = [
    "a=",
    "a:b ",
    "4 ",
    "4-",
    "x://a:",
    '"',
    "bearer ",
    "a.a=",
    "\\",
    "-----BEGIN ",
    "eyJ",
    "eyJ-",
    "eyJ4-",
    "eyJsk-",
    "-eyJaaaaaaaa.eyJ",
    "password=",
    "password='",
    'password=\\"',
    "token={",
    "{token:",
    "token={{",
    "token=\\[Filtered",
    "token='[Filtered",
    "<a>",
    "<a></a>",
    "<token>{",
    "--token ",
    " -u a:",
    "%3Dtoken%3D",
    "%3D",
    "DE89 ",
    "4\u2013",
    "password '",
    'name="a"',
    "mysql -p",
    "mysql ",
    "digest a=",
    "basic ",
  ];
  for (const piece of pieces) {
    const of = (chars: number): number => cpuOf(piece.repeat(chars / piece.length));
    // In quadratic time, four times the text would take sixteen times as long. The measured CPU
    // time includes other work of the process, so several attempts are allowed.
    let [short, long] = [0, 0];
    for (let attempt = 0; attempt < 6; attempt++) {
      [short, long] = [of(32_768), of(131_072)];
      if (long < 9 * short || long < 20) break;
    }
    assert(long < 9 * short || long < 20, `${piece}: ${short} and ${long} ms`);
  }
});
