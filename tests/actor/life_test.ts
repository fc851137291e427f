import process from "node:process";
import { assert, assertEquals, assertThrows } from "@std/assert";
import { DEAD_USES_MAX } from "../../lib/actor/actor.ts";
import type { Call } from "../../lib/actor/call.ts";
import { describe } from "../../lib/actor/describe.ts";
import { ActorExitError } from "../../lib/actor/errors.ts";
import type { Self } from "../../lib/actor/self.ts";
import type { System } from "../../lib/actor/system.ts";
import type { Pid } from "../../lib/term/pid.ts";
import { service } from "../../lib/otp/service.ts";
import { Supervisor } from "../../lib/otp/supervisor.ts";
import { task } from "../../lib/otp/task.ts";
import { startCheaply } from "../kit/keys.ts";
import { heapBytes, untilHeapReleased } from "../kit/heap.ts";
import { ManualSystem, withSystem } from "../kit/system.ts";
import { test, until } from "../kit/test.ts";

const crash = new Error("a crash");

/** Bodies that end, and their exit reasons. */
const BODIES: readonly [string, (self: Self) => unknown, unknown][] = [
  ["returns nothing", () => {}, "normal"],
  ["returns a value that is not a handler", () => 42, "normal"],
  ["throws an Error", () => {
    throw crash;
  }, crash],
  ["throws a text", () => {
    // deno-lint-ignore no-throw-literal
    throw "a text";
  }, { thrown: "a text" }],
  ["resolves", () => Promise.resolve(1), "normal"],
  ["rejects", () => Promise.reject(crash), crash],
  ["rejects with nothing", () => Promise.reject(), { thrown: undefined }],
  ["resolves later", async () => {
    await Promise.resolve();
    await Promise.resolve();
  }, "normal"],
  ["throws later", async () => {
    await Promise.resolve();
    throw crash;
  }, crash],
  ["exits", (self) => self.exit("shutdown"), "shutdown"],
  ["exits later", async (self) => {
    await Promise.resolve();
    self.exit({ shutdown: 1 });
  }, { shutdown: 1 }],
  ["exits, catches the error and throws another", (self) => {
    assertThrows(() => self.exit("first"), ActorExitError);
    throw new Error("second");
  }, "first"],
  ["exits, catches the error and returns a handler", (self) => {
    assertThrows(() => self.exit("first"), ActorExitError);
    return () => {};
  }, "first"],
  ["exits, catches the error and rejects later", async (self) => {
    assertThrows(() => self.exit("first"), ActorExitError);
    await Promise.resolve();
    throw new Error("second");
  }, "first"],
];

for (const [how, body, reason] of BODIES) {
  test(`an actor whose body ${how} has the exit reason ${describe(reason)}`, async () => {
    const system = new ManualSystem();
    const ends: unknown[] = [];
    system.events.on("exit", (end) => void ends.push(end));
    const pid = system.start(body as (self: Self) => Promise<unknown>);
    assertEquals([system.isAlive(pid), system.size], [true, 1]);
    await system.settle();
    assertEquals([system.isAlive(pid), system.size, ends], [false, 0, [{ pid, reason }]]);
  });
}

/** What a handler does with its second message, and the exit reason. */
const HANDLERS: readonly [string, (self: Self) => unknown, unknown][] = [
  ["throws", () => {
    throw crash;
  }, crash],
  ["rejects", () => Promise.reject(crash), crash],
  ["exits", (self) => self.exit("gone"), "gone"],
  ["exits in a promise", async (self) => {
    await Promise.resolve();
    self.exit("gone");
  }, "gone"],
  ["is killed while it runs", (self) => {
    const { system } = self as unknown as { system: System };
    system.exit(self.pid, "kill");
  }, "killed"],
  ["is killed while it runs and then throws", (self) => {
    (self as unknown as { system: System }).system.exit(self.pid, "kill");
    throw crash;
  }, "killed"],
  ["is killed while it runs and then rejects", (self) => {
    (self as unknown as { system: System }).system.exit(self.pid, "kill");
    return Promise.reject(crash);
  }, "killed"],
];

for (const [how, act, reason] of HANDLERS) {
  test(`a handler that ${how} ends its actor before the next message`, async () => {
    const system = new ManualSystem();
    const ends: unknown[] = [];
    const got: unknown[] = [];
    system.events.on("exit", (end) => void ends.push(end));
    const pid = system.start((self) => (message) => {
      got.push(message);
      return message === 2 ? act(self) : undefined;
    });
    for (const message of [1, 2, 3]) system.send(pid, message);
    await system.settle();
    assertEquals([got, ends, system.size], [[1, 2], [{ pid, reason }], 0]);
    assertEquals(system.find(pid.id), undefined);
  });
}

test("a handler's promise delays the next message until it resolves", async () => {
  const system = new ManualSystem();
  const log: string[] = [];
  const release: (() => void)[] = [];
  const pid = system.start(() => async (message) => {
    log.push(`begin ${message}`);
    await new Promise<void>((done) => release.push(done));
    log.push(`end ${message}`);
  });
  for (const message of [1, 2]) system.send(pid, message);
  await system.settle();
  system.send(pid, 3);
  await system.settle();
  assertEquals(log, ["begin 1"]);
  release[0]!();
  await system.settle();
  assertEquals(log, ["begin 1", "end 1", "begin 2"]);
  release[1]!();
  await system.settle();
  release[2]!();
  await system.settle();
  system.send(pid, 4);
  await system.settle();
  assertEquals(log.slice(3), ["end 2", "begin 3", "end 3", "begin 4"]);
  // A killed actor exits while it waits; the result that it waited for is ignored.
  const self = system.find(pid.id)!;
  system.send(pid, 5);
  assertEquals([self.length, system.scheduler.waiting], [1, 0]);
  system.exit(pid, "kill");
  assertEquals(self.length, 0);
  release[3]!();
  await system.settle();
  assertEquals([log.slice(7), system.size, self.isAlive], [["end 4"], 0, false]);
});

test("a handler that calls receive takes a queued message before the next one is handled", async () => {
  const system = new ManualSystem();
  const log: unknown[] = [];
  const pid = system.start<unknown, []>((self) => async (message) => {
    log.push(message);
    if (message !== "ask") return;
    log.push(["answer", await self.receive({ match: (answer) => answer === "yes" })]);
    log.push(["next", await self.receive()]);
  });
  for (const message of ["ask", 1, 2]) system.send(pid, message);
  await system.settle();
  assertEquals(log, ["ask"]);
  system.send(pid, "yes");
  await system.settle();
  assertEquals(log.slice(1), [["answer", "yes"], ["next", 1], 2]);
  system.stop();
});

test("spawn returns a pid at once, and runs the body one turn later", async () => {
  const system = new ManualSystem();
  const log: string[] = [];
  const pid = system.start((self, name: string) => {
    log.push(name);
    const child = self.spawn(() => void log.push("child"));
    assertEquals(self.pid, pid);
    log.push(`${child}`);
  }, "an argument");
  log.push(`${pid}`);
  await system.settle();
  assertEquals(log, ["<0.1>", "an argument", "<0.2>", "child"]);
});

test("an actor that is killed before its first turn does not run", async () => {
  const system = new ManualSystem();
  let ran = false;
  const pid = system.start(() => void (ran = true));
  system.send(pid, "unread");
  system.exit(pid, "kill");
  assertEquals([system.size, system.isAlive(pid)], [0, false]);
  await system.settle();
  assertEquals(ran, false);
});

test("spawnLink and spawnMonitor link or monitor a child that exits in its first turn", async () => {
  const system = new ManualSystem();
  const parent = system.puppet({ trap: true });
  const linked = parent.self.spawnLink(() => {});
  const [watched, ref] = parent.self.spawnMonitor(() => {
    throw crash;
  });
  await system.settle();
  const [exit, down] = parent.got as [{ from: Pid }, { pid: Pid; ref: unknown }];
  assertEquals([exit.from, down.pid, down.ref], [linked, watched, ref]);
  assertEquals([parent.self.links?.size, parent.self.monitors?.size], [0, 0]);
  system.stop();
});

test("a chain of 100,000 linked actors, each spawned by the one before, ends without deep recursion", async () => {
  const system = new ManualSystem();
  let depth = 0;
  let last: Self | undefined;
  const body = (self: Self, left: number) => {
    depth++;
    last = self;
    if (left > 0) self.spawnLink(body, left - 1);
    return () => {};
  };
  const first = system.start(body, 100_000);
  await system.settle();
  assertEquals([depth, system.size], [100_001, 100_001]);
  assertEquals((last as unknown as { ancestors: unknown[] }).ancestors.length, 8);
  system.exit(first, "over");
  system.signals.flush();
  assertEquals(system.size, 0);
});

test("self throws ActorExitError from synchronous methods after its actor has exited", async () => {
  const system = new ManualSystem();
  const other = system.puppet();
  const { self, pid } = system.puppet();
  const ref = self.monitor(other.pid);
  const timer = self.sendAfter(other.pid, 1, 1);
  self.cancelTimer(timer);
  await system.settle();
  system.exit(pid, "over");
  const uses: (() => unknown)[] = [
    () => self.send(other.pid, 1),
    () => self.link(other.pid as Pid),
    () => self.unlink(other.pid as Pid),
    () => self.monitor(other.pid as Pid),
    () => self.demonitor(ref),
    () => self.exit("again"),
    () => self.exit(other.pid as Pid, "again"),
    () => self.register("name"),
    () => self.unregister("name"),
    () => self.whereis("name"),
    () => self.sendAfter(other.pid, 1, 1),
    () => self.sendInterval(other.pid, 1, 1),
    () => self.cancelTimer(timer),
    () => self.spawn(() => {}),
    () => self.spawnLink(() => {}),
    () => self.spawnMonitor(() => {}),
    () => self.trapExit = true,
  ];
  for (const use of uses) {
    const error = assertThrows(use, ActorExitError, `${pid} has ended: over`);
    assertEquals([error.code, error.reason], ["exit", "over"], String(use));
  }
  await system.settle();
  assertEquals([other.got, system.size, system.names.registered()], [[], 1, []]);
  assertEquals([self.pid, self.signal.aborted, self.signal.reason], [pid, true, "over"]);
  system.stop();
});

test("self of an exited actor ignores method calls, except exit, after DEAD_USES_MAX errors", async () => {
  const system = new ManualSystem();
  const other = system.puppet();
  const { self, pid } = system.puppet();
  system.exit(pid, "over");
  for (let i = 0; i < DEAD_USES_MAX; i++) {
    assertThrows(() => self.send(other.pid, 1), ActorExitError);
  }
  self.send(other.pid, 1);
  self.link(other.pid as Pid);
  self.unlink(other.pid as Pid);
  self.register("name");
  self.trapExit = true;
  self.monitorNode("nobody@127.0.0.1:1");
  self.exit(other.pid as Pid, "kill");
  const ref = self.monitor(other.pid as Pid);
  const timer = self.sendAfter(other.pid, 1, 1);
  assertEquals([self.demonitor(ref), self.cancelTimer(timer)], [false, false]);
  assertEquals([self.whereis("name"), self.unregister("name")], [undefined, false]);
  assertEquals(self.demonitorNode("nobody@127.0.0.1:1"), false);
  const spawned = [self.spawn(() => {}), self.spawnLink(() => {}), self.spawnMonitor(() => {})[0]];
  assertEquals(spawned.map((each) => system.isAlive(each)), [false, false, false]);
  // `exit` throws on an exited actor too, to stop the code that follows the call.
  assertThrows(() => self.exit("again"), ActorExitError);
  await system.advance(10);
  assertEquals([other.got, system.size, system.names.registered()], [[], 1, []]);
  system.stop();
});

/** Operations that wait, and therefore never settle on the `self` of an exited actor. */
const WAITS: readonly [string, (self: Self, to: Pid<Call<number, number>>) => Promise<unknown>][] =
  [
    ["receive", (self) => self.receive()],
    ["receive with a timeout", (self) => self.receive({ timeout: 1, match: () => true })],
    ["for await", (self) => self[Symbol.asyncIterator]().next()],
    ["call", (self, to) => self.call(to, 1)],
    ["spawn", (self) => self.spawn({ node: "b@127.0.0.1:1", fn: "f" })],
    ["spawnLink", (self) => self.spawnLink({ node: "b@127.0.0.1:1", fn: "f" })],
    ["spawnMonitor", (self) => self.spawnMonitor({ node: "b@127.0.0.1:1", fn: "f" })],
    ["task.map", (self) => task.map(self, [1], (n) => n)],
    ["service.start", (self) => service<{ state: number }>({ init: () => 0 }).start(self)],
    ["Supervisor.start", (self) => Supervisor.start(self, { children: [] })],
  ];

for (const [what, wait] of WAITS) {
  test(`${what} stays pending on the self of an exited actor`, async () => {
    const system = new ManualSystem();
    const other = system.puppet();
    const { self, pid } = system.puppet();
    system.exit(pid, "over");
    let settled = false;
    const settle = (): void => void (settled = true);
    wait(self as Self, other.pid as Pid<Call<number, number>>).then(settle, settle);
    await system.advance(10);
    assertEquals([settled, other.got, system.size], [false, [], 1]);
    system.stop();
  });
}

test("task.await of an exited actor's task stays pending after DEAD_USES_MAX rejections", async () => {
  const system = new ManualSystem();
  const { self, pid } = system.puppet();
  const waits = task.async(self as Self, () => new Promise(() => {}));
  await system.settle();
  system.exit(pid, "over");
  let rejected = 0;
  for (let i = 0; i <= DEAD_USES_MAX; i++) task.await(waits).catch(() => rejected++);
  await system.advance(10);
  assertEquals(rejected, DEAD_USES_MAX);
  system.stop();
});

/** Loops that catch every error of an operation that waits. */
const LOOPS: readonly [string, (self: Self) => unknown][] = [
  ["receive", (self) => self.receive()],
  ["a send, and receive", (self) => {
    self.send(self.pid, 1);
    return self.receive({ match: (message) => message === 2 });
  }],
  ["for await", async (self) => {
    for await (const _ of self);
  }],
  ["a call", (self) => self.call("nobody", 1)],
  ["a call of an actor that answers nothing", (self) => self.call("mute", 1, { timeout: 1 })],
  ["a spawn on another node", (self) => self.spawn({ node: "b@127.0.0.1:1", fn: "f" })],
  ["a task", (self) => task.await(task.async(self, () => self.receive()))],
  ["task.map", (self) => task.map(self, [1], () => Promise.reject(new Error("no")))],
  ["the start of a service", (self) =>
    service<{ state: number }>({
      init() {
        throw new Error("no");
      },
    }).start(self)],
  ["a call of a service by its name", (self) => {
    const counter = service<{ state: number; call: { get(): number } }>({
      init: () => 0,
      call: { get: (n) => [n, n] },
    });
    return counter.call(counter.at(self, "nobody")).get();
  }],
];

for (const [what, wait] of LOOPS) {
  test(`Node.stop is not delayed by actors that catch every error of ${what}`, async () => {
    const node = await startCheaply({ cookie: "only for this test", logLevel: "silent" });
    node.spawnWith({ name: "mute" }, () => () => {});
    let rounds = 0;
    const loop = async (self: Self): Promise<void> => {
      for (;;) {
        rounds++;
        try {
          await wait(self);
        } catch {
          // The error is ignored on purpose.
        }
      }
    };
    const killed = node.spawn(loop);
    await until("the loop runs", () => rounds > 0);
    node.exit(killed, "kill");
    // The pending wait rejects once and `self` throws `DEAD_USES_MAX` times; then the loop waits.
    const before = rounds;
    await new Promise((turn) => setTimeout(turn, 5));
    assert(rounds <= before + DEAD_USES_MAX + 1);
    const begun = rounds;
    node.spawn(loop);
    await until("the second loop runs", () => rounds > begun);
    await node.stop();
    const after = rounds;
    await new Promise((turn) => setTimeout(turn, 5));
    assert(rounds <= after + DEAD_USES_MAX + 1);
  });
}

test("self.signal is aborted after the rest of the actor's cleanup when the actor exits", async () => {
  const system = new ManualSystem();
  const other = system.puppet({ trap: true });
  const { self, pid, got } = system.puppet({ name: "it" });
  self.link(other.pid as Pid);
  const seen: unknown[] = [];
  self.signal.addEventListener("abort", () => {
    system.send(pid, "to a dead one");
    seen.push(self.signal.reason, system.isAlive(pid), system.names.registered(), self.length);
    seen.push(other.self.links?.size);
  });
  assertEquals(self.signal.aborted, false);
  system.exit(pid, "over");
  assertEquals(seen, ["over", false, [], 0, 0]);
  await system.settle();
  assertEquals([got, other.got.length], [[], 1]);
  system.stop();
});

test("an actor that is killed during an await exits at once", async () => {
  const system = new ManualSystem();
  let go = (): void => {};
  const after: unknown[] = [];
  const pid = system.start(async (self) => {
    await new Promise<void>((done) => go = done);
    after.push("runs on");
    self.send(self.pid, "but does nothing");
    after.push("never");
  });
  await system.settle();
  system.exit(pid, "kill");
  assertEquals([system.isAlive(pid), system.size], [false, 0]);
  go();
  await system.settle();
  assertEquals(after, ["runs on"]);
});

test("a message that is sent to an exited actor is a dead letter", async () => {
  const system = new ManualSystem();
  const letters: unknown[] = [];
  const { pid } = system.puppet();
  system.send(pid, "held");
  const stop = system.events.on("deadletter", (letter) => void letters.push(letter));
  system.exit(pid, "kill");
  system.send(pid, "late");
  assertEquals(letters, [{ to: pid, message: "late" }]);
  stop();
  system.send(pid, "nobody listens");
  await system.settle();
  assertEquals(letters.length, 1);
});

test("whenEnded resolves to the exit reason of an actor", async () => {
  const system = new ManualSystem();
  const { pid, self } = system.puppet();
  const ends: unknown[] = [];
  for (let i = 0; i < 2; i++) system.whenEnded(pid).then((reason) => ends.push(reason));
  await system.settle();
  assertEquals(ends, []);
  system.exit(pid, "over");
  system.whenEnded(pid).then((reason) => ends.push(reason));
  await system.settle();
  assertEquals([ends.toSorted(), self.chain], [["noproc", "over", "over"], undefined]);
});

test("ownedBy ends the owned actor when its owner exits", async () => {
  const system = new ManualSystem();
  const [owner, kept, lost] = [system.puppet(), system.puppet({ trap: true }), system.puppet()];
  system.ownedBy(owner.pid, kept.pid);
  system.ownedBy(owner.pid, lost.pid);
  system.exit(lost.pid, "over");
  await system.settle();
  assertEquals(system.pids(), [owner.pid, kept.pid]);
  system.exit(owner.pid, "over");
  assertEquals(system.size, 0);
  await system.settle();
  assertEquals([owner.self.chain, kept.self.chain, kept.got], [undefined, undefined, []]);
  const orphan = system.puppet();
  system.ownedBy(owner.pid, orphan.pid);
  assertEquals(system.size, 0);
});

test("System.stop ends every actor, and an actor that is spawned later does not start", async () => {
  const system = new ManualSystem();
  const reasons: unknown[] = [];
  system.events.on("exit", ({ reason }) => {
    reasons.push(reason);
    system.start(() => {});
  });
  const { pid } = system.puppet();
  system.start(async (self) => {
    await self.receive({ timeout: 1000 });
  });
  await system.settle();
  system.sendInterval(pid, 1, 10);
  system.stop();
  const late = system.start(() => {});
  assertEquals([system.size, reasons, system.isAlive(late)], [0, ["shutdown", "shutdown"], false]);
  assertEquals([system.wheel.size, system.clock.armed], [0, 0]);
  await system.settle();
  assertEquals(system.scheduler.waiting, 0);
});

test("Node.stop ends all actors, names, calls and timers of the node", async () => {
  const node = await startCheaply({ cookie: "only for this test", logLevel: "silent" });
  const reasons: unknown[] = [];
  node.on("exit", ({ reason }) => void reasons.push(reason));
  const pids = [
    node.spawn(async (self) => {
      for await (const _ of self);
    }),
    node.spawn(async (self) => {
      await self.receive({ timeout: 3_600_000 });
    }),
    node.spawn(() => () => {}),
    node.spawnWith({ name: "it" }, () => new Promise(() => {})),
  ];
  const waiting = node.call(pids[2] as Pid<Call<string, string>>, "?").catch((error) => error.code);
  node.sendInterval(pids[0]!, "tick", 1);
  await until("all actors run", () => node.actors().length === 4);
  await node.stop();
  assertEquals([node.actors(), node.registered(), reasons.length], [[], [], 4]);
  assertEquals(await waiting, "exit");
});

/**
 * Functions that spawn actors of different kinds, which are used in turn. Together, the actors use
 * everything that an exit must clean up.
 */
const KINDS: ((system: System, i: number, last: Pid | undefined) => Pid)[] = [
  (system) => system.spawn(undefined, undefined, () => () => {}, []),
  (system) => system.spawn(undefined, undefined, (self) => self.receive(), []),
  (system) => system.spawn(undefined, undefined, (self) => self.receive({ timeout: 60_000 }), []),
  (system) => system.spawn(undefined, undefined, () => {}, []),
  (system) =>
    system.spawn(undefined, undefined, () => {
      throw new Error("over");
    }, []),
  (system, i) => system.spawn(undefined, { name: `n${i}` }, () => () => {}, []),
  (system, _, last) =>
    system.spawn(undefined, undefined, (self) => {
      self.trapExit = true;
      self.link(last!);
      return () => {};
    }, []),
  (system, _, last) =>
    system.spawn(undefined, undefined, (self) => {
      self.monitor(last!);
      return self.receive();
    }, []),
  (system) => {
    const pid = system.spawn(undefined, undefined, () => () => {}, []);
    system.sendAfter<unknown>(pid, "late", 60_000);
    system.sendInterval<unknown>(pid, "often", 50_000);
    return pid;
  },
  (system) => {
    const pid = system.spawn(undefined, undefined, () => () => {}, []);
    system.call(pid as Pid<unknown>, "?").catch(() => {});
    return pid;
  },
  (system, i) => {
    const pid = system.spawn(undefined, undefined, (self) => self.receive(), []);
    if (i % 100 === 0) system.find(pid.id)!.signal.addEventListener("abort", () => {});
    for (let n = 0; n < 3; n++) system.send(pid as Pid<unknown>, n);
    return pid;
  },
];

/** Rounds of 50,000 actors each; `FIRN_LONG=1` runs a million actors in all. */
const ROUNDS = process.env["FIRN_LONG"] === "1" ? 20 : 4;

test("a System that has spawned and ended thousands of actors releases their memory", async () => {
  await withSystem(async (system) => {
    const round = async (count: number): Promise<void> => {
      const pids: Pid[] = [];
      for (let i = 0; i < count; i++) {
        pids.push(KINDS[i % KINDS.length]!(system, i, pids.at(-1)));
      }
      await until("all actors have had a turn", () => system.scheduler.waiting === 0);
      assert(system.size > count / 2, `${system.size} of ${count} live`);
      for (const [i, pid] of pids.entries()) system.exit(pid, i % 3 === 0 ? "kill" : "over");
      // Kills the actors that trap exits. They are still alive, because they have received the exit
      // signal as a message.
      for (const pid of system.pids()) system.exit(pid, "kill");
      await until("all exits have been handled", () => system.scheduler.waiting === 0);
      const { size, wheel, names } = system;
      assertEquals([size, wheel.size, names.registered().length], [0, 0, 0]);
    };
    // Runs one round before memory is measured: compiled code and queues then have their final
    // size, which does not depend on the number of actors.
    await round(50_000);
    const before = heapBytes();
    for (let i = 0; i < ROUNDS; i++) await round(50_000);
    // The limit is a few bytes per actor, less than any object would take.
    await untilHeapReleased(before, Math.max(4_000_000, 400_000 * ROUNDS));
  });
});
