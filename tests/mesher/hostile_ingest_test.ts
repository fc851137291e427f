/**
 * Tests what the holder of a key may send to a node: decompression bombs, false lengths, deep
 * nesting, large amounts, and text that is slow to parse. All of it is stored within the limits or
 * rejected, in a short time.
 */
import { assert, assertEquals, assertRejects } from "@std/assert";
import { Buffer } from "node:buffer";
import {
  brotliCompressSync,
  constants,
  deflateRawSync,
  gzipSync,
  zstdCompressSync,
} from "node:zlib";
import { normalise } from "../../mesher/domain/normalise.ts";
import { BULK_BYTES_MAX, EVENT_BYTES_MAX } from "../../mesher/domain/limits.ts";
import { queryWords, wordsOf } from "../../mesher/domain/words.ts";
import { keyOf } from "../../mesher/http/auth.ts";
import { readBytes, readChunks } from "../../mesher/http/input.ts";
import { HttpError } from "../../mesher/http/http_error.ts";
import { rowOf } from "../../mesher/pipeline/accepted.ts";
import { columnsOf } from "../../mesher/storage/rows.ts";
import { isOwnHalf, test, until } from "../kit/test.ts";
import { eventWith } from "./event.ts";
import { onStage, type Stage } from "./end_to_end_kit.ts";
import { headOf, operationsOf, rawAsk } from "./hostile_kit.ts";

/** The maximum time in milliseconds for a response, even on a busy machine. */
const RESPONSE_MS_MAX = 30_000;
const KEY = `mshr_${"0123456789abcdef".repeat(3)}`;

/**
 * Returns a gzip that decompresses to this many MiB of zeros, and is a thousand times smaller. Its
 * checksum is never reached.
 */
function bomb(mebibytes: number): Uint8Array<ArrayBuffer> {
  const block = deflateRawSync(new Uint8Array(1_048_576), { finishFlush: constants.Z_FULL_FLUSH });
  const head = Uint8Array.from([0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 3]);
  const blocks = Array.from({ length: mebibytes }, () => block);
  return new Uint8Array(Buffer.concat([head, ...blocks]));
}

async function soon<T>(what: string, work: () => Promise<T> | T): Promise<T> {
  const before = performance.now();
  const result = await work();
  const ms = performance.now() - before;
  assert(ms < RESPONSE_MS_MAX, `${what} took ${ms} ms`);
  return result;
}

/** Asserts that events are still accepted and stored. */
async function assertOpen({ sender, user, lines }: Stage): Promise<void> {
  const { id } = (await sender.post("/api/v1/events", { message: "still here" })).json;
  await until(
    "an event is stored",
    async () => (await user.get(`/api/v1/events/${id}`)).status === 200,
  );
  assertEquals(lines.filter((line) => /failed|cannot be/.test(line)), []);
}

test("readChunks inflates a body in small chunks, and stops at its limit", async () => {
  const max = 1_000_000;
  let [largest, total] = [0, 0];
  const asked = (encoding: string, body: Uint8Array<ArrayBuffer>): Request =>
    new Request("http://a/", {
      method: "POST",
      headers: { "content-encoding": encoding },
      body,
    });
  for (
    const [encoding, body] of [
      ["gzip", bomb(64)],
      ["br", new Uint8Array(brotliCompressSync(new Uint8Array(64 << 20)))],
      ["zstd", new Uint8Array(zstdCompressSync(new Uint8Array(64 << 20)))],
    ] as const
  ) {
    [largest, total] = [0, 0];
    const refused = await assertRejects(async () => {
      for await (const chunk of readChunks(asked(encoding, body), max)) {
        largest = Math.max(largest, chunk.length);
        total += chunk.length;
      }
    }, HttpError);
    assertEquals([encoding, refused.status], [encoding, 413]);
    assert(total <= max && largest <= 1 << 20, `${encoding}: ${total} bytes, ${largest} at once`);
    await assertRejects(() => readBytes(asked(encoding, body), max), HttpError);
  }
});

test("Decompression bombs are rejected although many arrive at the same time", async () => {
  await onStage(async (stage) => {
    const { sender, app } = stage;
    const big = bomb(4_000);
    assert(big.length < BULK_BYTES_MAX);
    const twice = gzipSync(gzipSync(new Uint8Array(100_000)));
    const cut = gzipSync(JSON.stringify({ message: "m" })).subarray(0, -12);
    for (const { isIngest, access, path, statuses } of await operationsOf(app.url)) {
      if (!isIngest || access !== "key") continue;
      const at = path.replace("{project}", "1");
      const ask = (body: Uint8Array, encoding: string) =>
        sender.as({ ...sender.headers, "content-encoding": encoding })
          .ask("POST", at, body as Uint8Array<ArrayBuffer>);
      const tooLarge = /events/.test(path) ? 400 : 413;
      await soon(at, async () => {
        const all = await Promise.all(Array.from({ length: 8 }, () => ask(big, "gzip")));
        assertEquals(all.map(({ status }) => status), Array(8).fill(tooLarge), at);
      });
      for (
        const [body, encoding, status] of [
          [twice, "gzip", 400],
          [cut, "gzip", 400],
          [new Uint8Array(100), "gzip", 400],
          [new Uint8Array(0), "gzip", 400],
          [gzipSync("{}"), "deflate", 400],
          [gzipSync("{}"), "gzip, gzip", 400],
          [gzipSync("{}"), Array(9).fill("gzip").join(), 415],
          [gzipSync("{}"), "zstd", 400],
          [gzipSync("{}"), "br", 400],
          [gzipSync("{}"), "compress", 415],
          [gzipSync("{}"), "identity", 400],
        ] as const
      ) {
        const got = await ask(body, encoding);
        assertEquals([at, encoding, got.status], [at, encoding, status]);
        assert(typeof got.json.error === "string" && statuses.includes(status));
      }
    }
    await assertOpen(stage);
  });
});

test("Bodies of exactly the limit are accepted, and longer ones are rejected", async () => {
  await onStage(async ({ sender }) => {
    const padded = (text: string, size: number): string => text + " ".repeat(size - text.length);
    const one = '{"message":"m"}';
    for (
      const [path, text, max, ok, no] of [
        ["/api/v1/events", one, EVENT_BYTES_MAX, 202, 400],
        ["/api/v1/events/bulk", `[${one}]`, BULK_BYTES_MAX, 202, 400],
        ["/api/1/store", one, EVENT_BYTES_MAX, 200, 413],
      ] as const
    ) {
      assertEquals([path, (await sender.ask("POST", path, padded(text, max))).status], [path, ok]);
      const got = await sender.ask("POST", path, padded(text, max + 1));
      assertEquals([path, got.status, got.json], [path, no, { error: "payload too large" }]);
    }
    const huge = await sender.ask("POST", "/api/v1/events", " ".repeat(8_000_000));
    assertEquals(huge.status, 400);
    // An attachment may be larger than an event may be.
    const attached = `{}\n{"type":"event"}\n${one}\n{"type":"attachment","length":9000000}\n`;
    const whole = await sender.ask("POST", "/api/1/envelope", attached + " ".repeat(9_000_000));
    assertEquals(whole.status, 200);
    const far = await sender.ask("POST", "/api/1/envelope", attached + " ".repeat(68_000_000));
    assertEquals([far.status, far.json], [413, { error: "payload too large" }]);
  });
});

test("Every event field accepts deep, large and wrongly typed values within the limits of an event", async () => {
  await onStage(async (stage) => {
    const { sender, user } = stage;
    const fields = [
      ...[
        "id",
        "event_id",
        "timestamp",
        "level",
        "message",
        "exception",
        "exceptions",
        "breadcrumbs",
      ],
      ...["tags", "user", "environment", "release", "platform", "server_name", "transaction"],
      ...["logger", "sdk", "fingerprint", "extra", "contexts", "request", "stacktrace", "threads"],
      ...["logentry", "__proto__", "constructor"],
    ];
    const deep = "[".repeat(100_000) + "]".repeat(100_000);
    const values = [
      deep,
      `{"values":${deep}}`,
      `{"frames":${deep}}`,
      '{"a":'.repeat(100_000) + "1" + "}".repeat(100_000),
      JSON.stringify("x".repeat(1_000_000)),
      JSON.stringify("\ud800\0\u001b".repeat(50_000)),
      `[${"{},".repeat(300_000)}{}]`,
      `[${"[],".repeat(300_000)}[]]`,
      `{"values":[${'{"type":"T","stacktrace":{"frames":[{}]}},'.repeat(20_000)}{}]}`,
      `{${Array.from({ length: 60_000 }, (_, i) => `"k${i}":${i}`).join()}}`,
      '{"__proto__":{"a":1},"constructor":{"b":2},"toString":3,"hasOwnProperty":4,"length":5}',
      '[{"__proto__":null}]',
      "1e400",
      "-1e400",
      "-1",
      "1.7976931348623157e308",
      "99999999999999999999999",
      "true",
      "null",
    ];
    const ids: string[] = [];
    for (const [row, field] of fields.entries()) {
      for (const [i, value] of values.entries()) {
        if (!isOwnHalf(row + (i >> 1))) continue;
        const body = field === "message"
          ? `{"message":${value}}`
          : `{"message":"m","${field}":${value}}`;
        if (body.length > EVENT_BYTES_MAX) continue;
        const what = `${field}, value ${i}`;
        const paths = i % 2 === 0 ? ["/api/v1/events"] : ["/api/1/store"];
        for (const path of paths) {
          const got = await soon(what, () => sender.ask("POST", path, body));
          assert([200, 202, 400].includes(got.status), `${what}: ${got.status}`);
          if (got.status === 202) ids.push(got.json.id);
          else if (got.status === 400) assert(got.json.error.length > 5, what);
        }
      }
    }
    assert(ids.length > 50, `${ids.length} taken`);
    for (const id of ids) {
      let got = await user.get(`/api/v1/events/${id}`);
      await until("the event is stored", async () => {
        got = await user.get(`/api/v1/events/${id}`);
        return got.status === 200;
      });
      const size = JSON.stringify(got.json).length;
      assert(size < 1_500_000, `${size} characters`);
    }
    assertEquals(Object.hasOwn(Object.prototype, "a"), false);
    await assertOpen(stage);
  }, { ratePerMinute: 1_000_000 });
});

test("Envelopes with wrong item lengths are read up to the error, or rejected with a message", async () => {
  await onStage(async (stage) => {
    const { sender } = stage;
    const event = '{"message":"m"}';
    const item = (length: unknown, payload = event): string =>
      `{}\n{"type":"event","length":${JSON.stringify(length)}}\n${payload}\n`;
    const refused: [string, RegExp][] = [
      ["", /first line/],
      ["\n\n\n", /first line/],
      ["[]\n", /first line/],
      [item(16_000_000), /ends before its length/],
      [item(Number.MAX_SAFE_INTEGER), /ends before its length/],
      [item(-1), /must be a number of bytes/],
      [item(1.5), /must be a number of bytes/],
      [item("15"), /must be a number of bytes/],
      [item({}), /must be a number of bytes/],
      ['{}\n{"type":"event","length":1e400}\n{}\n', /must be a number of bytes/],
      [item(5), /must be a JSON object/],
      [item(0), /must be a JSON object/],
      ["{}\n{}\n{}\n", /with a type/],
      ['{}\n{"type":1}\n{}\n', /with a type/],
      [`{}\n{"type":"event"}\n${"[".repeat(100_000)}\n`, /must be a JSON object/],
      [
        `{}\n{"type":"event"}\n${JSON.stringify({ message: "x".repeat(1_100_000) })}\n`,
        /too large/,
      ],
    ];
    for (const [text, words] of refused) {
      const got = await soon("an envelope", () => sender.ask("POST", "/api/1/envelope/", text));
      assertEquals([text.slice(0, 60), got.status], [text.slice(0, 60), 400]);
      assert(words.test(got.json.error), `${text.slice(0, 60)}: ${got.json.error}`);
    }
    const taken: [string, object][] = [
      ["{}", {}],
      [`{"event_id":"x"}\n`, {}],
      [`{}\n{"type":"__proto__"}\n{}\n`, {}],
      [`{}\n\n\n\n{"type":"session"}\n{}`, {}],
      [`{"event_id":"${"a".repeat(32)}"}\n{"type":"attachment","length":3}\n\0\n\n\n`, {
        id: "a".repeat(32),
      }],
      ["{}\n" + "\n".repeat(4_000_000), {}],
      [`{}\n${'{"type":"session"}\n{}\n'.repeat(2_000)}`, {}],
    ];
    for (const [text, answer] of taken) {
      const got = await soon("an envelope", () => sender.ask("POST", "/api/1/envelope/", text));
      assertEquals([text.slice(0, 60), got.status, got.json], [text.slice(0, 60), 200, answer]);
    }
    await assertOpen(stage);
  });
});

test("An envelope that is sent twice is stored once, wherever it contains the event's id", async () => {
  await onStage(async ({ sender, user, app }) => {
    const id = "0123456789abcdef0123456789abcdef";
    const bodies = [
      `{"event_id":"${id}"}\n{"type":"event"}\n{"message":"m"}\n`,
      `{"event_id":"${id}"}\n{"type":"event"}\n{"message":"m","event_id":"${id}"}\n`,
      `{}\n{"type":"event"}\n{"message":"m","event_id":"${id}"}\n`,
    ];
    for (const body of bodies) {
      const got = await sender.ask("POST", "/api/1/envelope/", body);
      assertEquals([got.status, got.json], [200, { id }]);
    }
    const { counters } = app.mesher;
    await until(
      "all three envelopes are handled",
      () => counters.get("stored") + counters.get("duplicate") === 3,
    );
    assertEquals((await user.get("/api/v1/projects/default/events")).json.data.length, 1);
  });
});

test("keyOf finds a key in each place in which clients put it", () => {
  const of = (headers: Record<string, string>, query = ""): string | null =>
    keyOf(new Headers(headers), new URL(`http://a/${query}`));
  for (
    const value of [
      `Sentry sentry_version=7, sentry_key=${KEY}, sentry_client=x`,
      `sentry sentry_key=${KEY}`,
      `Sentry sentry_client=a/1,sentry_key=${KEY},sentry_secret=s`,
      KEY,
      `Bearer ${KEY}`,
      `bearer   ${KEY}`,
      `DSN https://${KEY}@errors.example.org/1`,
      `https://${KEY}:secret@errors.example.org:8080/a/b/1?c=d`,
      `http://${KEY}@[::1]:8080/1`,
    ]
  ) {
    assertEquals([value, of({ "x-sentry-auth": value })], [value, KEY]);
    assertEquals([value, of({ authorization: value })], [value, KEY]);
  }
  assertEquals(of({ "x-api-key": ` ${KEY} ` }), KEY);
  assertEquals(of({}, `?sentry_key=${KEY}&sentry_version=7`), KEY);
  assertEquals(of({}), null);
  for (
    const value of [
      "",
      "Sentry",
      "Sentry sentry_key=",
      "Sentry sentry_key=,",
      "https://errors.example.org/1",
      "https://@errors.example.org/1",
      "https://",
      `Basic ${KEY}`,
      `sentry_key ${KEY}`,
      `x${KEY}`,
      "sentry_key=".repeat(700),
      "https://".repeat(1_000),
    ]
  ) {
    const found = of({ authorization: value });
    assert(found !== KEY, `${value.slice(0, 80)}: ${found}`);
  }
});

test("Texts that make regular expressions slow are read quickly", async () => {
  const units = [
    ...[
      "a",
      "a.",
      "a@",
      "a-",
      "_",
      " ",
      "1",
      "1.",
      "0x",
      "f",
      "'",
      '"',
      "\"'",
      "\n",
      "aA",
      "Aa",
      "A",
    ],
    ...[
      "a@a.",
      ".@",
      "+",
      "1.1.1.",
      "é",
      "\u0301",
      "\ud83d\ude00",
      "\ud800",
      "/",
      "://",
      "?",
      "<n>",
    ],
    ...["00000000-", "aaaaaaaa-aaaa-", "{{ default }}", "_aaaaaaaa", "a:", "\\", "$&", "((((a"],
  ];
  for (const unit of units) {
    for (const end of ["", "!", "@", "\n", "x"]) {
      const text = unit.repeat(Math.ceil(20_000 / unit.length)) + end;
      await soon(JSON.stringify(unit), () => {
        normalise(text);
        wordsOf(text);
        queryWords(text);
        keyOf(new Headers({ authorization: text.replace(/[^ -~]/g, "?") }), new URL("http://a/"));
        const exception = {
          ...{ type: text, value: text, module: null, handled: null },
          frames: Array.from({ length: 100 }, () => ({
            ...{ file: text.slice(0, 512), function: text.slice(0, 512), module: null, line: 1 },
            ...{ column: null, inApp: null, context: null, contextBefore: [], contextAfter: [] },
          })),
        };
        const event = eventWith({ message: text, exceptions: [exception], fingerprint: [text] });
        columnsOf(rowOf({ projectId: "p", receivedAt: 0, event }));
      });
    }
  }
});

test("Ingest with a key writes to the project of the key, whichever project the URL names", async () => {
  await onStage(async ({ sender, user, app, first }) => {
    const other = (await user.post("/api/v1/orgs/default/projects", { name: "Other" })).json;
    const envelope = `{}\n{"type":"event"}\n{"message":"m","project":"${other.id}"}\n`;
    for (const named of [other.id, other.slug, "DEFAULT", "-1", "1e0", "1%00", "%31%2f"]) {
      const got = await sender.ask("POST", `/api/${named}/envelope/`, envelope);
      assertEquals([named, got.status, got.json], [named, 404, { error: "project not found" }]);
    }
    for (
      const named of [first.projectId, first.projectId.toUpperCase(), "default", "1", "999999999"]
    ) {
      assertEquals((await sender.ask("POST", `/api/${named}/envelope/`, envelope)).status, 200);
    }
    await until("all events are stored", () => app.mesher.counters.get("stored") === 5);
    assertEquals((await user.get(`/api/v1/projects/${other.id}/events`)).json.data, []);
    // If a request has two keys, the first one is used.
    const both = { "x-api-key": first.key, authorization: `Bearer ${KEY}` };
    assertEquals((await sender.as(both).post("/api/v1/events", { message: "m" })).status, 202);
    const twice = `x-api-key: ${KEY}\r\nx-api-key: ${first.key}`;
    const head = headOf("POST /api/v1/events", { "content-length": "15" })
      .replace("\r\n\r\n", `\r\n${twice}\r\n\r\n`);
    assertEquals((await rawAsk(app.url, `${head}{"message":"m"}`)).status, 401);
  });
});
