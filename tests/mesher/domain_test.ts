/**
 * Tests the rules for events: ids, text, cursors, secrets, passwords, rate limits, sampling,
 * spikes, alerts.
 */
import { assert, assertEquals, assertNotEquals } from "@std/assert";
import {
  actionFrom,
  alertMessage,
  type AlertTrigger,
  type Condition,
  conditionFrom,
  conditionJson,
  cooldownFrom,
  isMet,
} from "../../mesher/domain/alert.ts";
import { readConfig } from "../../mesher/config.ts";
import { decodeCursor, encodeCursor, placeFrom } from "../../mesher/domain/cursor.ts";
import { bareId, idFrom, idOf, isId, newId } from "../../mesher/domain/id.ts";
import {
  hashPassword,
  isOutdated,
  PASSWORD_COST,
  passwordProblem,
  unmatchableHash,
  verifyPassword,
} from "../../mesher/domain/password.ts";
import { giveBackRate, isRateIdle, type RateState, takeRate } from "../../mesher/domain/rate.ts";
import { isSampled } from "../../mesher/domain/sampling.ts";
import {
  hashSecret,
  isSecret,
  newSecret,
  sameText,
  secretFrom,
} from "../../mesher/domain/secret.ts";
import { isSpike, spikeThreshold } from "../../mesher/domain/spike.ts";
import { QUERY_WORDS_MAX, queryWords, WORDS_MAX, wordsOf } from "../../mesher/domain/words.ts";
import { test } from "../kit/test.ts";

const ID = "0189f7b2-3c4d-7abc-8def-0123456789ab";

test("idOf accepts ids in every supported format, and rejects other text", () => {
  assertEquals(idOf(ID.toUpperCase()), ID);
  assertEquals(idOf(bareId(ID)), ID);
  assertEquals(bareId(ID), "0189f7b23c4d7abc8def0123456789ab");
  for (const wrong of ["", "x", `${ID} `, ID.slice(1), `${ID}0`, "g".repeat(32), null, 5, {}]) {
    assertEquals(idOf(wrong), null);
  }
  assert(isId(ID) && !isId(ID.toUpperCase()) && !isId(bareId(ID)));
});

test("idFrom returns ordered UUIDs of version 7", () => {
  const dice = new Uint8Array(10).fill(255);
  assertEquals(idFrom(0x0189f7b23c4d, dice), "0189f7b2-3c4d-7fff-bfff-ffffffffffff");
  assert(newId(1000) < newId(1001));
  assertNotEquals(newId(1000), newId(1000));
});

test("wordsOf splits names into words, and limits their number and length", () => {
  assertEquals(wordsOf("TypeError: can't read x_1 of HTTPServer"), [
    ...["typeerror", "type", "error", "can", "t", "read", "x_1", "x", "1", "of"],
    ...["httpserver", "http", "server"],
  ]);
  assertEquals(wordsOf("Über 東京 naïve"), ["uber", "東京", "naive"]);
  assertEquals(wordsOf("🎉 -- \0 '"), []);
  assertEquals(wordsOf(Array.from({ length: 999 }, (_, i) => `w${i}`).join(" ")).length, WORDS_MAX);
  assertEquals(wordsOf("a".repeat(9999))[0]?.length, 64);
});

test("queryWords returns words of letters, digits and underscores", () => {
  assertEquals(queryWords(`"a" OR 'b' & !c:* | (d_1)`), ["a", "or", "b", "c", "d_1"]);
  assertEquals(queryWords("x ".repeat(99)).length, QUERY_WORDS_MAX);
});

test("decodeCursor returns the position that encodeCursor encoded, and null for invalid text", () => {
  const place = { at: 1_700_000_000_000, id: ID };
  const text = encodeCursor(place);
  assert(/^[\w-]+$/.test(text));
  assertEquals(decodeCursor(text), place);
  for (
    const wrong of ["", "!", "AAAA", btoa("1.x"), btoa(`-1.${ID}`), text + "A", "A".repeat(99)]
  ) {
    assertEquals(decodeCursor(wrong), null);
  }
  assertEquals(placeFrom("5", ID), { at: 5, id: ID });
  assertEquals(placeFrom("5'; --", ID), null);
});

test("newSecret returns a secret with a prefix for its kind, and a hash for storage", () => {
  const { secret, hash, prefix } = newSecret("key");
  assert(/^mshr_[0-9a-f]{48}$/.test(secret));
  assertEquals(hash, hashSecret(secret));
  assertEquals(prefix, secret.slice(0, 9));
  assert(!hash.includes(secret.slice(5)));
  assert(isSecret("key", secret) && !isSecret("token", secret) && !isSecret("key", secret + "0"));
  assertNotEquals(newSecret("key").secret, secret);
  assertEquals(secretFrom("token", new Uint8Array(24)).secret, `msht_${"0".repeat(48)}`);
  assert(sameText("abc", "abc") && !sameText("abc", "abd") && !sameText("abc", "abcd"));
});

const CHEAP = { N: 1024, r: 8, p: 1 };

test("verifyPassword uses the parameters stored in the hash", async () => {
  const hash = await hashPassword("correct horse battery", CHEAP);
  assert(hash.startsWith("scrypt$1024$8$1$"));
  assertEquals(await verifyPassword("correct horse battery", hash), true);
  assertEquals(await verifyPassword("correct horse batterx", hash), false);
  assertNotEquals(await hashPassword("correct horse battery", CHEAP), hash);
  assert(isOutdated(hash, PASSWORD_COST) && !isOutdated(hash, CHEAP));
  const dear = await hashPassword("a\u0308bcdefghijk", PASSWORD_COST);
  assert(!isOutdated(dear, PASSWORD_COST));
  assert(dear.startsWith(`scrypt$${PASSWORD_COST.N}$`));
  assertEquals(
    await verifyPassword("äbcdefghijk", dear),
    true,
    "the same password in another Unicode form",
  );
});

test("unmatchableHash takes as long to verify as a real hash, and matches no password", async () => {
  const [hash, real] = [unmatchableHash(CHEAP), await hashPassword("x".repeat(10), CHEAP)];
  assert(!isOutdated(hash, CHEAP));
  assertEquals(hash.split("$").map(({ length }) => length), real.split("$").map((x) => x.length));
  assertEquals(await verifyPassword("", hash), false);
  assertNotEquals(unmatchableHash(CHEAP), hash);
});

test("readConfig uses by default the hash parameters that OWASP recommends", () => {
  assertEquals(readConfig({}, { memory: true }).passwordCost, { N: 32_768, r: 8, p: 3 });
});

test("verifyPassword rejects a malformed hash", async () => {
  const hash = await hashPassword("x".repeat(10), CHEAP);
  const parts = hash.split("$");
  const broken = [
    ...["", "x", "scrypt$$$$$", "bcrypt" + hash.slice(6), hash + "$", hash.slice(0, -5)],
    ["scrypt", "1000", ...parts.slice(2)].join("$"),
    ["scrypt", "1073741824", ...parts.slice(2)].join("$"),
    ["scrypt", "1024", "1e9", ...parts.slice(3)].join("$"),
    [...parts.slice(0, 3), "999", ...parts.slice(4)].join("$"),
    [...parts.slice(0, 5), ""].join("$"),
  ];
  for (const each of broken) assertEquals(await verifyPassword("x".repeat(10), each), false, each);
});

test("passwordProblem describes what is wrong with a password", () => {
  assertEquals(passwordProblem("123456789"), "a password needs at least 10 characters");
  assertEquals(passwordProblem("1234567890"), null);
  assertEquals(passwordProblem("x".repeat(257)), "a password may have at most 256 characters");
});

const LIMIT = { limit: 10, windowMs: 1000 };

test("takeRate allows events up to the limit, and then returns the time until the next allowed event", () => {
  const first = takeRate(null, 0, 7, LIMIT);
  assertEquals([first.granted, first.retryAfterMs], [7, 0]);
  const second = takeRate(first.state, 100, 7, LIMIT);
  assertEquals(second.granted, 3, "a part of the batch is granted");
  const third = takeRate(second.state, 200, 1, LIMIT);
  assertEquals(third.granted, 0);
  // The next event is allowed exactly at `then`, and not a millisecond earlier.
  const then = 200 + third.retryAfterMs;
  assertEquals(takeRate(third.state, then - 1, 1, LIMIT).granted, 0);
  assertEquals(takeRate(third.state, then, 1, LIMIT).granted, 1);
});

test("takeRate returns the exact waiting time after any history", () => {
  for (let seed = 1; seed <= 300; seed++) {
    let dice = seed * 2654435761 >>> 0;
    const roll = (n: number) => (dice = Math.imul(dice ^ dice >>> 15, 0x2c1b3c6d) >>> 0) % n;
    let state: RateState | null = null;
    let now = 0;
    for (let i = 0; i < 12; i++) {
      now += roll(700);
      const verdict: ReturnType<typeof takeRate> = takeRate(state, now, 1 + roll(6), LIMIT);
      state = verdict.state;
      if (verdict.retryAfterMs === 0) continue;
      const then = now + verdict.retryAfterMs;
      assertEquals(takeRate(state, then, 1, LIMIT).granted, 1, `seed ${seed}`);
      assertEquals(
        takeRate(state, then - 1, 1, LIMIT).granted,
        0,
        `seed ${seed}, granted too early`,
      );
    }
  }
});

test("takeRate allows at most slightly more events than the limit in any window", () => {
  let state: RateState | null = null;
  const passed: number[] = [];
  for (let now = 0; now < 10_000; now += 10) {
    const verdict: ReturnType<typeof takeRate> = takeRate(state, now, 1, LIMIT);
    state = verdict.state;
    if (verdict.granted > 0) passed.push(now);
  }
  const most = Math.max(
    ...passed.map((from) => passed.filter((at) => at >= from && at < from + 1000).length),
  );
  assert(most <= 11, `${most} granted in one window`);
  assert(passed.length >= 90, `${passed.length} granted in ten windows`);
  assert(isRateIdle(state!, 13_000, 1000) && !isRateIdle(state!, 10_000, 1000));
});

test("takeRate starts no new window when the clock goes back", () => {
  const { state } = takeRate(null, 5000, 10, LIMIT);
  assertEquals(takeRate(state, 1000, 1, LIMIT).granted, 0);
});

test("giveBackRate returns unused events to the window that granted them", () => {
  const limit = { limit: 3, windowMs: 1_000 };
  let state = takeRate(null, 0, 3, limit).state;
  state = giveBackRate(state, 2);
  const again = takeRate(state, 0, 3, limit);
  assertEquals(again.granted, 2);
  // The granted events now belong to the previous window, so they can no longer be returned.
  const later = takeRate(again.state, 1_000, 1, limit);
  assertEquals([later.granted, later.state.previous], [0, 3]);
  assertEquals(takeRate(giveBackRate(later.state, 1), 1_000, 2, limit).granted, 1);
  assertEquals(giveBackRate({ since: 0, count: 1, previous: 1 }, 9), {
    since: 0,
    count: 0,
    previous: 0,
  });
});

test("isSampled keeps the requested share of events, and always returns the same for an event", () => {
  const ids = Array.from({ length: 20_000 }, (_, i) => idFrom(i, new Uint8Array(10).fill(i % 7)));
  for (const rate of [0.01, 0.25, 0.9]) {
    const kept = ids.filter((id) => isSampled(id, rate));
    assert(Math.abs(kept.length / ids.length - rate) < 0.02, `${kept.length} at ${rate}`);
    assert(kept.every((id) => isSampled(id, rate) && isSampled(id, 0.95)));
  }
  assert(ids.every((id) => isSampled(id, 1) && !isSampled(id, 0) && !isSampled(id, NaN)));
});

test("isSpike requires ten times the mean and more than ten events", () => {
  assertEquals(spikeThreshold(0), 10);
  assertEquals(spikeThreshold(168 * 5), 50);
  assert(!isSpike({ lastHour: 10, weekBefore: 0 }) && isSpike({ lastHour: 11, weekBefore: 0 }));
  assert(!isSpike({ lastHour: 50, weekBefore: 840 }) && isSpike({ lastHour: 51, weekBefore: 840 }));
});

const CONDITIONS: readonly Condition[] = [
  { kind: "threshold", count: 5, windowMinutes: 10 },
  { kind: "new_issue" },
  { kind: "regression" },
  { kind: "spike" },
];

test("isMet returns true only for events that match the condition", () => {
  const happenings: readonly AlertTrigger[] = [
    { kind: "count", count: 6 },
    { kind: "new_issue", title: "t" },
    { kind: "regression", title: "t" },
    { kind: "spike", title: "t" },
  ];
  for (const [i, condition] of CONDITIONS.entries()) {
    for (const [j, happening] of happenings.entries()) {
      assertEquals(isMet(condition, happening), i === j);
      assert(alertMessage(condition, happening).length > 0);
    }
  }
  assertEquals(
    isMet(CONDITIONS[0]!, { kind: "count", count: 5 }),
    false,
    "the count must exceed the limit",
  );
  assertEquals(
    alertMessage(CONDITIONS[0]!, { kind: "count", count: 6 }),
    "6 events in 10 min, more than 5",
  );
});

test("conditionFrom reads what conditionJson returns, and explains what is wrong with other values", () => {
  for (const condition of CONDITIONS) {
    assertEquals(conditionFrom(conditionJson(condition)), { ok: true, value: condition });
  }
  const reasons = [
    [null, "condition must be an object"],
    [{ condition_type: "x" }, "condition_type must be one of"],
    [{ condition_type: "threshold", window_minutes: 5 }, "threshold must be a whole number"],
    [{ condition_type: "threshold", threshold: 1.5, window_minutes: 5 }, "threshold must be"],
    [{ condition_type: "threshold", threshold: 1 }, "window_minutes must be a whole number"],
  ] as const;
  for (const [input, reason] of reasons) {
    const result = conditionFrom(input);
    assert(!result.ok && result.reason.startsWith(reason), JSON.stringify(result));
  }
});

test("actionFrom and cooldownFrom use defaults, and reject values out of bounds", () => {
  assertEquals(actionFrom(undefined), { ok: true, value: { kind: "websocket" } });
  assertEquals(actionFrom({ type: "webhook", url: "https://example.org/x" }), {
    ok: true,
    value: { kind: "webhook", url: "https://example.org/x" },
  });
  for (
    const url of ["file:///etc/passwd", "javascript:1", "x", 5, `https://e/${"x".repeat(9e3)}`]
  ) {
    assertEquals(actionFrom({ type: "webhook", url }).ok, false);
  }
  assertEquals(actionFrom({ type: "mail" }).ok, false);
  assertEquals(cooldownFrom(undefined), { ok: true, value: 60 });
  assertEquals(cooldownFrom(0), { ok: true, value: 0 });
  assertEquals([cooldownFrom(-1).ok, cooldownFrom("5").ok, cooldownFrom(1e9).ok], [
    false,
    false,
    false,
  ]);
});
