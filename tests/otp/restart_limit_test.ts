/**
 * Tests a child with a restart limit of its own. If the limit is exceeded, only this child is given
 * up.
 */
import { assertEquals, assertThrows } from "@std/assert";
import type { GivenUp } from "../../lib/actor/report.ts";
import { type ChildSpec, ChildSpecError, makeChild } from "../../lib/otp/child.ts";
import { DynamicSupervisor } from "../../lib/otp/dynamic_supervisor.ts";
import { STRATEGIES } from "../../lib/otp/strategy.ts";
import type { Pid } from "../../lib/term/pid.ts";
import { test } from "../kit/test.ts";
import { CRASH, Family } from "./family.ts";

/** Creates a family that records its "givenup" events. */
function makeFamily(): Family & { givenUp: GivenUp[] } {
  const family = new Family();
  const givenUp: GivenUp[] = [];
  family.system.events.on("givenup", (event) => void givenUp.push(event));
  return Object.assign(family, { givenUp });
}

test("ChildSpec rejects an invalid restartLimit", () => {
  const start = () => ({} as Pid<never>);
  for (
    const [rules, words] of [
      [{ restartLimit: { intensity: -1 } }, "intensity must be 0 or more"],
      [{ restartLimit: { period: 0 } }, "period more than 0"],
      [{ restartLimit: { count: 3 } }, "count"],
      [{ restartLimit: {}, restart: "temporary" }, "never restarted"],
    ] as const
  ) {
    assertThrows(() => makeChild({ id: "a", start, ...rules } as ChildSpec), ChildSpecError, words);
  }
});

for (const strategy of STRATEGIES) {
  test(`restartLimit: a child that exceeds its limit is stopped while its siblings continue under ${strategy}`, async () => {
    const family = makeFamily();
    const children = [
      family.child("a"),
      family.child("b", { restartLimit: { intensity: 2, period: 1_000 } }),
      family.child("c"),
    ];
    // With intensity 0, any restart that counts would end the supervisor.
    const tree = await family.supervise({ strategy, intensity: 0, children });
    for (let i = 0; i < 2; i++) await family.end("b", CRASH);
    assertEquals([family.runs("b"), family.givenUp.length], [true, 0]);
    family.forget();
    await family.end("b", CRASH);

    assertEquals(family.news(), ["end b boom"]);
    assertEquals(family.givenUp, [
      { supervisor: tree.pid as Pid, child: "b", reason: CRASH, restarts: 2 },
    ]);
    assertEquals(family.received.map(({ next, restarts }) => [next, restarts]), [
      ["it ended once too often: it is given up", 2],
    ]);
    const info = await family.run(tree.whichChildren());
    assertEquals(info.map(({ id, pid }) => [id, pid !== undefined]), [
      ["a", true],
      ["b", false],
      ["c", true],
    ]);
    // The child that was given up can be started again, terminated and deleted.
    await family.system.advance(2_000);
    await family.run(tree.restartChild("b"));
    assertEquals(family.runs("b"), true);
    await family.run(tree.terminateChild("b"));
    await family.run(tree.deleteChild("b"));
  });
}

test("restartLimit: restarts of a child with a limit do not count for its supervisor", async () => {
  const family = makeFamily();
  const tree = await family.supervise({
    intensity: 1,
    children: [
      family.child("a"),
      family.child("b", { restartLimit: { intensity: 1, period: 100 } }),
    ],
  });
  for (let i = 0; i < 5; i++) {
    await family.end("b", CRASH);
    await family.system.advance(101);
  }
  assertEquals([family.runs("b"), family.givenUp.length], [true, 0]);
  await family.end("a", CRASH);
  assertEquals(family.system.isAlive(tree.pid), true);
  await family.end("a", CRASH);
  assertEquals(
    family.system.isAlive(tree.pid),
    false,
    "children without a limit follow OTP's rule",
  );
});

test("restartLimit: a failed restart counts as a restart of the child", async () => {
  const family = makeFamily();
  let fails = false;
  const b = family.child("b", { restartLimit: { intensity: 1 } });
  const start: typeof b.start = (self) => {
    if (fails) throw CRASH;
    return b.start(self);
  };
  await family.supervise({
    strategy: "one_for_all",
    children: [family.child("a"), { ...b, start }, family.child("c")],
  });
  fails = true;
  family.forget();
  await family.end("b", CRASH);
  assertEquals([family.runs("a"), family.runs("b"), family.runs("c")], [true, false, true]);
  assertEquals(family.givenUp.map(({ child, reason }) => [child, reason]), [["b", CRASH]]);
  // The other children are not stopped a second time, because only this child exceeded its limit.
  assertEquals(family.news().filter((line) => line === "start c"), ["start c"]);
});

test("restartLimit: DynamicSupervisor removes a child that exceeds its limit, and continues", async () => {
  const family = makeFamily();
  const pool = await family.run(DynamicSupervisor.start(family.outside, { intensity: 0 }));
  await family.run(pool.startChild(family.child("a", { restartLimit: { intensity: 1 } })));
  await family.run(pool.startChild(family.child("b")));
  for (let i = 0; i < 2; i++) await family.end("a", CRASH);
  assertEquals(family.givenUp.map(({ child, restarts }) => [child, restarts]), [["a", 1]]);
  assertEquals((await family.run(pool.whichChildren())).map(({ id }) => id), ["b"]);
});

test("restartLimit: autoShutdown treats a child that exceeds its limit as ended", async () => {
  const family = makeFamily();
  const tree = await family.supervise({
    autoShutdown: "any_significant",
    children: [
      family.child("a"),
      family.child("b", {
        restart: "transient",
        significant: true,
        restartLimit: { intensity: 0 },
      }),
    ],
  });
  await family.end("b", CRASH);
  assertEquals(family.system.isAlive(tree.pid), false);
});
