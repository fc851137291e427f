import { assert, assertEquals } from "@std/assert";
import { SeededRandom } from "../../lib/base/random.ts";
import { SaltedMap } from "../../lib/base/salted_map.ts";
import { KeyTable, predictableHash } from "../../lib/term/collisions.ts";
import { test } from "../kit/test.ts";

const KEYS = [0, 1, 77, 2 ** 30 - 1, 2 ** 30, 2 ** 31, 2 ** 32 + 5, 2 ** 40 - 1, 2 ** 52];

test("SaltedMap stores and finds each number as a separate key", () => {
  const random = new SeededRandom(5);
  for (let round = 0; round < 50; round++) {
    const map = new SaltedMap<number>(random.next());
    for (const key of KEYS) assertEquals([map.has(key), map.get(key)], [false, undefined]);
    for (const key of KEYS) map.set(key, -key);
    assertEquals(map.size, KEYS.length);
    for (const key of KEYS) assertEquals([map.has(key), map.get(key)], [true, -key]);
    assertEquals([...map.values()], KEYS.map((key) => -key));
    for (const key of KEYS) assertEquals([map.delete(key), map.delete(key)], [true, false]);
    assertEquals(map.size, 0);
  }
});

test("SaltedMap spreads keys that collide in a table with a predictable hash", () => {
  const scratch = new DataView(new ArrayBuffer(8));
  const keys: number[] = [];
  for (const start of [0, 2 ** 33]) {
    for (let key = start; keys.length < (start === 0 ? 1_000 : 2_000); key++) {
      if ((predictableHash(key, scratch) & 1_023) === 9) keys.push(key);
    }
  }
  const collisions = (all: Iterable<number>): number => {
    const table = new KeyTable(keys.length);
    let count = 0;
    for (const key of all) count += table.add(key);
    return count;
  };
  assertEquals(collisions(keys), keys.length * (keys.length - 1) / 2);
  const random = new SeededRandom(6);
  for (let round = 0; round < 20; round++) {
    const map = new SaltedMap<number>(random.next());
    for (const key of keys) map.set(key, key);
    assert(collisions(map.keys()) < 8 * keys.length, `${collisions(map.keys())}`);
  }
});
