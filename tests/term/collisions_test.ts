import { assert, assertEquals, assertThrows } from "@std/assert";
import { concat } from "../../lib/base/bytes.ts";
import { SeededRandom } from "../../lib/base/random.ts";
import { collisionsMax, KeyTable, predictableHash } from "../../lib/term/collisions.ts";
import { Decoder, decodeTerm } from "../../lib/term/decode.ts";
import { encodeTerm } from "../../lib/term/encode.ts";
import { ProtocolError, TermError } from "../../lib/term/errors.ts";
import { TAG } from "../../lib/term/tags.ts";
import { runtime, test } from "../kit/test.ts";

type Key = number | bigint | string;

/** Kinds of keys whose hash V8 computes without a secret seed. */
const KINDS: readonly (readonly [string, (i: number) => Key])[] = [
  ["integers", (i) => i],
  ["negative integers", (i) => -i - 1],
  ["integers of more than 32 bits", (i) => 1.7e12 + i],
  ["fractions", (i) => i + 0.5],
  ["bigints", (i) => BigInt(i) * 977n - 5n],
  ["bigints with the same lowest 64 bits", (i) => (BigInt(i) << 64n) + 7n],
  ["strings that are array indices", (i) => String(100_000_000 + i)],
];

/** Returns `count` keys that collide in a table of up to `mask + 1` buckets. */
function crafted(keyOf: (i: number) => Key, count: number, mask: number): Key[] {
  const keys: Key[] = [];
  const bucket = hashOf(keyOf(1)) & mask;
  for (let i = 1; keys.length < count; i++) {
    const key = keyOf(i);
    if ((hashOf(key) & mask) === bucket) keys.push(key);
  }
  return keys;
}

const SCRATCH = new DataView(new ArrayBuffer(8));

function hashOf(key: Key): number {
  return predictableHash(key, SCRATCH);
}

/** Returns the bytes of a Set or Map of these keys. The encoder would reject it. */
function bytesOf(keys: readonly Key[], tag: number): Uint8Array {
  const count = new Uint8Array(new Uint32Array([keys.length]).buffer);
  const parts: Uint8Array[] = [new Uint8Array([TAG.VERSION, tag]), count];
  for (const key of keys) {
    parts.push(encodeTerm(key).subarray(1));
    if (tag === TAG.MAP) parts.push(new Uint8Array([TAG.NULL]));
  }
  return concat(parts);
}

for (const [name, keyOf] of KINDS) {
  test(`Decoder rejects Maps and Sets with ${name} that an attacker chose to collide`, () => {
    const keys = crafted(keyOf, 2_000, 1_023);
    for (const tag of [TAG.MAP, TAG.SET]) {
      const bytes = bytesOf(keys, tag);
      const error = assertThrows(() => new Decoder().decode(bytes), ProtocolError);
      assert(error.message.includes("too many keys with the same hash"), error.message);
    }
  });

  test(`Encoder rejects Maps and Sets with ${name} that an attacker chose to collide`, () => {
    const keys = crafted(keyOf, 2_000, 1_023);
    for (const value of [new Map(keys.map((key) => [key, 1])), new Set(keys)]) {
      const error = assertThrows(() => encodeTerm({ users: value }), TermError);
      assertEquals(error.code, "system_limit");
      assert(error.message.startsWith("message.users has too many keys"), error.message);
    }
  });

  // Fails if a version of V8 uses another hash function than the decoder assumes.
  test(`predictableHash equals V8's hash of ${name}`, { ignore: runtime !== "deno" }, () => {
    const keys = crafted(keyOf, 4_000, 2_047);
    const others = Array.from({ length: 4_000 }, (_, i) => i);
    const ratios = [1, 2, 3, 4, 5].map(() => insertion(keys) / insertion(others));
    assert(Math.max(...ratios) > 4, `insertion takes only ${ratios} times as long`);
  });
}

/** Returns the time in milliseconds in which a Set of these keys is created. */
function insertion(keys: readonly Key[]): number {
  const before = performance.now();
  new Set(keys);
  return performance.now() - before;
}

test("Decoder accepts Maps and Sets with keys that collide only at random", () => {
  const random = new SeededRandom(7);
  const day = 86_400;
  const kinds: readonly ((i: number) => unknown)[] = [
    (i) => i,
    (i) => i * 4096,
    (i) => -i,
    (i) => i / 8,
    (i) => 1.7e12 + i * 60_000,
    (i) => BigInt(i),
    (i) => BigInt(i) << 32n,
    () => random.uint32(),
    (i) => `user-${i}`,
    (i) => String(i),
    (i) => String(10 * i),
  ];
  for (const keyOf of kinds) {
    const set = new Set(Array.from({ length: 30_000 }, (_, i) => keyOf(i)));
    assertEquals((decodeTerm(encodeTerm(set)) as typeof set).size, set.size);
  }
  // Few of these keys collide, so they cost no more than other keys.
  const days = new Map(Array.from({ length: 5_000 }, (_, i) => [String(i * day), i]));
  assertEquals(decodeTerm(encodeTerm(days)), days);
  const high = new Set(Array.from({ length: 1_000 }, (_, i) => BigInt(i) << 64n));
  assertEquals(decodeTerm(encodeTerm(high)), high);
});

test("Decoder counts the collisions of all collections of a term together", () => {
  const keys = crafted((i) => i, 600, 511);
  const one = [...bytesOf(keys, TAG.SET).subarray(1)];
  const bytes = (count: number): Uint8Array =>
    new Uint8Array([TAG.VERSION, TAG.ARRAY + count, ...Array(count).fill(one).flat()]);
  const each = keys.length * (keys.length - 1) / 2;
  assert(5 * each < collisionsMax(bytes(5).length));
  assertEquals((decodeTerm(bytes(5)) as unknown[]).length, 5);
  assert(14 * each > collisionsMax(bytes(14).length), `${each} ${collisionsMax(bytes(14).length)}`);
  assertThrows(() => decodeTerm(bytes(14)), ProtocolError);
});

test("KeyTable counts the probes of each insertion correctly after the table has grown", () => {
  const table = new KeyTable(1_000);
  let passed = 0;
  for (let i = 0; i < 64; i++) passed += table.add(BigInt(i + 1) << 64n);
  assertEquals(passed, 64 * 63 / 2);
  // With more buckets, keys that share only their lowest bits are separated.
  const indices = new KeyTable(1_000);
  for (let i = 0; i < 64; i++) indices.add(String(1_000_000_000 + 32 * i));
  assert(indices.add(String(1_000_000_000 + 32 * 64)) < 40);
  assertEquals(new KeyTable(64).add({}), 0);
});
