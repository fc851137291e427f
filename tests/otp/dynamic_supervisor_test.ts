import { assertEquals, assertRejects } from "@std/assert";
import type { Call } from "../../lib/actor/call.ts";
import { ArgumentError, CallExitError } from "../../lib/actor/errors.ts";
import type { Self } from "../../lib/actor/self.ts";
import type { Restart } from "../../lib/otp/child.ts";
import {
  DynamicSupervisor,
  type DynamicSupervisorOptions,
} from "../../lib/otp/dynamic_supervisor.ts";
import { SupervisorError } from "../../lib/otp/child_info.ts";
import { UnknownCallError } from "../../lib/otp/unknown_call.ts";
import type { ExitReason } from "../../lib/term/exit.ts";
import type { Pid } from "../../lib/term/pid.ts";
import { test } from "../kit/test.ts";
import { CRASH, Family, LATE_MS, type Stopping, word } from "./family.ts";

const start = (family: Family, options?: DynamicSupervisorOptions): Promise<DynamicSupervisor> =>
  family.run(DynamicSupervisor.start(family.outside, options));

const REASONS: readonly ExitReason[] = ["normal", "shutdown", { shutdown: 1 }, CRASH, "kill"];

const AGAIN: Record<Restart, readonly boolean[]> = {
  permanent: [true, true, true, true, true],
  transient: [false, false, false, true, true],
  temporary: [false, false, false, false, false],
};

for (const [restart, agains] of Object.entries(AGAIN) as [Restart, boolean[]][]) {
  test(`DynamicSupervisor restarts or removes a ${restart} child according to its exit reason`, async () => {
    for (const [column, reason] of REASONS.entries()) {
      const family = new Family();
      const pool = await start(family);
      for (const id of ["a", "b", "c"]) {
        await family.run(pool.startChild(family.child(id, { restart })));
      }
      family.news();
      await family.end("b", reason);
      const again = agains[column]!;
      assertEquals(family.news(), [
        `end b ${reason === "kill" ? "killed" : word(reason)}`,
        ...again ? ["start b"] : [],
      ]);
      const ids = (await family.run(pool.whichChildren())).map(({ id }) => id);
      assertEquals(ids, again ? ["a", "b", "c"] : ["a", "c"]);
      assertEquals((await family.run(pool.countChildren())).active, ids.length);
      family.system.stop();
    }
  });
}

test("DynamicSupervisor.stop stops all children at the same time, and kills each after its shutdown time", async () => {
  const family = new Family();
  const pool = await start(family);
  const children: [string, Stopping, "brutalKill" | number, number, string][] = [
    ["a", "atOnce", 100, 0, "shutdown"],
    ["b", "never", 100, 100, "killed"],
    ["c", "never", "brutalKill", 0, "killed"],
    ["d", "late", 100, LATE_MS, "shutdown"],
    ["e", "late", 10, 10, "killed"],
    ["f", "crashes", Infinity, 0, "boom"],
    ["g", "late", Infinity, LATE_MS, "shutdown"],
    ["h", "never", 100, 100, "killed"],
  ];
  for (const [id, stopping, shutdown] of children) {
    await family.run(pool.startChild(family.child(id, { stopping, shutdown })));
  }
  family.news();
  const stopped = pool.stop();
  await family.system.settle();
  let ms = 0;
  for (const at of [0, 10, LATE_MS, 100]) {
    // Up to one millisecond before `at`, no further child exits.
    if (at > ms) await family.system.advance(at - 1 - ms);
    if (at > 0) assertEquals(family.news(), []);
    if (at > 0) await family.system.advance(2);
    ms = Math.max(0, at + 1);
    if (at === 0) ms = 0;
    const expected = children.filter((child) => child[3] === at)
      .map(([id, , , , reason]) => `end ${id} ${reason}`);
    assertEquals(family.news().sort(), expected.sort());
  }
  await family.run(stopped);
  assertEquals(family.system.size, 0);
  assertEquals(family.received.map(({ child, next }) => [child, next]).sort(), [
    ["b", "none: it was killed, because it did not stop within 100 ms"],
    ["e", "none: it was killed, because it did not stop within 10 ms"],
    ["f", "none: it had to stop anyway"],
    ["h", "none: it was killed, because it did not stop within 100 ms"],
  ]);
});

test("DynamicSupervisor.stop reports the reason of a child that exits at the same moment", async () => {
  const family = new Family();
  const pool = await start(family);
  const pid = await family.run(pool.startChild(family.child("a")));
  const stopped = pool.stop();
  family.system.exit(pid, "bad");
  await family.run(stopped);
  assertEquals(family.received.map(({ child, reason }) => [child, reason]), [["a", "bad"]]);
});

test("DynamicSupervisor ends with the given reason while a restart never settles", async () => {
  const family = new Family();
  const pool = await start(family);
  const child = family.child("a");
  let starts = 0;
  await family.run(pool.startChild({
    start: (self) => starts++ === 0 ? child.start(self) : new Promise<never>(() => {}),
  }));
  await family.end("a", CRASH);
  const ended = family.system.whenEnded(pool.pid);
  await family.run(pool.stop({ shutdown: "requested" }));
  assertEquals(await ended, { shutdown: "requested" });
  assertEquals(family.received.length, 1);
});

test("DynamicSupervisor ends with all its children when the restarts exceed its intensity", async () => {
  for (const crashes of [2, 3]) {
    const family = new Family();
    const pool = await start(family, { intensity: 2, period: 1000 });
    await family.run(pool.startChild(family.child("a")));
    await family.run(pool.startChild(family.child("b")));
    for (let i = 0; i < crashes; i++) await family.end(i % 2 === 0 ? "a" : "b", CRASH);
    assertEquals(family.system.size, crashes > 2 ? 0 : 3);
    family.system.stop();
  }
});

test("DynamicSupervisor.startChild rejects a child over the limit", async () => {
  const family = new Family();
  const pool = await start(family, { maxChildren: 2 });
  const { start: body } = family.child("x");
  const nameless = { start: (self: Self) => self.spawnLink(() => () => {}) };
  const first = await family.run(pool.startChild(nameless));
  await family.run(pool.startChild({ ...nameless, id: "mine" }));
  const error = await assertRejects(() => family.run(pool.startChild(nameless)), SupervisorError);
  assertEquals(error.code, "max_children");
  await family.run(pool.terminateChild(first));
  await family.run(pool.startChild({ start: body }));
  const ids = (await family.run(pool.whichChildren())).map(({ id }) => id);
  assertEquals(ids, ["mine", "dynamic_2"]);
  for (
    const options of [{ maxChildren: -1 }, { intensity: -1 }, { period: 0 }, { maxChildrn: 1 }]
  ) {
    await assertRejects(() => DynamicSupervisor.start(family.outside, options), ArgumentError);
  }
  family.system.stop();
});

test("DynamicSupervisor.startChild: a child that fails to start does not count towards the limit", async () => {
  const family = new Family();
  const pool = await start(family, { maxChildren: 1 });
  for (let i = 0; i < 3; i++) {
    const start = i === 0 ? () => Promise.reject(CRASH) : (): never => {
      throw CRASH;
    };
    const error = await assertRejects(
      () => family.run(pool.startChild({ start })),
      SupervisorError,
    );
    assertEquals([error.code, error.cause], ["start_failed", CRASH]);
  }
  await family.run(pool.startChild(family.child("a")));
  family.system.stop();
});

test("DynamicSupervisor.terminateChild accepts the last pid of a child that waits for its restart", async () => {
  const family = new Family();
  const pool = await start(family);
  const backoff = { base: 100, jitter: 0 };
  const pid = await family.run(pool.startChild(family.child("a", { backoff })));
  await family.end("a", CRASH);
  assertEquals((await family.run(pool.whichChildren()))[0]!.state, "restarting");
  await family.run(pool.terminateChild(pid));
  family.news();
  await family.system.advance(1_000);
  assertEquals(family.news(), []);
  const error = await assertRejects(() => family.run(pool.terminateChild(pid)), SupervisorError);
  assertEquals(error.code, "not_found");
  family.system.stop();
});

test("DynamicSupervisor waits for the backoff of a child before it restarts the child", async () => {
  const family = new Family();
  const pool = await start(family, { intensity: 3 });
  const child = family.child("a", { backoff: { base: 100, jitter: 0 } });
  let starts = 0;
  await family.run(pool.startChild({
    ...child,
    start: (self) => {
      if (starts++ === 1) throw CRASH;
      return child.start(self);
    },
  }));
  await family.end("a", CRASH);
  await family.system.advance(99);
  assertEquals([starts, family.runs("a")], [1, false]);
  await family.system.advance(2);
  assertEquals([starts, family.runs("a")], [2, false]);
  await family.system.advance(201);
  assertEquals([starts, family.runs("a")], [3, true]);
  assertEquals(family.received.map(({ next }) => next), [
    "restarts in 100 ms",
    "its start is tried again in 200 ms",
  ]);
  family.system.stop();
});

test("DynamicSupervisor ends although a start function never settles", async () => {
  for (const reason of ["shutdown", "kill"]) {
    const family = new Family();
    const pool = await start(family);
    await family.run(pool.startChild(family.child("a")));
    const hanging = pool.startChild({ start: () => new Promise<never>(() => {}) }).catch((error) =>
      error
    );
    await family.system.settle();
    const asked = assertRejects(() => pool.whichChildren(), CallExitError);
    family.system.exit(pool.pid, reason);
    await family.system.settle();
    assertEquals(family.system.size, 0);
    assertEquals(await hanging instanceof Error, true);
    await asked;
  }
});

test("Supervisor and DynamicSupervisor reject an unknown request, and keep their children", async () => {
  const family = new Family();
  const pool = await start(family);
  await family.run(pool.startChild(family.child("a")));
  const tree = await family.supervise({ children: [family.child("b")] });
  const odd: unknown[] = [undefined, null, "which", 3, {}, { $child: "eat" }, { $child: null }];
  for (const { pid } of [pool, tree]) {
    for (const request of odd) {
      const asked = family.system.call(pid as Pid<Call<unknown, unknown>>, request);
      await assertRejects(() => family.run(asked), UnknownCallError);
    }
  }
  assertEquals([family.runs("a"), family.runs("b")], [true, true]);
  family.system.stop();
});

test("DynamicSupervisor ignores exit signals of actors that are neither its parent nor its children", async () => {
  const family = new Family();
  const pool = await start(family);
  const unrelated = family.system.puppet();
  family.system.exit(pool.pid, "shutdown", unrelated.pid as Pid);
  await family.run(pool.startChild(family.child("a")));
  assertEquals(family.runs("a"), true);
  await family.run(pool.stop("normal"));
  assertEquals(family.runs("a"), false);
  family.system.stop();
});

test("DynamicSupervisor starts and stops ten thousand children in linear time", async () => {
  const family = new Family();
  const pool = await start(family);
  const nameless = { start: (self: Self) => self.spawnLink(() => () => {}) };
  const starts = Array.from({ length: 10_000 }, () => pool.startChild(nameless));
  await family.run(Promise.all(starts));
  assertEquals((await family.run(pool.countChildren())).active, 10_000);
  await family.run(pool.stop());
  assertEquals(family.system.size, 0);
});
