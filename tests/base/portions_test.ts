import { assertEquals, assertThrows } from "@std/assert";
import { inPortions } from "../../lib/base/portions.ts";
import { test } from "../kit/test.ts";

test("inPortions yields after each portion, and includes items that are added in the meantime", () => {
  const tasks: (() => void)[] = [];
  const handled: number[] = [];
  const items = new Set([1, 2, 3, 4, 5]);
  inPortions(items, { yieldToIo: (task) => tasks.push(task) }, (item) => handled.push(item), () => {
    handled.push(0);
  }, 2);
  assertEquals(handled, [1, 2]);
  items.delete(3);
  items.add(6);
  tasks.shift()!();
  assertEquals(handled, [1, 2, 4, 5]);
  tasks.shift()!();
  assertEquals(handled, [1, 2, 4, 5, 6, 0]);
  assertEquals(tasks, []);
});

test("inPortions continues after the item for which the function throws", () => {
  const tasks: (() => void)[] = [];
  const handled: number[] = [];
  const each = (item: number): void => {
    if (item === 2) throw new Error("no");
    handled.push(item);
  };
  assertThrows(() => inPortions([1, 2, 3], { yieldToIo: (task) => tasks.push(task) }, each));
  assertEquals(handled, [1]);
  tasks.shift()!();
  assertEquals(handled, [1, 3]);
  assertEquals(tasks, []);
});
