/** Tests the rule that decides whether a difference between two columns is noise. */
import { assert, assertEquals } from "@std/assert";
import { isNoise, median, ratios, spread } from "../../bench/spread.ts";
import { test } from "../kit/test.ts";

test("median returns the middle value, or the mean of the two middle values", () => {
  assertEquals(median([3, 1, 2]), 2);
  assertEquals(median([4, 1, 2, 3]), 2.5);
  assertEquals(median([7]), 7);
});

test("spread returns the quartiles", () => {
  assertEquals(spread([5, 1, 4, 2, 3]), { median: 3, low: 2, high: 4 });
});

test("ratios divides the two measurements of each turn", () => {
  assertEquals(ratios([2, 9], [1, 3, 5]), [2, 3]);
});

test("isNoise compares measurements of the same turn, so that a slower machine hides no difference", () => {
  const slowing = [10, 20, 30, 40];
  const third = slowing.map((value) => value * 1.3);
  assert(!isNoise(third, slowing));
  assert(Math.abs(median(ratios(third, slowing)) - 1.3) < 0.001);
});

test("isNoise returns true for a difference of less than a tenth", () => {
  assert(isNoise([105, 106, 107], [100, 100, 100]));
  assert(isNoise([80, 99, 140, 150], [100, 100, 100, 100]));
  assert(!isNoise([112, 113, 114], [100, 100, 100]));
  assert(!isNoise([80, 85, 88], [100, 100, 100]));
});
