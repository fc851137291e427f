import { assert, assertEquals } from "@std/assert";
import { Table } from "../../lib/actor/table.ts";
import { SeededRandom } from "../../lib/base/random.ts";
import { heapBytes, untilHeapReleased } from "../kit/heap.ts";
import { test } from "../kit/test.ts";

for (const seed of [1, 2, 3]) {
  test(`Table behaves like a Map for random operations with seed ${seed}`, () => {
    const random = new SeededRandom(seed);
    const table = new Table<{ id: number }>();
    const map = new Map<number, { id: number }>();
    let last = 0;
    for (let step = 0; step < 20_000; step++) {
      // Alternates long phases of growth and shrinking, with gaps in the numbers.
      if (random.next() < (step % 4000 < 2000 ? 0.7 : 0.3)) {
        last += random.next() < 0.01 ? random.below(300) + 1 : 1;
        const item = { id: last };
        table.add(last, item);
        map.set(last, item);
      } else {
        const id = random.next() < 0.5 ? random.below(last + 3) : [...map.keys()][0] ?? 0;
        table.delete(id);
        map.delete(id);
      }
      const id = random.below(last + 3);
      assert(table.get(id) === map.get(id));
      assertEquals(table.size, map.size);
      if (step % 500 === 0) assertEquals(table.all(), [...map.values()]);
    }
    for (const id of [...map.keys()]) table.delete(id);
    assertEquals([table.size, table.all()], [0, []]);
  });
}

test("Table keeps no reference to removed entries, in any order of removal", async () => {
  const item = {};
  const all = Array.from({ length: 300_000 }, (_, i) => i + 1);
  const table = new Table<object>();
  const before = heapBytes();
  for (const id of all) table.add(id, item);
  for (const id of all.toReversed()) table.delete(id);
  for (const id of all) {
    table.add(300_000 + id, item);
    if (id % 1000 !== 0) table.delete(300_000 + id);
  }
  assertEquals([table.size, table.all().length], [300, 300]);
  for (const id of all) table.delete(300_000 + id);
  await untilHeapReleased(before, 1_000_000);
  assertEquals(table.size, 0);
});

test("Table releases a page that becomes empty while it is the newest", async () => {
  const item = {};
  const table = new Table<object>();
  const before = heapBytes();
  for (let id = 0; id < 300_000; id++) {
    table.add(id, item);
    table.delete(id);
  }
  await untilHeapReleased(before, 1_000_000);
  assertEquals(table.all(), []);
});
