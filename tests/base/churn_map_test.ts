import { assert, assertEquals } from "@std/assert";
import { ChurnMap } from "../../lib/base/churn_map.ts";
import { pick, seeds } from "../kit/seeds.ts";
import { test } from "../kit/test.ts";

test("ChurnMap has the same contents as a Map after random changes", async () => {
  await seeds(6, 20_000, (random, size) => {
    const map = new ChurnMap<string, number>();
    const model = new Map<string, number>();
    const most = pick(random, [10, 3_000]);
    for (let i = 0; i < size; i++) {
      const key = `${random.below(most)}`;
      if (random.below(5) < 3) {
        map.set(key, i);
        model.set(key, i);
      } else assertEquals(map.delete(key), model.delete(key));
      const other = `${random.below(most)}`;
      assertEquals([map.get(other), map.has(other)], [model.get(other), model.has(other)]);
      assertEquals(map.size, model.size);
    }
    const sorted = (entries: Iterable<[string, number]>) => [...entries].sort();
    assertEquals(sorted(map.entries()), sorted(model));
    assertEquals([...map.keys()].sort(), [...model.keys()].sort());
    assertEquals([...map.values()].sort(), [...model.values()].sort());
    for (const key of model.keys()) assertEquals(map.delete(key), true);
    assertEquals([map.size, [...map.keys()]], [0, []]);
  });
});

test("ChurnMap keeps the position of a key that is deleted and set again", () => {
  const map = new ChurnMap<string, number>();
  for (let i = 0; i < 5_000; i++) map.set(`${i}`, i);
  for (let i = 0; i < 10_000; i++) {
    assert(map.delete("7"));
    map.set("7", i);
  }
  // A `Map` would have moved the key to the end, and left 10,000 removed entries.
  assertEquals([...map.keys()].indexOf("7"), 7);
  assertEquals([map.size, map.get("7")], [5_000, 9_999]);
});
