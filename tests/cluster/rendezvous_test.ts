/**
 * Tests that rendezvous hashing returns the same result on all nodes and runtimes, and assigns keys
 * in the documented proportions.
 */
import { assert, assertEquals } from "@std/assert";
import { hashOf, Rendezvous } from "../../lib/cluster/rendezvous.ts";
import { test } from "../kit/test.ts";

const KEYS: readonly string[] = Array.from({ length: 20_000 }, (_, i) => `key ${i}`);

function placed(weights: Readonly<Record<string, number>>): Map<string, string> {
  const places = new Rendezvous<string>();
  for (const [name, weight] of Object.entries(weights)) places.set(name, weight, name);
  return new Map(KEYS.map((key) => [key, places.homeOf(hashOf(key))!]));
}

function share(homes: ReadonlyMap<string, string>, name: string): number {
  return [...homes.values()].filter((home) => home === name).length / KEYS.length;
}

test("hashOf returns the same 32 bits on every runtime", () => {
  assertEquals(["", "a", "cart 17", "ключ"].map(hashOf), [
    2872998923,
    444641715,
    2415275430,
    3185335672,
  ]);
});

test("Rendezvous assigns each of five members a fifth of the keys, whatever the members' order", () => {
  const homes = placed({ a: 1, b: 1, c: 1, d: 1, e: 1 });
  for (const name of "abcde") assert(Math.abs(share(homes, name) - 0.2) < 0.01, name);
  assertEquals(placed({ e: 1, c: 1, a: 1, d: 1, b: 1 }), homes);
});

test("Rendezvous moves only the keys of a member that leaves, and 1/n of the keys to one that joins", () => {
  const before = placed({ a: 1, b: 1, c: 1, d: 1 });
  const after = placed({ a: 1, b: 1, c: 1, d: 1, e: 1 });
  const moved = KEYS.filter((key) => before.get(key) !== after.get(key));
  assert(moved.every((key) => after.get(key) === "e"));
  assert(Math.abs(moved.length / KEYS.length - 0.2) < 0.01);
});

test("Rendezvous assigns three times as many keys to a member of weight 3", () => {
  const homes = placed({ a: 3, b: 1, c: 1 });
  assert(Math.abs(share(homes, "a") - 0.6) < 0.015, `${share(homes, "a")}`);
});

test("Rendezvous ranks two members in the same order, whatever other members exist", () => {
  const all = placed({ a: 1, b: 1, c: 1 });
  const two = placed({ a: 1, b: 1 });
  for (const key of KEYS) {
    const home = all.get(key)!;
    if (home !== "c") assertEquals(two.get(key), home);
  }
});
