import { setImmediate } from "node:timers";
import { assert, assertEquals, assertInstanceOf, assertRejects } from "@std/assert";
import {
  ActorExitError,
  ArgumentError,
  CallExitError,
  NoProcError,
} from "../../lib/actor/errors.ts";
import type { Self } from "../../lib/actor/self.ts";
import { setSystem } from "../../lib/actor/behind.ts";
import { crashText } from "../../lib/actor/report.ts";
import { type ChildSpec, ChildSpecError, type LocalChildSpec } from "../../lib/otp/child.ts";
import { restartText, SupervisorError } from "../../lib/otp/child_info.ts";
import { Supervisor } from "../../lib/otp/supervisor.ts";
import { CHECKED_COUNT } from "../../lib/otp/supervisor_actor.ts";
import { treeText } from "../../lib/otp/tree.ts";
import { DynamicSupervisor } from "../../lib/otp/dynamic_supervisor.ts";
import type { Pid } from "../../lib/term/pid.ts";
import { test } from "../kit/test.ts";
import { unreadableValues } from "../kit/unreadable.ts";
import { CRASH, Family } from "./family.ts";

const never = (): Promise<never> => new Promise(() => {});

/** Returns a promise that a start function can return, and a function that resolves it. */
function held(): { start: Promise<Pid<never>>; give: (pid: Pid<never>) => void } {
  let give = (_pid: Pid<never>): void => {};
  const start = new Promise<Pid<never>>((resolve) => give = resolve);
  return { start, give };
}

/** Starts an actor that starts a supervisor as its parent, and stays alive. */
async function withParent(
  family: Family,
  children: ChildSpec[],
): Promise<{ parent: Pid<unknown>; tree: Supervisor }> {
  let tree: Supervisor | undefined;
  const parent = family.system.start(async (self: Self) => {
    tree = await Supervisor.start(self, { children });
    while (true) {
      const reason = await self.receive();
      self.exit(reason as string);
    }
  });
  await family.system.settle();
  return { parent, tree: tree! };
}

test("Supervisor.start starts each child after the previous one has started", async () => {
  const family = new Family();
  const { start, give } = held();
  const slow = { id: "slow", start: () => start };
  const starting = Supervisor.start(family.outside, {
    children: [family.child("a"), slow, family.child("c")],
  });
  await family.system.settle();
  assertEquals(family.news(), ["start a"]);
  const [supervisor] = family.system.pids();
  const pid = family.system.puppet().self;
  family.system.find(supervisor!.id)!.link(pid.pid);
  give(pid.pid);
  const tree = await family.run(starting);
  assertEquals(family.news(), ["start c"]);
  assertEquals((await family.run(tree.whichChildren())).map(({ id }) => id), ["a", "slow", "c"]);
  family.system.stop();
});

test("Supervisor and DynamicSupervisor let I/O continue while they start or stop many children", async () => {
  const COUNT = 1000;
  const family = new Family();
  const { system } = family;
  /** The number of children that started or exited, by turn of I/O. */
  const turns = new Map<number, number>();
  const count = (): void => void turns.set(system.yields, (turns.get(system.yields) ?? 0) + 1);
  const most = (): number => {
    const counts = [...turns.values()];
    assert(counts.reduce((sum, each) => sum + each, 0) >= COUNT, `${counts}`);
    turns.clear();
    return Math.max(...counts);
  };
  const pids: Pid<never>[] = [];
  const start = (self: Self): Pid<never> => {
    count();
    const pid = self.spawnLink(() => () => {});
    pids.push(pid);
    return pid;
  };
  const children = Array.from({ length: COUNT }, (_, i) => ({ id: `c${i}`, start }));
  const tree = await family.run(Supervisor.start(family.outside, {
    strategy: "one_for_all",
    children,
  }));
  assert(most() <= 64, "start");
  system.exit(pids[0]!, "kill");
  await system.settle();
  assert(most() <= 64, "restart");
  assertEquals(
    (await family.run(tree.whichChildren())).map(({ id }) => id),
    children.map(({ id }) => id),
  );
  const dynamic = await family.run(DynamicSupervisor.start(family.outside));
  for (let i = 0; i < COUNT; i++) await family.run(dynamic.startChild({ start }));
  turns.clear();
  system.events.on("exit", count);
  system.exit(dynamic.pid, "shutdown");
  await system.settle();
  assert(most() <= 66, "stop");
  system.stop();
});

test("Supervisor ends at a signal that arrives while it starts many children", async () => {
  const family = new Family();
  const { system } = family;
  let started = 0;
  const children = Array.from({ length: 1000 }, (_, i) => ({
    id: `c${i}`,
    start: (self: Self) => {
      if (++started === 100) {
        const [supervisor] = system.pids();
        system.exit(supervisor!, "shutdown");
      }
      return self.spawnLink(() => () => {});
    },
  }));
  const starting = Supervisor.start(family.outside, { children });
  starting.catch(() => {});
  await system.settle();
  await assertRejects(() => starting);
  assertEquals([started, system.pids()], [128, []]);
  system.stop();
});

test("Supervisor starts no more children after it is killed", async () => {
  const family = new Family();
  const { system } = family;
  let started = 0;
  const children = Array.from({ length: 1000 }, (_, i) => ({
    id: `c${i}`,
    start: (self: Self) => {
      started++;
      return self.spawnLink(() => () => {});
    },
  }));
  const starting = Supervisor.start(family.outside, { children });
  starting.catch(() => {});
  while (started === 0) await new Promise<void>((turn) => setImmediate(turn));
  system.exit(system.pids()[0]!, "kill");
  await system.settle();
  await assertRejects(() => starting);
  assertEquals([started, system.pids()], [64, []]);
  system.stop();
});

test("Supervisor.start stops the children that it has started if one fails to start", async () => {
  const fails: [LocalChildSpec["start"], string][] = [
    [() => {
      throw CRASH;
    }, "Error: boom"],
    [() => Promise.reject(CRASH), "Error: boom"],
    [() => undefined as never, "TypeError: its start function returned no pid"],
    [() => ({ pid: 3 }) as never, "TypeError: its start function returned no pid"],
  ];
  for (const [start, words] of fails) {
    const family = new Family();
    const children = [family.child("a"), family.child("b"), { id: "c", start }, family.child("d")];
    const error = await assertRejects(() => family.supervise({ children }), SupervisorError);
    assertEquals(error.code, "start_failed");
    assertEquals(error.message, `child "c" could not be started: ${words}`);
    assertEquals(family.news(), ["start a", "start b", "end b shutdown", "end a shutdown"]);
    assertEquals(family.system.size, 0);
    // The start is reported only by the rejection.
    assertEquals(family.crashes, []);
  }
});

test("Supervisor.start rejects if a start function throws a value that cannot be read", async () => {
  for (const value of Object.values(unreadableValues())) {
    const family = new Family();
    const throwing = (): never => {
      throw value;
    };
    const rejecting = (): Promise<never> => Promise.resolve().then(throwing);
    for (const start of [throwing, rejecting]) {
      const child = { id: "a", start };
      const starting = Supervisor.start(family.outside, { children: [child] });
      const error = await family.run(starting.then(() => undefined, (error) => error));
      assertInstanceOf(error, SupervisorError);
    }
    family.system.stop();
  }
});

test("Supervisor.start: a failed start does not end the calling actor", async () => {
  const family = new Family();
  let code: string | undefined;
  const parent = family.system.start(async (self: Self) => {
    const start = (): never => {
      throw CRASH;
    };
    await Supervisor.start(self, { children: [{ id: "a", start }] })
      .catch((error) => code = error.code);
    await self.receive();
  });
  await family.system.settle();
  assertEquals(code, "start_failed");
  assertEquals(family.system.isAlive(parent), true);
  family.system.stop();
});

test("Supervisor.start rejects invalid options and children", async () => {
  const family = new Family();
  const a = family.child("a");
  const refused: [object, string][] = [
    [{ strategy: "one_for_none" }, "strategy"],
    [{ stratgy: "one_for_all" }, 'there is no option "stratgy": did you mean strategy?'],
    [{ children: [{ ...a, restrat: "temporary" }] }, 'child "a": there is no option "restrat"'],
    [{ children: [undefined] }, "child with no id: options are an object"],
    [{ children: [{ ...a, backoff: { bas: 1 } }] }, 'backoff: there is no option "bas"'],
    [{ intensity: -1 }, "intensity"],
    [{ intensity: NaN }, "intensity"],
    [{ period: 0 }, "period"],
    [{ autoShutdown: "always" }, "autoShutdown"],
    [{ children: [a, a] }, 'two children are called "a"'],
    [{ children: [{ ...a, id: "" }] }, "id"],
    [{ children: [{ ...a, start: 3 }] }, "start"],
    [{ children: [{ ...a, restart: "sometimes" }] }, "restart"],
    [{ children: [{ ...a, type: "boss" }] }, "type"],
    [{ children: [{ ...a, shutdown: -1 }] }, "shutdown"],
    [{ children: [{ ...a, shutdown: NaN }] }, "shutdown"],
    [{ children: [{ ...a, shutdown: 2 ** 31 }] }, "0 to 2147483647 milliseconds"],
    [{ children: [{ ...a, significant: true }] }, "significant"],
    [{ children: [{ ...a, significant: true, restart: "transient" }] }, "autoShutdown"],
    [{ children: [{ ...a, backoff: { base: 0 } }] }, "backoff.base"],
    [{ children: [{ ...a, backoff: { base: 9, cap: 8 } }] }, "backoff.cap"],
    [{ children: [{ ...a, backoff: { base: 9, cap: 2 ** 31 } }] }, "2147483647 at the most"],
    [{ children: [{ ...a, backoff: { base: 9, jitter: 2 } }] }, "backoff.jitter"],
    [{ children: [{ ...a, backoff: { base: 9, reset: -1 } }] }, "backoff.reset"],
  ];
  for (const [options, words] of refused) {
    const error = await assertRejects(() => Supervisor.start(family.outside, options));
    assertEquals(error instanceof ArgumentError || error instanceof ChildSpecError, true);
    assertEquals((error as Error).message.includes(words), true, (error as Error).message);
  }
  assertEquals(family.system.size, 0);
});

test("Supervisor kills a child that is not linked to it, and reports a failed start", async () => {
  const family = new Family();
  const stray = family.system.puppet();
  const start = (): Pid<never> => stray.pid;
  const error = await assertRejects(() => family.supervise({ children: [{ id: "a", start }] }));
  assertEquals((error as Error).message.includes("is not linked with its supervisor"), true);
  assertEquals(family.system.size, 0);
});

test("Supervisor restarts a child that exits before its start function returns", async () => {
  for (const linked of [true, false]) {
    const family = new Family();
    let starts = 0;
    const start = async (self: Self): Promise<Pid<never>> => {
      if (++starts === 3) return family.child("a").start(self) as Pid<never>;
      const body = async (_self: Self): Promise<void> => {};
      const pid = linked ? self.spawnLink(body) : self.spawn(body);
      await family.system.whenEnded(pid);
      return pid;
    };
    const tree = await family.supervise({ children: [{ id: "a", start }] });
    await family.system.settle();
    assertEquals(starts, 3);
    const [a] = await family.run(tree.whichChildren());
    assertEquals(a!.pid, family.pids.get("a"));
    family.system.stop();
  }
});

test("Supervisor ends at a signal of its parent or node while a start function never settles", async () => {
  for (const from of ["node", "parent"]) {
    const family = new Family();
    const children = [family.child("a"), { id: "b", start: never }];
    let refused: unknown;
    const parent = family.system.start(async (self: Self) => {
      await Supervisor.start(self, { children }).catch((error) => refused = error);
      await self.receive();
    });
    await family.system.settle();
    const supervisor = family.system.pids()[1]!;
    if (from === "node") family.system.exit(supervisor, "shutdown");
    else family.system.exit(supervisor, "shutdown", parent as Pid);
    await family.system.settle();
    assertInstanceOf(refused, ActorExitError);
    assertEquals(refused.reason, "shutdown");
    assertEquals(family.runs("a"), false);
    assertEquals(family.system.isAlive(supervisor), false);
    family.system.stop();
  }
});

test("Supervisor ends although a restart or the start of an added child never settles", async () => {
  for (const hangs of ["restart", "startChild"]) {
    const family = new Family();
    const first = family.child("b");
    let starts = 0;
    const start = (self: Self) => starts++ === 0 ? first.start(self) : never();
    const tree = await family.supervise({ children: [family.child("a"), { id: "b", start }] });
    if (hangs === "restart") await family.end("b", CRASH);
    else {
      const refused = assertRejects(() => tree.startChild({ id: "c", start: never }));
      await family.system.settle();
      await family.run(tree.stop());
      await refused;
    }
    const ended = family.system.whenEnded(tree.pid);
    await family.run(tree.stop({ shutdown: "requested" }));
    if (hangs === "restart") assertEquals(await ended, { shutdown: "requested" });
    assertEquals(family.system.size, 0);
    // A cancelled start is not reported as the exit of a child.
    assertEquals(family.received.length, hangs === "restart" ? 1 : 0);
  }
});

/** Starts a supervisor whose only child starts when the test calls `give` with `late`. */
async function halfStarted() {
  const family = new Family();
  const { start, give } = held();
  const starting = Supervisor.start(family.outside, {
    children: [{ id: "a", start: () => start }],
  });
  starting.catch(() => {});
  await family.system.settle();
  const [supervisor] = family.system.pids();
  return { family, starting, supervisor: supervisor!, late: family.system.puppet(), give };
}

test("Supervisor ends a child that starts after the supervisor has ended", async () => {
  for (const reason of ["shutdown", "kill"]) {
    const { family, starting, supervisor, late, give } = await halfStarted();
    family.system.exit(supervisor, reason);
    await family.system.settle();
    assertEquals(family.system.isAlive(supervisor), false);
    give(late.pid);
    await family.system.settle();
    assertEquals(family.system.isAlive(late.pid), false);
    await assertRejects(() => starting, ActorExitError);
  }
});

test("Supervisor ends a child that starts at the same moment as the signal to end arrives", async () => {
  const { family, supervisor, late, give } = await halfStarted();
  // Both the signal and the pid wait in the mailbox, because the time slice is used up.
  family.system.clock.jump(10);
  family.system.scheduler.credit = 0;
  family.system.exit(supervisor, "shutdown");
  give(late.pid);
  await family.system.settle();
  assertEquals(family.system.size, 0);
});

test("Supervisor leaves no descendant alive when it is killed", async () => {
  const family = new Family();
  const inner = (id: string, ids: string[]): ChildSpec => ({
    id,
    type: "supervisor",
    start: (self) => Supervisor.start(self, { children: ids.map((one) => family.child(one)) }),
  });
  const tree = await family.supervise({
    children: [family.child("a"), inner("left", ["b", "c"]), inner("right", ["d"])],
  });
  assertEquals(family.system.size, 7);
  family.system.exit(tree.pid, "kill");
  await family.system.settle();
  assertEquals(family.system.size, 0);
  assertEquals(family.system.names.registered(), []);
});

test("Supervisor ends when its parent exits, whatever the reason", async () => {
  for (const reason of ["normal", "shutdown", CRASH]) {
    const family = new Family();
    const { parent, tree } = await withParent(family, [family.child("a")]);
    family.system.send(parent, reason);
    await family.system.settle();
    assertEquals(family.system.isAlive(tree.pid), false);
    assertEquals(family.system.size, 0);
    // The crash is reported only once, although the supervisor exits for the same reason.
    assertEquals(family.crashes.length, reason === CRASH ? 1 : 0);
    assertEquals(family.received, []);
  }
});

test("Supervisor ignores exit signals of actors that are neither its parent nor its children", async () => {
  const family = new Family();
  const helpers: Pid<never>[] = [];
  const child = family.child("a");
  const start = (self: Self) => {
    helpers.push(self.spawnLink((): void => {
      throw CRASH;
    }));
    return child.start(self);
  };
  const tree = await family.supervise({ children: [{ id: "a", start }] });
  const unrelated = family.system.puppet();
  for (const reason of ["normal", "shutdown", CRASH]) {
    family.system.exit(tree.pid, reason, unrelated.pid as Pid);
    await family.system.settle();
  }
  unrelated.self.link(tree.pid);
  unrelated.self.end(CRASH);
  await family.system.settle();
  assertEquals(helpers.map((pid) => family.system.isAlive(pid)), [false]);
  assertEquals(family.system.isAlive(tree.pid), true);
  assertEquals(family.news(), ["start a"]);
  family.system.stop();
});

test("Supervisor.stop stops the children in reverse order, whatever the reason", async () => {
  for (const reason of [undefined, "normal", "shutdown", { shutdown: 1 }, CRASH, "kill"]) {
    const family = new Family();
    const tree = await family.supervise({ children: [family.child("a"), family.child("b")] });
    const ended = family.system.whenEnded(tree.pid);
    await family.run(tree.stop(reason));
    assertEquals(await ended, reason === "kill" ? "killed" : reason ?? "shutdown");
    assertEquals(family.system.size, 0);
    await tree.stop();
  }
});

test("Supervisor that exceeds its intensity is restarted by its parent with all its children", async () => {
  const family = new Family();
  const inner: ChildSpec = {
    id: "inner",
    type: "supervisor",
    start: (self) =>
      Supervisor.start(self, { intensity: 1, children: [family.child("b"), family.child("c")] }),
  };
  const tree = await family.supervise({ intensity: 1, children: [family.child("a"), inner] });
  family.news();
  await family.end("c", CRASH);
  assertEquals(family.news(), ["end c boom", "start c"]);
  await family.end("c", CRASH);
  assertEquals(family.news(), ["end c boom", "end b shutdown", "start b", "start c"]);
  assertEquals(family.received.map(({ child, next }) => [child, next]), [
    ["c", "restarts"],
    ["c", "it ended once too often: the supervisor ends"],
    ["inner", "restarts"],
  ]);
  await family.end("c", CRASH);
  await family.end("c", CRASH);
  assertEquals(family.system.isAlive(tree.pid), false);
  assertEquals(family.system.size, 0);
});

test("Supervisor counts a failed restart, and retries it until its intensity is exceeded", async () => {
  for (const failures of [2, 3, 4]) {
    const family = new Family();
    const child = family.child("a");
    let starts = 0;
    const start = (self: Self) => {
      if (starts++ > 0 && starts <= 1 + failures) throw CRASH;
      return child.start(self);
    };
    const tree = await family.supervise({ intensity: 3, children: [{ id: "a", start }] });
    await family.end("a", new Error("first"));
    const survives = failures < 3;
    assertEquals(family.system.isAlive(tree.pid), survives);
    assertEquals(family.received.map(({ pid, reason }) => [pid?.id, (reason as Error).message]), [
      [2, "first"],
      ...Array(Math.min(failures, 3)).fill([undefined, "boom"]),
    ]);
    if (survives) assertEquals(starts, 2 + failures);
    family.system.stop();
  }
});

test("Supervisor answers requests between failed restarts", async () => {
  const family = new Family();
  const child = family.child("a");
  let starts = 0;
  const start = (self: Self) => {
    if (starts++ > 0 && starts < 10) throw CRASH;
    return child.start(self);
  };
  const tree = await family.supervise({ intensity: Infinity, children: [{ id: "a", start }] });
  family.endNow("a", CRASH);
  const states: unknown[] = [];
  const ask = async (): Promise<void> => {
    while (starts < 10) states.push((await tree.whichChildren())[0]!.state);
  };
  await family.run(ask());
  assertEquals(states.includes("restarting"), true);
  assertEquals(family.runs("a"), true);
  family.system.stop();
});

test("Supervisor restarts the whole group after a failed restart with one_for_all or rest_for_one", async () => {
  for (
    const [strategy, retry] of [
      ["one_for_all", ["end c shutdown", "end a shutdown", "start a", "end a shutdown"]],
      ["rest_for_one", ["end c shutdown"]],
    ] as const
  ) {
    const family = new Family();
    const b = family.child("b");
    let starts = 0;
    const start = (self: Self) => {
      if (starts++ === 1) throw CRASH;
      return b.start(self);
    };
    await family.supervise({
      strategy,
      children: [family.child("a"), { id: "b", start }, family.child("c")],
    });
    family.news();
    await family.end("b", CRASH);
    const last = strategy === "one_for_all"
      ? ["start a", "start b", "start c"]
      : ["start b", "start c"];
    assertEquals(family.news(), ["end b boom", ...retry, ...last]);
    family.system.stop();
  }
});

test("Supervisor restarts children that crash together once each, or once as a group", async () => {
  for (
    const [strategy, restarts, follows] of [
      ["one_for_one", 3, ["start a", "start b", "start c"]],
      ["one_for_all", 1, ["start a", "start b", "start c"]],
      ["rest_for_one", 1, ["start a", "start b", "start c"]],
    ] as const
  ) {
    const family = new Family();
    await family.supervise({ strategy, children: ["a", "b", "c"].map((id) => family.child(id)) });
    family.news();
    for (const id of ["a", "b", "c"]) family.endNow(id, CRASH);
    await family.system.settle();
    const ends = ["end a boom", "end b boom", "end c boom"];
    assertEquals(family.news(), [...ends, ...follows]);
    assertEquals(family.received.at(-1)!.restarts, restarts);
    // Every crash is reported, even if the crash of a sibling was handled first.
    assertEquals(family.received.map(({ child }) => child).sort(), ["a", "b", "c"]);
    assertEquals(family.received.map(({ reason }) => reason), [CRASH, CRASH, CRASH]);
    family.system.stop();
  }
});

const SIGNIFICANT = { restart: "transient", significant: true } as const;

test("Supervisor with autoShutdown ends when significant children exit normally", async () => {
  // Whether the supervisor is alive after a, then c, exit for these reasons.
  const grid: [("any" | "all"), (string | Error)[], boolean[]][] = [
    ["any", ["normal"], [false]],
    ["any", ["shutdown"], [false]],
    ["any", [CRASH, "normal"], [true, false]],
    ["all", ["normal", "shutdown"], [true, false]],
    ["all", [CRASH, "normal"], [true, true]],
  ];
  for (const [when, reasons, alive] of grid) {
    const family = new Family();
    const tree = await family.supervise({
      autoShutdown: `${when}_significant`,
      children: [family.child("a", SIGNIFICANT), family.child("b"), family.child("c", SIGNIFICANT)],
    });
    const ended = family.system.whenEnded(tree.pid);
    for (const [i, reason] of reasons.entries()) {
      await family.end(i === 0 ? "a" : "c", reason);
      assertEquals(family.system.isAlive(tree.pid), alive[i], `${when} ${reasons.join()}`);
    }
    if (!alive.at(-1)) {
      assertEquals(await ended, "shutdown");
      assertEquals(family.system.size, 0);
    }
    family.system.stop();
  }
});

test("Supervisor with autoShutdown continues when a significant child is terminated", async () => {
  const family = new Family();
  const tree = await family.supervise({
    autoShutdown: "any_significant",
    children: [
      family.child("a", SIGNIFICANT),
      family.child("b", { restart: "transient" }),
      family.child("c", { restart: "temporary", significant: true }),
    ],
  });
  await family.run(tree.terminateChild("a"));
  await family.end("b", "normal");
  assertEquals(family.system.isAlive(tree.pid), true);
  await family.end("c", CRASH);
  assertEquals(family.system.isAlive(tree.pid), false);
});

test("Supervisor with all_significant waits for a child that is about to be restarted", async () => {
  const family = new Family();
  const backoff = { base: 100, jitter: 0 };
  const tree = await family.supervise({
    autoShutdown: "all_significant",
    children: [family.child("a", { ...SIGNIFICANT, backoff }), family.child("b", SIGNIFICANT)],
  });
  await family.end("a", CRASH);
  await family.end("b", "normal");
  assertEquals(family.system.isAlive(tree.pid), true);
  await family.system.advance(101);
  assertEquals(family.runs("a"), true);
  family.system.stop();
});

test("Supervisor doubles the backoff up to its cap, and resets it for a child that stays up", async () => {
  const family = new Family();
  const backoff = { base: 100, cap: 350, jitter: 0, reset: 5_000 };
  await family.supervise({ intensity: Infinity, children: [family.child("a", { backoff })] });
  const pauses = async (): Promise<number> => {
    await family.end("a", CRASH);
    family.news();
    for (let ms = 1;; ms++) {
      await family.system.advance(1);
      if (family.runs("a")) return ms;
    }
  };
  assertEquals([await pauses(), await pauses(), await pauses(), await pauses()], [
    100,
    200,
    350,
    350,
  ]);
  await family.system.advance(4_999);
  assertEquals(await pauses(), 350);
  await family.system.advance(5_000);
  assertEquals(await pauses(), 100);
  family.system.stop();
});

test("Supervisor shortens a backoff by at most the fraction of its jitter", async () => {
  const family = new Family();
  const backoff = { base: 1000, cap: 1000, jitter: 0.5 };
  await family.supervise({ intensity: Infinity, children: [family.child("a", { backoff })] });
  for (let i = 0; i < 50; i++) {
    await family.end("a", CRASH);
    await family.system.advance(2_000);
  }
  const pauses = family.received.map(({ next }) => Number(/in (\d+) ms/.exec(next)![1]));
  assertEquals(pauses.length, 50);
  assertEquals(pauses.every((ms) => ms >= 500 && ms <= 1000), true);
  assertEquals(new Set(pauses).size > 20, true);
  family.system.stop();
});

test("Supervisor does not count the time of a failed start as uptime", async () => {
  const family = new Family();
  const child = family.child("a");
  let starts = 0;
  const start = (self: Self) => {
    if (starts++ > 0) throw CRASH;
    return child.start(self);
  };
  const backoff = { base: 100, cap: 400, jitter: 0, reset: 300 };
  await family.supervise({ intensity: Infinity, children: [{ id: "a", start, backoff }] });
  await family.end("a", CRASH);
  await family.system.advance(2_000);
  const pauses = family.received.map(({ next }) => /in (\d+) ms/.exec(next)![1]);
  assertEquals(pauses.slice(0, 5), ["100", "200", "400", "400", "400"]);
  family.system.stop();
});

test("Supervisor stops the children of a restart group at once, and starts them after the backoff", async () => {
  const family = new Family();
  const tree = await family.supervise({
    strategy: "rest_for_one",
    intensity: Infinity,
    children: [
      family.child("a", { backoff: { base: 100, jitter: 0 } }),
      family.child("b", { backoff: { base: 1000, jitter: 0 } }),
      family.child("c"),
      family.child("d"),
    ],
  });
  family.news();
  await family.end("b", CRASH);
  assertEquals(family.news(), ["end b boom", "end d shutdown", "end c shutdown"]);
  const states = (await family.run(tree.whichChildren())).map(({ state }) => state);
  assertEquals(states, ["running", "restarting", "restarting", "restarting"]);
  await family.run(tree.terminateChild("c"));
  // Child a, which precedes b, exits too. Its pause is shorter, but the restart waits for b's pause.
  await family.end("a", CRASH);
  assertEquals(family.news(), ["end a boom"]);
  await family.system.advance(999);
  assertEquals(family.news(), []);
  await family.system.advance(2);
  assertEquals(family.news(), ["start a", "start b", "start c", "start d"]);
  await family.system.advance(10_000);
  assertEquals(family.news(), []);
  family.system.stop();
});

test("Supervisor starts a child without a backoff after the backoff of its restart group", async () => {
  const family = new Family();
  await family.supervise({
    strategy: "rest_for_one",
    children: [
      family.child("a"),
      family.child("b", { backoff: { base: 1000, jitter: 0 } }),
    ],
  });
  await family.end("b", CRASH);
  family.news();
  await family.system.advance(400);
  await family.end("a", CRASH);
  await family.system.advance(598);
  assertEquals(family.news(), ["end a boom"]);
  await family.system.advance(3);
  assertEquals(family.news(), ["start a", "start b"]);
  family.system.stop();
});

test("Supervisor does not restart a child that is terminated while it waits for its restart", async () => {
  const family = new Family();
  const backoff = { base: 100, jitter: 0 };
  const tree = await family.supervise({ children: [family.child("a", { backoff })] });
  await family.end("a", CRASH);
  const error = await assertRejects(() => family.run(tree.restartChild("a")), SupervisorError);
  assertEquals(error.code, "restarting");
  await family.run(tree.terminateChild("a"));
  await family.run(tree.restartChild("a"));
  await family.end("a", CRASH);
  family.news();
  // The pause is now 200 ms; the timer of the earlier pause must not end it.
  await family.system.advance(199);
  assertEquals(family.news(), []);
  await family.system.advance(2);
  assertEquals(family.news(), ["start a"]);
  await family.end("a", CRASH);
  await family.run(tree.terminateChild("a"));
  await family.run(tree.deleteChild("a"));
  family.news();
  await family.system.advance(10_000);
  assertEquals(family.news(), []);
  family.system.stop();
});

test("Supervisor: the methods for children reject with OTP's error codes", async () => {
  const family = new Family();
  const tree = await family.supervise({
    intensity: 10,
    children: [
      family.child("runs"),
      family.child("waits", { backoff: { base: 100 } }),
      family.child("stopped"),
      family.child("temporary", { restart: "temporary" }),
    ],
  });
  await family.end("waits", CRASH);
  await family.run(tree.terminateChild("stopped"));
  await family.run(tree.terminateChild("temporary"));
  const answer = async (asked: Promise<unknown>): Promise<string> =>
    await family.run(asked.then(() => "ok", (error) => error.code));
  const ask = {
    startChild: (id: string) => tree.startChild(family.child(id)),
    restartChild: (id: string) => tree.restartChild(id),
    deleteChild: (id: string) => tree.deleteChild(id),
    terminateChild: (id: string) => tree.terminateChild(id),
  };
  const grid: [keyof typeof ask, string, string][] = [
    ["startChild", "runs", "already_started"],
    ["startChild", "waits", "already_started"],
    ["startChild", "stopped", "already_present"],
    ["restartChild", "runs", "running"],
    ["restartChild", "waits", "restarting"],
    ["restartChild", "nobody", "not_found"],
    ["deleteChild", "runs", "running"],
    ["deleteChild", "waits", "restarting"],
    ["deleteChild", "nobody", "not_found"],
    ["terminateChild", "nobody", "not_found"],
    ["terminateChild", "temporary", "not_found"],
    ["terminateChild", "stopped", "ok"],
    ["restartChild", "stopped", "ok"],
    ["terminateChild", "stopped", "ok"],
    ["deleteChild", "stopped", "ok"],
    ["deleteChild", "stopped", "not_found"],
    ["startChild", "stopped", "ok"],
  ];
  const started = await family.run(tree.startChild(family.child("runs")).catch((error) => error));
  assertEquals(started.pid, family.pids.get("runs"));
  assert(started.message.includes(`${started.pid}`));
  for (const [what, id, expected] of grid) {
    assertEquals(await answer(ask[what](id)), expected, `${what} ${id}`);
  }
  assertEquals(await family.run(tree.countChildren()), {
    specs: 3,
    active: 2,
    supervisors: 0,
    workers: 3,
  });
  family.system.stop();
});

test("Supervisor.startChild appends a child, and does not keep one that fails to start", async () => {
  const family = new Family();
  const tree = await family.supervise({ strategy: "rest_for_one", children: [family.child("a")] });
  const pid = await family.run(tree.startChild(family.child("b")));
  assertEquals(pid, family.pids.get("b"));
  const start = (): never => {
    throw CRASH;
  };
  const error = await assertRejects(
    () => family.run(tree.startChild({ id: "c", start })),
    SupervisorError,
    "boom",
  );
  assertEquals([error.code, error.cause], ["start_failed", CRASH]);
  await assertRejects(() => family.run(tree.startChild({ id: "", start })), ChildSpecError);
  assertEquals((await family.run(tree.whichChildren())).map(({ id }) => id), ["a", "b"]);
  family.news();
  await family.end("a", CRASH);
  assertEquals(family.news(), ["end a boom", "end b shutdown", "start a", "start b"]);
  family.system.stop();
});

test("Supervisor rejects requests during its stop with its exit reason", async () => {
  const family = new Family();
  const tree = await family.supervise({ children: [family.child("a", { stopping: "late" })] });
  const stopped = tree.stop();
  await family.system.settle();
  const asked = assertRejects(() => tree.whichChildren(), CallExitError);
  await family.system.advance(100);
  assertEquals((await asked).reason, "shutdown");
  await stopped;
  await assertRejects(() => tree.whichChildren(), NoProcError);
});

test("Supervisor rejects unknown calls, and ignores unknown messages", async () => {
  const family = new Family();
  const tree = await family.supervise({ children: [family.child("a")] });
  const promises = [new Promise(() => {}), { then: (_: unknown, no: () => void) => no() }];
  const imitation = { type: "EXIT", reason: "shutdown" };
  const odd = [undefined, null, 3, "EXIT", imitation, ...promises];
  for (const message of [...odd, ...Object.values(unreadableValues())]) {
    family.system.send(tree.pid, message);
  }
  const call = family.system.call(tree.pid as never, { $child: "sell" }, { timeout: 100 });
  assertEquals(await family.run(call.then((reply) => reply, () => "refused")), "refused");
  assertEquals((await family.run(tree.countChildren())).active, 1);
  family.system.stop();
});

test("the event restart has the child, the reason, the number of restarts and the next step", async () => {
  const family = new Family();
  const tree = await family.supervise({
    intensity: 2,
    children: [family.child("a"), family.child("b", { restart: "temporary" })],
  });
  const first = family.pids.get("a");
  await family.end("a", CRASH);
  await family.end("a", "normal");
  await family.end("b", "normal");
  await family.run(tree.startChild(family.child("c", { restart: "temporary" })));
  await family.end("c", "kill");
  await family.end("a", "kill");
  assertEquals(
    family.received.map(({ child, reason, restarts, next }) => [child, reason, restarts, next]),
    [
      ["a", CRASH, 1, "restarts"],
      ["a", "normal", 2, "restarts"],
      ["c", "killed", 2, "none: it is temporary"],
      ["a", "killed", 2, "it ended once too often: the supervisor ends"],
    ],
  );
  assertEquals(family.received[0]!.pid, first);
  assertEquals(family.received[0]!.supervisor, tree.pid);
  // The crash event contains the supervisor that reports the restart.
  assertEquals(family.crashes.map(({ pid, supervisor }) => [pid, supervisor]), [[first, tree.pid]]);
});

test("the event restart reports a child that is killed because it does not stop in time", async () => {
  const family = new Family();
  const tree = await family.supervise({
    children: [
      family.child("stubborn", { stopping: "never", shutdown: 10 }),
      family.child("brutal", { stopping: "never", shutdown: "brutalKill" }),
      family.child("crashes", { stopping: "crashes" }),
      family.child("good"),
    ],
  });
  const stopped = tree.stop();
  await family.system.advance(100);
  await stopped;
  assertEquals(family.received.map(({ child, reason, next }) => [child, reason, next]), [
    ["crashes", CRASH, "none: it had to stop anyway"],
    ["stubborn", "killed", "none: it was killed, because it did not stop within 10 ms"],
  ]);
});

test("restartText returns one report with the reason, the crash and the next step", async () => {
  const family = new Family();
  await family.supervise({ children: [family.child("a")] });
  await family.end("a", CRASH);
  const [end, crash] = [family.received[0]!, family.crashes[0]!];
  const lines = restartText(end, crash).split("\n");
  assertEquals(lines[0], 'child "a" <0.2> of supervisor <0.1> ended: Error: boom');
  const rest = lines.filter((line) => line.startsWith("  ") && !line.trim().startsWith("at "));
  assertEquals(rest.length, 5);
  assertEquals(rest[0], "  body: obedient, registered as a");
  assertEquals(rest[1]!.startsWith("  last message: "), true);
  assertEquals(rest.slice(2), ["  ancestors: <0.1>", "  restarts: 1", "  next: restarts"]);
  assertEquals(crashText(crash).includes("boom"), true);
  assertEquals(
    restartText({ ...end, pid: undefined, reason: "killed" }),
    'child "a" of supervisor <0.1> could not be started: killed\n  restarts: 1\n  next: restarts',
  );
  family.system.stop();
});

test("treeText draws both kinds of supervisors, and shows children that do not run", async () => {
  const family = new Family();
  const pool: ChildSpec = {
    id: "pool",
    type: "supervisor",
    start: (self) => DynamicSupervisor.start(self),
  };
  const inner: ChildSpec = {
    id: "inner",
    type: "supervisor",
    start: (self) => Supervisor.start(self, { children: [family.child("b"), pool] }),
  };
  const waits = family.child("waits", { backoff: { base: 100 } });
  const tree = await family.supervise({
    children: [family.child("a"), inner, waits, family.child("stopped")],
  });
  const [, { pid }] = await family.run(tree.whichChildren()) as [unknown, { pid: Pid }];
  const below = await family.run(new Supervisor(pid).whichChildren());
  const { start } = family.child("x");
  await family.run(new DynamicSupervisor(below[1]!.pid as Pid).startChild({ start }));
  await family.end("waits", CRASH);
  await family.run(tree.terminateChild("stopped"));
  assertEquals(
    await family.run(treeText(tree)),
    [
      "<0.1> supervisor",
      "├─ a <0.2>",
      "├─ inner <0.3> supervisor",
      "│  ├─ b <0.4>",
      "│  └─ pool <0.5> supervisor",
      "│     └─ dynamic_1 <0.8>",
      "├─ waits restarting",
      "└─ stopped stopped",
    ].join("\n"),
  );
  family.system.stop();
});

test("Supervisor.start rejects when the node stops", async () => {
  const family = new Family();
  const children = [family.child("a"), { id: "b", start: never }];
  const starting = Supervisor.start(family.outside, { children });
  const refused = assertRejects(() => starting, ActorExitError);
  await family.system.settle();
  family.system.stop();
  await refused;
  assertEquals(family.system.size, 0);
});

test("Supervisor.start checks thousands of specs in portions", async () => {
  const family = new Family();
  const { system } = family;
  const node = {
    spawn: (body: never, ...args: never) => system.start(body, ...args as []),
    call: (to: never, request: unknown) => system.call(to, request),
  };
  setSystem(node, system);
  let checked = 0;
  const start = (self: Self): Pid => self.spawnLink(() => () => {}) as Pid;
  const children = Array.from({ length: 3 * CHECKED_COUNT }, (_, i) => ({
    get id() {
      checked++;
      return `${i}`;
    },
    start,
  }));
  const starting = Supervisor.start(node as never, { children });
  await Promise.resolve();
  const first = checked;
  assert(first > 0 && first <= 2 * CHECKED_COUNT, `${first} in the first turn`);
  await system.settle();
  assertEquals((await (await starting).countChildren()).active, children.length);
  const again = { id: "7", start };
  const failed = Supervisor.start(node as never, { children: [...children, again] });
  await Promise.all([
    assertRejects(() => failed, ArgumentError, 'two children are called "7"'),
    system.settle(),
  ]);
  system.stop();
});
