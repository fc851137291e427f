/**
 * Tests random and mutated input in every reader of Mesher: each returns a result of the specified
 * form and within its limits, and nothing throws. `FIRN_FUZZ=200000` runs longer. A failure prints
 * the seed that replays it.
 */
import { assert, assertEquals } from "@std/assert";
import type { SeededRandom } from "../../lib/base/random.ts";
import {
  actionFrom,
  conditionFrom,
  conditionJson,
  cooldownFrom,
} from "../../mesher/domain/alert.ts";
import { decodeCursor, encodeCursor, placeFrom } from "../../mesher/domain/cursor.ts";
import { isLevel, type Json, type MesherEvent } from "../../mesher/domain/event.ts";
import { groupingOf } from "../../mesher/domain/fingerprint.ts";
import { idOf, isId } from "../../mesher/domain/id.ts";
import {
  BREADCRUMBS_MAX,
  ENVELOPE_ITEMS_MAX,
  EXCEPTIONS_MAX,
  FRAMES_MAX,
  JSON_DEPTH_MAX,
  MESSAGE_CHARS_MAX,
  NAME_CHARS_MAX,
  TAG_VALUE_CHARS_MAX,
  TAGS_MAX,
  TITLE_CHARS_MAX,
  VALUE_CHARS_MAX,
} from "../../mesher/domain/limits.ts";
import { verifyPassword } from "../../mesher/domain/password.ts";
import { scrubbed } from "../../mesher/domain/scrub.ts";
import { eventFromSentry, readEnvelope } from "../../mesher/domain/sentry.ts";
import { validateBulk, validateEvent } from "../../mesher/domain/validate.ts";
import { queryWords, WORD_CHARS_MAX, WORDS_MAX, wordsOf } from "../../mesher/domain/words.ts";
import { keyOf } from "../../mesher/http/auth.ts";
import { cookieOf, SESSION_COOKIE } from "../../mesher/http/cookies.ts";
import { readBody } from "../../mesher/http/input.ts";
import { HttpError } from "../../mesher/http/http_error.ts";
import type { Fields } from "../../mesher/http/route.ts";
import { columnsOf } from "../../mesher/storage/rows.ts";
import { fuzzCount, mutated, rounds } from "../kit/fuzz.ts";
import { pick } from "../kit/seeds.ts";
import { test } from "../kit/test.ts";

const EVENTS = fuzzCount(4_000);
const MOMENT = { now: 1_700_000_000_000, newId: () => "00000000-0000-7000-8000-000000000001" };

/** Property names of events, and names that every object inherits. */
const NAMES: readonly string[] = [
  ...["id", "event_id", "timestamp", "level", "message", "exception", "exceptions", "breadcrumbs"],
  ...["tags", "user", "environment", "release", "platform", "server_name", "transaction", "logger"],
  ...[
    "sdk",
    "fingerprint",
    "extra",
    "contexts",
    "request",
    "headers",
    "cookies",
    "values",
    "frames",
  ],
  ...["stacktrace", "stack", "threads", "logentry", "formatted", "type", "value", "module", "file"],
  ...["filename", "function", "line", "lineno", "colno", "in_app", "pre_context", "context_line"],
  ...["mechanism", "handled", "data", "category", "name", "version", "email", "ip_address", "key"],
  ...["__proto__", "constructor", "toString", "length", "", "\0", "cookie", "events"],
];

/** Texts that have a special meaning in some language, format or protocol. */
const WORDS: readonly string[] = [
  ...["error", "FATAL", "warn", "2024-02-30T99:99", "2024-01-01T00:00:00Z", "1e999", "NaN", ""],
  ...["0123456789abcdef0123456789abcdef", "01890000-0000-7000-8000-000000000000", "{{ default }}"],
  ...["{{default}}", "\ud800", "\udfff\ud800", "\0", "\r\n", "\u202e", "a@b.c", "127.0.0.1"],
  ...[
    "__proto__",
    "'\"\\",
    "$& $1",
    "%",
    "<b>",
    "🎉".repeat(300),
    "x".repeat(9_000),
    "É́".repeat(99),
  ],
];

const NUMBERS: readonly number[] = [
  ...[0, -0, 1, -1, 0.5, 1e11, 1e12, 8.64e15, 8.64e15 + 1, 2 ** 53, 1e308, -1e308, 5e-324],
  ...[Infinity, -Infinity, NaN, MOMENT.now, MOMENT.now / 1000],
];

/** Returns a random JSON value, or sometimes a value that JSON does not have. */
function anything(random: SeededRandom, depth: number): unknown {
  switch (random.below(depth > 0 ? 8 : 5)) {
    case 0:
      return pick(random, WORDS);
    case 1:
      return pick(random, NUMBERS);
    case 2:
      return pick(random, [null, true, false, undefined]);
    case 3:
      return String.fromCharCode(...random.bytes(random.below(40)));
    case 4:
      return "";
    case 5: {
      const length = random.below(200) === 0 ? 300 : random.below(4);
      return Array.from({ length }, () => anything(random, depth - 1));
    }
    default: {
      const entries = Array.from(
        { length: random.below(random.below(200) === 0 ? 300 : 5) },
        () => [
          random.below(20) === 0 ? `k${random.below(1000)}` : pick(random, NAMES),
          anything(random, depth - 1),
        ],
      );
      return Object.fromEntries(entries);
    }
  }
}

/** Returns an object that resembles an event. */
function nearly(random: SeededRandom): Record<string, unknown> {
  const event: [string, unknown][] = random.below(4) === 0 ? [] : [["message", "m"]];
  for (let i = random.below(8); i > 0; i--) event.push([pick(random, NAMES), anything(random, 4)]);
  return Object.fromEntries(event);
}

function depthOf(value: Json): number {
  if (typeof value !== "object" || value === null) return 0;
  return 1 + Math.max(0, ...Object.values(value).map(depthOf));
}

/** Throws unless the event has every property that later steps need. */
function assertEvent(event: MesherEvent): void {
  assert(isId(event.id), event.id);
  assert(isLevel(event.level));
  assert(Number.isSafeInteger(event.timestamp) && Math.abs(event.timestamp - MOMENT.now) < 1e10);
  assert(event.message.length <= MESSAGE_CHARS_MAX);
  assert(event.exceptions.length <= EXCEPTIONS_MAX);
  for (const { type, value, frames } of event.exceptions) {
    assert(type.length <= NAME_CHARS_MAX && value.length <= VALUE_CHARS_MAX);
    assert(frames.length <= FRAMES_MAX);
    for (const { line, file } of frames) {
      assert(line === null || Number.isSafeInteger(line) && line >= 0);
      assert(file === null || file.length <= NAME_CHARS_MAX && file !== "");
    }
  }
  assert(event.breadcrumbs.length <= BREADCRUMBS_MAX);
  for (const { level, data, timestamp } of event.breadcrumbs) {
    assert(isLevel(level) && depthOf(data) <= JSON_DEPTH_MAX);
    if (timestamp !== null) new Date(timestamp).toISOString();
  }
  const tags = Object.entries(event.tags);
  assert(tags.length <= TAGS_MAX);
  for (const [, value] of tags) assert(value !== "" && value.length <= TAG_VALUE_CHARS_MAX);
  for (const free of [event.extra, event.contexts, event.request ?? {}]) {
    assert(depthOf(free) <= JSON_DEPTH_MAX);
  }
  if (event.request !== null) assert(!Object.hasOwn(event.request, "cookies"));
  // The event is plain data, so it can be sent to an actor and written as JSON.
  assertEquals(JSON.stringify(structuredClone(event)), JSON.stringify(event));
  const clean = scrubbed(event);
  assertEquals(scrubbed(clean), clean, "scrubbing twice changes nothing");
  const { fingerprint, title, culprit } = groupingOf(clean);
  assert(/^[0-9a-f]{32}$/.test(fingerprint) && title !== "" && title.length <= TITLE_CHARS_MAX);
  assert(!/[\r\n]/.test(title));
  const columns = columnsOf({ projectId: "p", receivedAt: 0, event, fingerprint, title, culprit });
  for (const text of Object.values(columns)) {
    if (typeof text !== "string") continue;
    assert(text.isWellFormed() && !text.includes("\0"), "the text can be stored in a database");
  }
  assert(!/\\u0000|\\ud[89a-f]/.test(columns.payload.replaceAll("\\\\", "")));
}

test("validateEvent and eventFromSentry return a complete event for any input, or an error", () => {
  let [made, refused] = [0, 0];
  rounds(EVENTS, (random) => {
    const input = random.below(20) === 0 ? anything(random, 4) : nearly(random);
    for (const read of [validateEvent, eventFromSentry]) {
      const before = JSON.stringify(input);
      const result = read(input, MOMENT);
      assertEquals(JSON.stringify(input), before, "the input is unchanged");
      if (result.ok) assertEvent(result.event);
      else assert(result.reason.length > 5 && result.reason.length < 100, result.reason);
      if (result.ok) made++;
      else refused++;
    }
  });
  assert(made > refused / 10, `${made} made, ${refused} refused`);
});

test("validateBulk returns a result for every event of any input", () => {
  rounds(EVENTS / 20, (random) => {
    const list = Array.from({ length: random.below(120) }, () => nearly(random));
    const input = pick(random, [list, { events: list }, anything(random, 4)]);
    const result = validateBulk(input, MOMENT);
    if (!result.ok) return assert(result.reason.length > 5);
    for (const one of result.events) if (one.ok) assertEvent(one.event);
  });
});

/** Returns an envelope as an SDK sends it. */
function envelope(random: SeededRandom): Uint8Array {
  const lines: string[] = [JSON.stringify({ event_id: pick(random, WORDS), dsn: "https://a@b/1" })];
  for (let i = random.below(5); i > 0; i--) {
    const payload = JSON.stringify(nearly(random));
    const bytes = new TextEncoder().encode(payload).length;
    const type = pick(random, ["event", "event", "session", "attachment", "transaction"]);
    const length = pick(random, [
      undefined,
      bytes,
      bytes,
      bytes + 1,
      bytes - 1,
      0,
      -1,
      1e308,
      2 ** 53,
    ]);
    lines.push(JSON.stringify({ type, ...(length === undefined ? {} : { length }) }), payload);
  }
  return new TextEncoder().encode(lines.join("\n") + pick(random, ["", "\n", "\n\n"]));
}

test("readEnvelope reads random and mutated envelopes, or reports an error", () => {
  let [read, events] = [0, 0];
  rounds(EVENTS, (random) => {
    const whole = envelope(random);
    const bytes = random.below(10) === 0 ? random.bytes(random.below(200)) : mutated(random, whole);
    const before = bytes.slice();
    const result = readEnvelope(bytes);
    assertEquals(bytes, before, "the input is unchanged");
    if (!result.ok) return assert(result.reason.length > 5 && result.reason.length < 100);
    read++;
    events += result.events.length;
    assert(result.events.length <= ENVELOPE_ITEMS_MAX && result.problems.length <= 100);
    assert(result.eventId === null || isId(result.eventId));
    for (const event of result.events) {
      assert(typeof event === "object" && event !== null && !Array.isArray(event));
      const made = eventFromSentry(event, MOMENT);
      if (made.ok) assertEvent(made.event);
    }
  });
  assert(read > 0 && events > 0, `${read} read with ${events} events`);
});

test("readEnvelope returns the first events of a truncated envelope", () => {
  rounds(EVENTS / 20, (random) => {
    const bytes = envelope(random);
    const whole = readEnvelope(bytes);
    for (let end = 0; end < bytes.length; end += 1 + random.below(10)) {
      const cut = readEnvelope(bytes.subarray(0, end));
      if (!cut.ok || !whole.ok) continue;
      assertEquals(cut.events, whole.events.slice(0, cut.events.length));
    }
  });
});

test("decodeCursor returns the place that encodeCursor encoded, and a valid place or null for other text", () => {
  const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
  rounds(EVENTS, (random) => {
    const id = idOf(
      Array.from(random.bytes(16), (byte) => byte.toString(16).padStart(2, "0")).join(""),
    )!;
    const place = { at: random.below(2 ** 31) * 1000, id };
    const text = encodeCursor(place);
    assertEquals(decodeCursor(text), place);
    const at = random.below(text.length);
    const letter = alphabet[random.below(64)]!;
    const bent = pick(random, [
      text.slice(0, at) + letter + text.slice(at + 1),
      text.slice(0, at) + text.slice(at + 1),
      text.slice(0, at) + pick(random, WORDS) + text.slice(at),
      Array.from({ length: random.below(90) }, () => pick(random, [...alphabet])).join(""),
      String(anything(random, 0)),
    ]);
    for (const found of [decodeCursor(bent), placeFrom(bent, id), placeFrom("1", bent)]) {
      if (found === null) continue;
      assert(Number.isSafeInteger(found.at) && found.at >= 0 && isId(found.id), bent);
    }
  });
});

test("conditionFrom, actionFrom and cooldownFrom accept any input, and return values within bounds", () => {
  rounds(EVENTS, (random) => {
    const input = random.below(3) === 0 ? anything(random, 3) : {
      condition_type: pick(random, ["threshold", "new_issue", "spike", "__proto__", 1]),
      type: pick(random, ["websocket", "webhook", "toString"]),
      threshold: pick(random, [1, 1e9, 1e9 + 1, 0, "1", ...NUMBERS]),
      window_minutes: pick(random, [1, 10_080, 10_081, "5", ...NUMBERS]),
      url: pick(random, [
        "http://a/",
        "https://a:b@c/",
        "ftp://a",
        "javascript:1",
        "//a",
        ...WORDS,
      ]),
    };
    const condition = conditionFrom(input);
    if (condition.ok) assertEquals(conditionFrom(conditionJson(condition.value)), condition);
    const action = actionFrom(input);
    if (action.ok && action.value.kind === "webhook") {
      const url = new URL(action.value.url);
      assert(/^https?:$/.test(url.protocol) && url.username === "" && url.password === "");
    }
    const cooldown = cooldownFrom(input);
    if (cooldown.ok) assert(Number.isSafeInteger(cooldown.value) && cooldown.value >= 0);
  });
});

test("wordsOf and queryWords return words of letters, digits and underscores within their limits", () => {
  rounds(EVENTS, (random) => {
    const text = Array.from({ length: random.below(20) }, () => String(anything(random, 0))).join(
      " ",
    );
    for (const words of [wordsOf(text), queryWords(text)]) {
      assert(words.length <= WORDS_MAX);
      for (const word of words) {
        assert(word.length <= WORD_CHARS_MAX && /^[\p{L}\p{N}\p{M}_]+$/u.test(word), word);
      }
    }
  });
});

test("keyOf and cookieOf return null, undefined or a part of the header for any header", () => {
  rounds(EVENTS, (random) => {
    const parts = [
      "Sentry ",
      "sentry_key=",
      "bearer ",
      "DSN ",
      "https://",
      "@",
      ":",
      "/1",
      ",",
      ";",
    ];
    const more = [
      "mesher_session=",
      "__Host-",
      "=",
      " ",
      "a".repeat(50),
      "mshr_",
      "\t",
      "\u00ff",
      "%00",
    ];
    const value = Array.from({ length: random.below(12) }, () => pick(random, [...parts, ...more]))
      .join("");
    const headers = new Headers({ authorization: value });
    const key = keyOf(headers, new URL("http://a/"));
    assert(key === null || typeof key === "string" && key.length <= value.length);
    const cookie = cookieOf(value, SESSION_COOKIE, random.below(2) === 0);
    assert(cookie === undefined || value.includes(cookie));
  });
});

test("readBody returns values of the requested fields, or throws an HttpError", async () => {
  const fields: Fields = {
    message: { type: "string", required: true, max: 20 },
    level: { type: "string", enum: ["error", "info"] },
    line: { type: "integer", min: 0, max: 10 },
    value: { type: "number", min: 0, max: 1 },
    handled: { type: "boolean", nullable: true },
    data: { type: "object" },
    __proto__: { type: "any" },
  } as Fields;
  const tries: (() => Promise<void>)[] = [];
  rounds(EVENTS / 4, (random) => {
    const body = random.below(5) === 0
      ? mutated(random, new TextEncoder().encode(JSON.stringify(nearly(random))))
      : new TextEncoder().encode(JSON.stringify(nearly(random)));
    tries.push(async () => {
      const request = new Request("http://a/", {
        method: "POST",
        headers: { "content-type": "application/json" },
        body: body as Uint8Array<ArrayBuffer>,
      });
      try {
        const values = await readBody(request, fields);
        for (const name of Object.keys(values)) assert(Object.hasOwn(fields, name), name);
        assert(typeof values["message"] === "string" && values["message"].length <= 20);
        assertEquals(Object.getPrototypeOf(values), Object.prototype);
      } catch (error) {
        if (!(error instanceof HttpError)) throw error;
        assert([400, 413].includes(error.status), `${error.status}`);
      }
    });
  });
  for (const one of tries) await one();
});

test("verifyPassword returns false for a modified hash", async () => {
  const hash = "scrypt$2$8$1$AAAAAAAAAAAAAAAAAAAAAA$" + "A".repeat(43);
  const tries: string[] = [];
  rounds(EVENTS / 10, (random) => {
    const parts = hash.split("$");
    parts[random.below(6)] = pick(random, ["", "1e9", "-1", "0", "4294967296", "3", "x", "2", "8"]);
    tries.push(parts.join("$"));
  });
  for (const one of tries) assertEquals(await verifyPassword("password", one), false);
});
