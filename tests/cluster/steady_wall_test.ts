import { assertEquals } from "@std/assert";
import { steadyWall } from "../../lib/cluster/steady_wall.ts";
import { test } from "../kit/test.ts";

const HOUR = 3_600_000;

test("steadyWall follows small corrections of the clock, and ignores large jumps", () => {
  let [wall, now] = [1_000_000, 0];
  const clock = steadyWall(() => wall, () => now);
  const pass = (ms: number): void => {
    wall += ms;
    now += ms;
  };
  assertEquals(clock(), 1_000_000);
  pass(50);
  assertEquals(clock(), 1_000_050);
  pass(1_000);
  assertEquals(clock(), 1_001_050);
  // The clock is corrected by 2 s, forwards and back.
  wall += 2_000;
  assertEquals(clock(), 1_003_050);
  wall -= 2_000;
  assertEquals(clock(), 1_001_050);
  for (const jump of [10 * HOUR, -10 * HOUR]) {
    wall += jump;
    assertEquals(clock(), wall - jump);
    pass(20);
    assertEquals(clock(), wall - jump);
    pass(HOUR);
    assertEquals(clock(), wall - jump);
    wall -= jump;
    assertEquals(clock(), wall);
  }
});
