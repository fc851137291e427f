import { assertEquals } from "@std/assert";
import { Heartbeat, type HeartbeatAdvice } from "../../lib/base/heartbeat.ts";
import { test } from "../kit/test.ts";

const LIMITS = { quietMs: 50, deadlineMs: 150 };

/**
 * Ticks every 10 ms until `end`, with traffic at the times in `trafficAt`. Returns each advice
 * other than "wait", and its time.
 */
function play(end: number, trafficAt: readonly number[] = []): [number, HeartbeatAdvice][] {
  const heartbeat = new Heartbeat(LIMITS, 10, 0);
  const advised: [number, HeartbeatAdvice][] = [];
  for (let now = 10; now <= end; now += 10) {
    if (trafficAt.includes(now)) heartbeat.received();
    const advice = heartbeat.tick(now);
    if (advice !== "wait") advised.push([now, advice]);
  }
  return advised;
}

test("Heartbeat advises one ping per quiet interval, and reports the peer as dead at the deadline", () => {
  assertEquals(play(150), [[50, "ping"], [100, "ping"], [150, "dead"]]);
});

test("Heartbeat restarts its deadline whenever traffic arrives", () => {
  const often = Array.from({ length: 100 }, (_, i) => i * 40 + 40);
  assertEquals(play(4000, often), []);
  assertEquals(play(200, [60]), [[50, "ping"], [110, "ping"], [160, "ping"]]);
  assertEquals(play(210, [60]).at(-1), [210, "dead"]);
});

test("Heartbeat reports a silent peer as dead exactly at the deadline", () => {
  const heartbeat = new Heartbeat(LIMITS, 100, 1000);
  assertEquals(heartbeat.tick(1000 + 149.9), "ping");
  assertEquals(heartbeat.tick(1000 + 150), "dead");
});

test("Heartbeat counts traffic from the tick before it", () => {
  const heartbeat = new Heartbeat(LIMITS, 100, 0);
  heartbeat.received();
  assertEquals(heartbeat.tick(150), "wait");
  assertEquals(heartbeat.tick(299), "ping");
  assertEquals(heartbeat.tick(300), "dead");
});

test("Heartbeat counts at most two ticks of a suspension towards the deadline", () => {
  const heartbeat = new Heartbeat(LIMITS, 10, 0);
  assertEquals(heartbeat.tick(10), "wait");
  // This process was suspended for an hour, of which only 20 ms (two ticks) count.
  const back = 3_600_000;
  assertEquals(heartbeat.tick(back), "wait");
  const advised: [number, HeartbeatAdvice][] = [];
  for (let now = 10; now <= 120; now += 10) {
    const advice = heartbeat.tick(back + now);
    if (advice !== "wait") advised.push([now, advice]);
  }
  // The deadline of 150 ms is reached: 10 ms before the suspension, 20 ms counted for it, and 120 ms
  // after it.
  assertEquals(advised, [[20, "ping"], [70, "ping"], [120, "dead"]]);
});

test("Heartbeat counts delays of less than two ticks in full", () => {
  const heartbeat = new Heartbeat(LIMITS, 10, 0);
  const advised: HeartbeatAdvice[] = [];
  for (let now = 20; now <= 160; now += 20) advised.push(heartbeat.tick(now));
  assertEquals(advised, ["wait", "wait", "ping", "wait", "wait", "ping", "wait", "dead"]);
});

test("Heartbeat reports a silent peer as dead although all of its own ticks are late", () => {
  const heartbeat = new Heartbeat(LIMITS, 10, 0);
  let ticks = 1;
  // Each tick is 1000 ms late, of which 20 ms count.
  while (ticks < 100 && heartbeat.tick(ticks * 1000) !== "dead") ticks++;
  assertEquals(ticks, 8);
});
