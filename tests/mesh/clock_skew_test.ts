import type { LogEntry } from "../../lib/base/log.ts";
import { assertEquals } from "@std/assert";
import { ClockSkew, SKEW_MS, skewWords } from "../../lib/mesh/clock_skew.ts";
import { startNode } from "../../lib/start.ts";
import { hostWith, untilWhole, withNodes } from "../kit/mesh.ts";
import { test, until } from "../kit/test.ts";

const HOUR_MS = 60 * 60 * 1000;

test("ClockSkew.step reports when the clock is set, but not the normal passage of time", () => {
  const clocks = new ClockSkew();
  assertEquals(clocks.step(0, 5_000), 0);
  assertEquals(clocks.step(1_000, 6_010), 0);
  assertEquals(clocks.step(2_000, HOUR_MS), HOUR_MS - 7_000);
  assertEquals(clocks.step(3_000, HOUR_MS + 1_000), 0);
  assertEquals(clocks.step(4_000, 9_000), 7_000 - HOUR_MS);
});

test("ClockSkew.compare reports the beginning, each change and the end of a skew once", () => {
  const clocks = new ClockSkew();
  assertEquals(clocks.compare("b", SKEW_MS - 1, 0), undefined);
  assertEquals(clocks.compare("b", SKEW_MS, 0), SKEW_MS);
  assertEquals(clocks.compare("b", SKEW_MS + 5, 0), undefined);
  assertEquals(clocks.compare("b", 0, HOUR_MS), -HOUR_MS);
  assertEquals(clocks.compare("b", 5, 0), 0);
  assertEquals(clocks.compare("b", 5, 0), undefined);
});

test("skewWords describes an amount and a direction", () => {
  assertEquals(
    [-30_000, 600_000, -25 * HOUR_MS, 400 * 24 * HOUR_MS].map(skewWords),
    ["30 s behind", "10 min ahead", "25 h behind", "400 days ahead"],
  );
});

test("Mesh reports the skew of a peer's clock, including a change while the session is open", async () => {
  await withNodes(async (start) => {
    let ahead = -25 * HOUR_MS;
    const skewed = hostWith((real) => ({
      clock: {
        now: () => real.clock.now(),
        wall: () => real.clock.wall() + ahead,
        after: (ms, task) => real.clock.after(ms, task),
        every: (ms, task) => real.clock.every(ms, task),
      },
    }));
    const a = await start("a");
    const skews: number[] = [];
    a.mesh.events.on("clockskew", ({ skew }) => skews.push(Math.round(skew / HOUR_MS)));
    const b = await start("b", { seeds: [a.name] }, skewed);
    await untilWhole([a, b]);
    await until("the skew is reported", () => skews.length === 1);
    ahead = 0;
    await until("the end of the skew is reported", () => skews.length === 2);
    assertEquals(skews, [-25, 0]);
    assertEquals([a.mesh.stats().clockSkews, b.mesh.stats().clockSkews], [1, 1]);
    const lines = a.lines.map(({ line }) => line);
    assertEquals(
      lines.some((line) => line.includes(`the clock of ${b.name} is 25 h behind`)),
      true,
    );
  });
});

test("Nodes whose clocks differ by an hour log one warning each", async () => {
  const cookie = "the same on every node";
  const lines: string[] = [];
  const log = ({ level, line }: LogEntry): void => void lines.push(`${level} ${line}`);
  const late = hostWith((real) => ({
    clock: {
      now: () => real.clock.now(),
      wall: () => real.clock.wall() - HOUR_MS,
      after: (ms, task) => real.clock.after(ms, task),
      every: (ms, task) => real.clock.every(ms, task),
    },
  }));
  const a = await startNode({ name: "a@127.0.0.1:0", cookie, log });
  const b = await startNode({ name: "b@127.0.0.1:0", cookie, seeds: [a.mesh.name], log }, late);
  try {
    await until(
      "one node uses the time of the other",
      () => lines.some((line) => line.includes("uses the time of")),
    );
    await until(
      "both nodes have reported the skew",
      () => [a, b].every(({ mesh }) => mesh.stats().clockSkews === 1),
    );
    const warnings = lines.filter((line) => line.startsWith("warn") && line.includes("clock"));
    assertEquals(warnings.length, 2, warnings.join("\n"));
  } finally {
    for (const { system, mesh } of [b, a]) {
      system.stop();
      await mesh.stop();
    }
  }
});
