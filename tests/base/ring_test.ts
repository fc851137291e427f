import { assertEquals } from "@std/assert";
import { SeededRandom } from "../../lib/base/random.ts";
import { Ring } from "../../lib/base/ring.ts";
import { test } from "../kit/test.ts";

test("Ring returns items in order of insertion, and undefined when empty", () => {
  const ring = new Ring<number>(2);
  assertEquals([ring.length, ring.peek(), ring.shift()], [0, undefined, undefined]);
  for (const item of [1, 2, 3]) ring.push(item);
  assertEquals([ring.length, ring.peek(), ring.length], [3, 1, 3]);
  assertEquals([ring.shift(), ring.shift(), ring.shift(), ring.shift()], [1, 2, 3, undefined]);
  assertEquals([ring.length, ring.peek()], [0, undefined]);
});

test("Ring keeps the order when it grows at every position of its head", () => {
  for (let head = 0; head < 4; head++) {
    const ring = new Ring<number>(4);
    for (let i = 0; i < head; i++) {
      ring.push(-1);
      ring.shift();
    }
    for (let i = 0; i < 9; i++) ring.push(i);
    const taken = Array.from({ length: 9 }, () => ring.shift());
    assertEquals(taken, [0, 1, 2, 3, 4, 5, 6, 7, 8], `head at ${head}`);
  }
});

test("Ring stores falsy items", () => {
  const ring = new Ring<number | string | boolean>();
  for (const item of [0, "", false]) ring.push(item);
  assertEquals([ring.peek(), ring.shift(), ring.shift(), ring.shift()], [0, 0, "", false]);
});

test("Ring behaves like an array for random operations", () => {
  const random = new SeededRandom(7);
  const ring = new Ring<number>(1);
  const array: number[] = [];
  for (let i = 0; i < 20_000; i++) {
    // Alternates long phases of growth and shrinking, so that the ring grows, wraps and empties.
    if (random.next() < (i % 2000 < 1000 ? 0.7 : 0.3)) {
      ring.push(i);
      array.push(i);
    } else assertEquals(ring.shift(), array.shift());
    assertEquals([ring.length, ring.peek()], [array.length, array[0]]);
  }
});

test("Ring keeps no reference to removed items", () => {
  // The test inspects the slot with `peek`, because a program cannot force a garbage collection.
  const ring = new Ring<object>(2);
  ring.push({});
  ring.shift();
  assertEquals(ring.peek(), undefined);
  ring.push({});
  ring.shift();
  assertEquals(ring.peek(), undefined);
});
