import { assert, assertEquals, assertThrows } from "@std/assert";
import { fileURLToPath } from "node:url";
import { ArgumentError } from "../../lib/actor/errors.ts";
import type { Self } from "../../lib/actor/self.ts";
import { TIMER_MS_MAX } from "../../lib/actor/timer.ts";
import { ManualSystem, withSystem } from "../kit/system.ts";
import { makeHost } from "../kit/host.ts";
import { runtime, test, until } from "../kit/test.ts";

test("sendAfter sends once, after its delay", async () => {
  const system = new ManualSystem();
  const { pid, got } = system.puppet();
  system.sendAfter(pid, "late", 300);
  system.sendAfter(pid, "soon", 100);
  await system.advance(99);
  assertEquals(got, []);
  await system.advance(1);
  assertEquals(got, ["soon"]);
  await system.advance(10_000);
  assertEquals(got, ["soon", "late"]);
  assertEquals([system.wheel.size, system.clock.armed], [0, 0]);
  system.stop();
});

test("sendAfter with zero, a negative time or a fraction fires at the next millisecond", async () => {
  for (const ms of [0, -1, -Infinity, 0.001, 0.5, 1]) {
    const system = new ManualSystem(1000.25);
    const { pid, got } = system.puppet();
    system.sendAfter(pid, ms, ms);
    await system.settle();
    assertEquals(got, [], "not within the call");
    await system.advance(2);
    assertEquals(got, [ms]);
    system.stop();
  }
});

test("sendAfter never fires early, whatever the fractions of the clock and the delay", async () => {
  for (const start of [0, 0.1, 0.5, 0.999]) {
    for (const ms of [1, 1.5, 255.9, 256, 300.25]) {
      const system = new ManualSystem(start);
      const { pid, got } = system.puppet();
      system.sendAfter(pid, "it", ms);
      await system.advance(ms - 0.05);
      assertEquals(got, [], `${start} and ${ms}`);
      await system.advance(1.05);
      assertEquals(got, ["it"], `${start} and ${ms}`);
      system.stop();
    }
  }
});

test("sendAfter and sendInterval reject an invalid time, and set no timer", () => {
  const system = new ManualSystem();
  const { pid, self } = system.puppet();
  for (const ms of [NaN, Infinity, TIMER_MS_MAX + 1, 2 ** 53]) {
    assertEquals(assertThrows(() => system.sendAfter(pid, 1, ms), ArgumentError).code, "badarg");
    assertThrows(() => system.sendInterval(pid, 1, ms), RangeError);
  }
  assertEquals([system.wheel.size, system.clock.armed, self.chain], [0, 0, undefined]);
  system.stop();
});

test("sendAfter supports the longest delay, and splits it into timers that the host can set", async () => {
  const system = new ManualSystem();
  const { pid, got } = system.puppet();
  system.sendAfter(pid, "far", TIMER_MS_MAX);
  assert(system.clock.longest <= 2 ** 31 - 1);
  await system.advance(TIMER_MS_MAX - 1);
  assertEquals(got, []);
  await system.advance(1);
  assertEquals(got, ["far"]);
  system.stop();
});

test("sendAfter is on time in a system that was idle for a year", async () => {
  const system = new ManualSystem();
  const { pid, got } = system.puppet();
  await system.advance(365 * 24 * 3_600_000);
  system.sendAfter(pid, "it", 10);
  await system.advance(9);
  assertEquals(got, []);
  await system.advance(1);
  assertEquals(got, ["it"]);
  system.stop();
});

test("sendInterval stays aligned with its start, and skips ticks that a busy process missed", async () => {
  const system = new ManualSystem();
  const at: number[] = [];
  const pid = system.start(() => () => void at.push(system.clock.now()));
  const timer = system.sendInterval(pid, "tick", 100);
  await system.advance(350);
  assertEquals(at, [100, 200, 300]);
  // After a pause of the process, the timer fires once late, and then on schedule.
  system.clock.jump(577);
  await system.advance(0);
  await system.advance(200);
  assertEquals(at, [100, 200, 300, 927, 1000, 1100]);
  assertEquals(system.cancelTimer(timer), 73);
  await system.advance(1000);
  assertEquals(at.length, 6);
  assertEquals([system.wheel.size, system.find(pid.id)!.chain], [0, undefined]);
  system.stop();
});

test("sendInterval rounds up to whole milliseconds, at least 1", async () => {
  for (const [ms, times] of [[0, 12], [-3, 12], [0.2, 12], [1, 12], [2.5, 4], [3, 4]] as const) {
    const system = new ManualSystem();
    const { pid, got } = system.puppet();
    system.sendInterval(pid, "tick", ms);
    await system.advance(12);
    assertEquals(got.length, times, `every ${ms} ms`);
    system.stop();
  }
});

test("sendInterval with a fraction stays aligned with whole milliseconds after missed ticks", async () => {
  const system = new ManualSystem();
  const at: number[] = [];
  const pid = system.start(() => () => void at.push(system.clock.now()));
  system.sendInterval<unknown>(pid, "tick", 2.5);
  await system.advance(6);
  system.clock.jump(8);
  await system.advance(10);
  assertEquals(at, [3, 6, 14, 15, 18, 21, 24]);
  system.stop();
});

test("cancelTimer returns the remaining milliseconds, and false when it is called again", async () => {
  const system = new ManualSystem();
  const { pid, self, got } = system.puppet();
  const timer = system.sendAfter(pid, "never", 100);
  await system.advance(30);
  assertEquals(timer.left, 70);
  assertEquals(system.cancelTimer(timer), 70);
  assertEquals(system.cancelTimer(timer), false);
  assertEquals([timer.left, self.chain, system.wheel.size], [undefined, undefined, 0]);
  await system.advance(1000);
  assertEquals(got, []);
  const fired = system.sendAfter(pid, "it", 5);
  await system.advance(5);
  assertEquals([got, fired.left, system.cancelTimer(fired)], [["it"], undefined, false]);
  system.stop();
});

test("cancelTimer returns whole milliseconds, and never more than the delay", async () => {
  for (const start of [0, 0.2, 0.5, 0.999]) {
    const system = new ManualSystem(start);
    const { pid } = system.puppet();
    const timers = [10, 10, 10].map((ms) => system.sendAfter(pid, "it", ms));
    assertEquals(timers[0]!.left, 10);
    system.clock.jump(0.5);
    assert([9, 10].includes(system.cancelTimer(timers[0]!) as number));
    await system.advance(8.5);
    assert([0, 1].includes(system.cancelTimer(timers[1]!) as number));
    system.clock.jump(5);
    assertEquals(system.cancelTimer(timers[2]!), 0);
    system.stop();
  }
});

test("cancelTimer keeps the target's other timers", async () => {
  for (const gone of [0, 1, 2]) {
    const system = new ManualSystem();
    const { pid, self, got } = system.puppet();
    const timers = [0, 1, 2].map((i) => system.sendAfter(pid, i, 10 + i));
    assertEquals(system.cancelTimer(timers[gone]!), 10 + gone);
    await system.advance(100);
    assertEquals([got, self.chain], [[0, 1, 2].filter((i) => i !== gone), undefined]);
    system.stop();
  }
});

test("the timers of an actor end when the actor exits", async () => {
  const system = new ManualSystem();
  const letters: unknown[] = [];
  system.events.on("deadletter", (letter) => void letters.push(letter));
  const { pid } = system.puppet();
  const timers = [
    system.sendAfter(pid, 1, 100),
    system.sendInterval(pid, 2, 100),
    system.sendAfter(pid, 3, 1e9),
  ];
  system.exit(pid, "kill");
  assertEquals([system.wheel.size, ...timers.map(({ left }) => left)], [
    0,
    undefined,
    undefined,
    undefined,
  ]);
  assertEquals(timers.map((timer) => system.cancelTimer(timer)), [false, false, false]);
  const spent = [system.sendAfter(pid, 4, 10), system.sendInterval(pid, 5, 10)];
  assertEquals(spent.map((timer) => [timer.left, system.cancelTimer(timer)]), [
    [undefined, false],
    [undefined, false],
  ]);
  await system.advance(1000);
  assertEquals([letters, system.wheel.size], [[], 0]);
});

test("an interval stops when one of its messages ends the target", async () => {
  const system = new ManualSystem();
  let ticks = 0;
  const pid = system.start(() => () => {
    if (++ticks === 2) throw new Error("enough");
  });
  system.sendInterval(pid, "tick", 10);
  await system.advance(1000);
  assertEquals([ticks, system.size, system.wheel.size, system.clock.armed], [2, 0, 0, 0]);
});

test("an interval stops when its message ends the target through a full mailbox", async () => {
  const system = new ManualSystem();
  const pid = system.startWith(
    { mailbox: { max: 3, policy: "exit" } },
    () => new Promise(() => {}),
  );
  system.sendInterval(pid, "tick", 10);
  await system.advance(39);
  assertEquals(system.isAlive(pid), true);
  await system.advance(1000);
  assertEquals([system.size, system.wheel.size, system.clock.armed], [0, 0, 0]);
});

test("timers that are due in the same millisecond fire in the order in which they were set", async () => {
  const system = new ManualSystem();
  const { pid, got } = system.puppet();
  const numbers = Array.from({ length: 1000 }, (_, i) => i);
  for (const i of numbers) system.sendAfter(pid, i, 50);
  assertEquals(system.clock.armed, 1);
  await system.advance(50);
  assertEquals(got, numbers);
  system.stop();
});

test("100,000 timers need one host timer", async () => {
  const system = new ManualSystem();
  const { pid } = system.puppet();
  const began = performance.now();
  const timers = Array.from({ length: 100_000 }, (_, i) => system.sendAfter(pid, i, 1 + i % 5000));
  assertEquals(system.clock.armed, 1);
  for (let i = 0; i < timers.length; i += 2) system.cancelTimer(timers[i]!);
  assertEquals(system.wheel.size, 50_000);
  let got = 0;
  const target = system.start(() => () => void got++);
  for (let i = 0; i < 1000; i++) system.sendAfter(target, i, 4000);
  await system.advance(4000);
  assertEquals(got, 1000);
  const took = performance.now() - began;
  assert(took < 5000, `${took} ms`);
  system.stop();
  assertEquals(system.wheel.size, 0);
});

test("a pending timer, call or receive does not keep the process alive", async () => {
  const file = fileURLToPath(new URL("./idle.ts", import.meta.url));
  const child = makeHost().spawn({ runtime, file });
  child.lines(() => {});
  let ended: number | string | undefined;
  child.ended.then((status) => ended = status);
  try {
    await until("the program ends by itself", () => ended !== undefined);
    assertEquals(ended, 0);
  } finally {
    if (ended === undefined) child.signal("SIGKILL");
    await child.ended;
  }
});

test("timers never fire early on the clock of the host", async () => {
  await withSystem(async (system) => {
    const began = performance.now();
    const at: number[] = [];
    const pid = system.spawn(undefined, undefined, () => () => void at.push(performance.now()), []);
    system.sendAfter(pid, "it", 20);
    system.sendInterval(pid, "tick", 5);
    system.sendAfter(pid, "never", 3_600_000);
    await until("the timer and the interval have fired", () => at.length >= 8);
    assert(at[0]! - began >= 5, `${at[0]! - began} ms`);
    assert(at[7]! - began >= 20, `${at[7]! - began} ms`);
  });
});

test("self.sendAfter, self.sendInterval and self.cancelTimer behave like those of System", async () => {
  const system = new ManualSystem();
  const [{ self }, { pid, got }] = [system.puppet(), system.puppet()];
  self.sendAfter(pid, "once", 10);
  const again = self.sendInterval(pid, "again", 20);
  await system.advance(45);
  assertEquals(got, ["once", "again", "again"]);
  assertEquals([self.cancelTimer(again), self.cancelTimer(again)], [15, false]);
  await system.advance(100);
  assertEquals([got.length, system.wheel.size], [3, 0]);
  system.stop();
});

test("sendAfter with the longest delay sets no host timer over the host's limit", async () => {
  // The clock starts at 0.5 ms, between two whole milliseconds.
  const system = new ManualSystem(0.5);
  const { pid, got } = system.puppet();
  await system.settle();
  system.sendAfter(pid, "far", TIMER_MS_MAX);
  assert(system.clock.longest <= 2 ** 31 - 1, `${system.clock.longest}`);
  await system.advance(TIMER_MS_MAX - 1);
  assertEquals(got, []);
  await system.advance(2);
  assertEquals(got, ["far"]);
  system.stop();
});

test("cancelTimer throws ArgumentError for a value that is not a timer", () => {
  const system = new ManualSystem();
  const { pid, self } = system.puppet();
  for (const timer of [1, undefined, null, {}, { left: 5 }, setTimeout]) {
    assertThrows(() => system.cancelTimer(timer as never), ArgumentError, "is not a timer");
    assertThrows(() => self.cancelTimer(timer as never), ArgumentError, "is not a timer");
  }
  // A timer for an actor that has exited counts as cancelled.
  system.exit(pid, "kill");
  assertEquals(system.cancelTimer(system.sendAfter(pid, 1, 1)), false);
  system.stop();
});

test("self.sleep resolves after its time, and rejects if the actor exits first", async () => {
  const system = new ManualSystem();
  const received: string[] = [];
  const sleeper = async (self: Self): Promise<void> => {
    received.push(`at ${self.now()}`);
    await self.sleep(100);
    received.push(`at ${self.now()}`);
    try {
      await self.sleep(100);
    } catch (error) {
      received.push((error as Error).name);
      await self.sleep(1).finally(() => received.push("never"));
    }
  };
  const pid = system.spawn(undefined, undefined, sleeper, []);
  await system.settle();
  const [first] = received;
  await system.advance(99);
  assertEquals(received.length, 1);
  await system.advance(2);
  assertEquals(received.length, 2);
  assert(Number(received[1]!.slice(3)) - Number(first!.slice(3)) >= 100);
  system.exit(pid, "kill");
  await system.advance(1_000);
  assertEquals(received.slice(2), ["ActorExitError"]);
  assertEquals(system.wheel.size, 0);
  system.stop();
});
