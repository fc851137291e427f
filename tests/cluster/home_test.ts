/**
 * Tests the homes of keys in the simulator: actors start on demand, move with their state, and lose
 * no calls during a move. `tests/sim/promises/homes.ts` tests homes under faults.
 */
import { assert, assertEquals, assertRejects, assertThrows } from "@std/assert";
import { Call } from "../../lib/actor/call.ts";
import { ArgumentError, CallExitError, NameError, NoProcError } from "../../lib/actor/errors.ts";
import type { Self } from "../../lib/actor/self.ts";
import type { HomeKind, HomeOptions } from "../../lib/cluster/home.ts";
import { PORTION_COUNT, SETTLED_COUNT } from "../../lib/cluster/home_actor.ts";
import { ContinueWork } from "../../lib/cluster/resident.ts";
import { simulate, type Simulation } from "../../lib/simulate.ts";
import type { Pid } from "../../lib/term/pid.ts";
import type { Parts } from "../../lib/start.ts";
import { test } from "../kit/test.ts";

const KIND = "counter";

function partsOf(sim: Simulation, short: string): Parts {
  return (sim as Simulation & { partsOf(short: string): Parts }).partsOf(short);
}

/** Counts its calls. `"where"` returns its node; `"crash"` crashes it. */
function counter(self: Self<unknown>, first: number) {
  let count = first;
  return (message: unknown) => {
    if (message === "crash") throw new Error("crash requested");
    if (!(message instanceof Call)) return void count++;
    if (message.request === "where") return message.reply(self.pid.node.slice(0, 1));
    if (message.request === "hang") return;
    message.reply(message.request === "get" ? count : ++count);
  };
}

function offer(sim: Simulation, short: string, options: Partial<HomeOptions> = {}): HomeKind {
  const { homes, system } = partsOf(sim, short);
  return homes.offer(KIND, {
    start: (self, _key, { state }) => self.spawnLink(counter, state as number ?? 0),
    handover: (pid) => system.call(pid as Pid<never> as Pid<Call>, "get"),
    ...options,
  });
}

/** Starts nodes that offer the kind, and waits until each knows that the others offer the kind. */
async function offered(
  sim: Simulation,
  shorts: readonly string[],
  options: Partial<HomeOptions> = {},
): Promise<HomeKind[]> {
  const homes: HomeKind[] = [];
  for (const short of shorts) {
    await sim.start(short, { seeds: shorts.slice(0, 1) });
    homes.push(offer(sim, short, options));
  }
  await untilKnown(sim, homes);
  return homes;
}

function untilKnown(sim: Simulation, homes: readonly HomeKind[]): Promise<void> {
  return sim.until(
    "all nodes know each other",
    () => homes.every((home) => home.nodes().length === homes.length),
  );
}

const KEYS = Array.from({ length: 30 }, (_, i) => `k${i}`);

test("HomeKind.call from any node starts the key's actor once, on the key's home node", async () => {
  await simulate({ seed: 1 }, async (sim) => {
    const homes = await offered(sim, ["a", "b", "c"]);
    for (const key of KEYS) {
      const counts = await Promise.all(homes.map((home) => home.call(key, "add")));
      assertEquals(counts.sort(), [1, 2, 3]);
      assertEquals(new Set(homes.map((home) => home.nodeOf(key))).size, 1);
      assertEquals(await homes[0]!.call(key, "where"), homes[0]!.nodeOf(key)!.slice(0, 1));
    }
    assertEquals(homes.reduce((sum, home) => sum + home.counts().started, 0), KEYS.length);
    assert(homes.every((home) => home.keys().length > 3));
  });
});

test("HomeKind.call starts one actor per key while several nodes begin to offer the kind", async () => {
  for (let seed = 1; seed <= 10; seed++) {
    await simulate({ seed }, async (sim) => {
      const shorts = ["a", "b", "c"];
      for (const short of shorts) await sim.start(short, { seeds: ["a"] });
      for (const [from, to] of [["a", "b"], ["a", "c"], ["b", "c"]] as const) {
        sim.link(from, to, { delay: sim.random.below(40), jitter: 20 });
      }
      await sim.until(
        "all nodes are connected",
        () => shorts.every((short) => sim.node(short)!.peers().length === 2),
      );
      const homes: HomeKind[] = [];
      for (const short of shorts) {
        homes.push(offer(sim, short));
        await sim.run(sim.random.below(30));
      }
      const counts = await Promise.all(
        KEYS.map((key) => Promise.all(homes.map((home) => home.call<number>(key, "add")))),
      );
      // Each key has one actor, which has counted the calls from all three nodes.
      for (const of of counts) assertEquals(of.sort(), [1, 2, 3]);
    });
  }
});

test("Home: a node that joins takes over its share of the keys with their state, and no call is lost", async () => {
  for (let seed = 1; seed <= 5; seed++) {
    await simulate({ seed }, async (sim) => {
      const homes = await offered(sim, ["a", "b"]);
      const moved: string[] = [];
      sim.node("a")!.on("moved", ({ key }) => moved.push(key));
      let calls = 0;
      const work = async (home: HomeKind): Promise<void> => {
        for (let i = 0; i < 100; i++) {
          await home.call(sim.random.next() < 0.5 ? "k1" : "k2", "add");
          calls++;
          await sim.run(sim.random.below(5));
        }
      };
      for (const key of KEYS) await homes[0]!.call(key, "add");
      const working = homes.map(work);
      await sim.start("c", { seeds: ["a"] });
      homes.push(offer(sim, "c"));
      await Promise.all(working);
      await sim.until("keys have moved to c", () => homes[2]!.counts().movedIn > 5);
      await sim.run(2_000);
      let sum = 0;
      for (const key of KEYS) {
        sum += await homes[1]!.call<number>(key, "get");
        assertEquals(await homes[0]!.call(key, "where"), homes[0]!.nodeOf(key)!.slice(0, 1));
      }
      assertEquals(sum, calls + KEYS.length);
      assert(moved.length > 0);
      assert(moved.every((key) => homes[0]!.nodeOf(key)!.startsWith("c")));
    });
  }
});

test("Home: thousands of keys are listed, moved and stopped in portions", async () => {
  await simulate({ seed: 1 }, async (sim) => {
    const options = { movesPerSecond: 1_000_000, passivateAfter: 10_000 };
    const [a] = await offered(sim, ["a"], options) as [HomeKind];
    const keys = Array.from({ length: 2 * PORTION_COUNT + 500 }, (_, i) => `k${i}`);
    await Promise.all(keys.map((key) => a.call(key, "add")));
    const { system } = partsOf(sim, "a");
    let portions = 0;
    const { send } = system;
    system.send = (to, message) => {
      if (message instanceof ContinueWork) portions++;
      send.call(system, to as never, message as never);
    };
    await sim.start("b", { seeds: ["a"] });
    const b = offer(sim, "b", options);
    await untilKnown(sim, [a, b]);
    const counts = await Promise.all(keys.map((key) => b.call<number>(key, "add")));
    assertEquals(counts.every((count) => count === 2), true);
    assertEquals(portions, 2);
    assert(b.counts().movedIn > 1_000, `${b.counts().movedIn} have moved`);
    await sim.until("all moves are confirmed", () => a.counts().movedOut === b.counts().movedIn);
    assertEquals([...a.keys(), ...b.keys()].sort(), keys.toSorted());
    await sim.until("all are stopped", () => a.keys().length + b.keys().length === 0);
    assert(portions > 2, "the keys are checked in portions");
    assertEquals(a.counts().passivated + b.counts().passivated, keys.length);
  });
});

test("Home: thousands of keys that wait for another node are started in portions", async () => {
  await simulate({ seed: 1 }, async (sim) => {
    await sim.start("a");
    await sim.start("b", { seeds: ["a"] });
    await sim.until("a is connected with b", () => partsOf(sim, "a").mesh.peers().length === 1);
    let started = 0;
    const a = offer(sim, "a", {
      start: (self) => {
        started++;
        return self.spawnLink(counter, 0);
      },
    });
    const { system } = partsOf(sim, "a");
    const portions: number[] = [];
    const { send } = system;
    system.send = (to, message) => {
      if (message instanceof ContinueWork) portions.push(started);
      send.call(system, to as never, message as never);
    };
    const keys = Array.from({ length: 3 * SETTLED_COUNT + 5 }, (_, i) => `k${i}`);
    const counts = await Promise.all(keys.map((key) => a.call<number>(key, "add")));
    assertEquals(counts.every((count) => count === 1), true);
    assertEquals(portions, [1, 2, 3].map((count) => count * SETTLED_COUNT));
    assertEquals(started, keys.length);
  });
});

test("Home: a key that is called moves at once, and other keys at the rate of movesPerSecond", async () => {
  await simulate({ seed: 1 }, async (sim) => {
    const homes = await offered(sim, ["a"], { movesPerSecond: 2 });
    const keys = Array.from({ length: 100 }, (_, i) => `k${i}`);
    for (const key of keys) await homes[0]!.call(key, "add");
    await sim.start("b", { seeds: ["a"] });
    homes.push(offer(sim, "b"));
    await untilKnown(sim, homes);
    await sim.run(10_000);
    const moved = homes[1]!.counts().movedIn;
    assert(moved >= 15 && moved <= 22, `${moved} in 10 s`);
    const waiting = keys.filter((key) =>
      homes[0]!.nodeOf(key)!.startsWith("b") && homes[0]!.keys().includes(key)
    );
    assert(waiting.length > 5);
    const began = sim.now;
    for (const key of waiting) assertEquals(await homes[1]!.call(key, "add"), 2);
    assert(sim.now - began < 1_000);
  });
});

test("Home: a node that leaves hands its keys over without losing a call", async () => {
  for (let seed = 1; seed <= 5; seed++) {
    await simulate({ seed }, async (sim) => {
      const homes = await offered(sim, ["a", "b", "c"]);
      for (const key of KEYS) await homes[0]!.call(key, "add");
      let calls = 0;
      const work = async (home: HomeKind): Promise<void> => {
        for (let i = 0; i < 60; i++) {
          await home.call(KEYS[sim.random.below(KEYS.length)]!, "add");
          calls++;
        }
      };
      const working = [work(homes[0]!), work(homes[1]!)];
      await sim.run(sim.random.below(20));
      await sim.leave("c");
      await Promise.all(working);
      let sum = 0;
      for (const key of KEYS) sum += await homes[0]!.call<number>(key, "get");
      assertEquals(sum, calls + KEYS.length);
      assertEquals(homes[0]!.nodes().length, 2);
    });
  }
});

test("Home: the keys of a lost node are started on other nodes by the next call", async () => {
  await simulate({ seed: 1 }, async (sim) => {
    const [a, , c] = await offered(sim, ["a", "b", "c"]);
    const key = KEYS.find((key) => a!.nodeOf(key)!.startsWith("c"))!;
    assertEquals(await a!.call(key, "add"), 1);
    assertEquals(c!.keys(), [key]);
    sim.kill("c");
    await sim.until("a has lost c", () => a!.nodes().length === 2);
    assertEquals(await a!.call(key, "add"), 1);
  });
});

test("HomeKind.call from a node without keys rejects if no node offers the kind", async () => {
  await simulate({ seed: 1 }, async (sim) => {
    await sim.start("x");
    const caller = partsOf(sim, "x").homes.use(KIND);
    const error = await assertRejects(() => caller.call("k1", "add"), NoProcError);
    assert(error.message.includes("no node offers the kind"));
    await sim.start("a", { seeds: ["x"] });
    offer(sim, "a");
    await sim.until("x has found a", () => caller.nodes().length === 1);
    assertEquals(await caller.call("k1", "add"), 1);
    assertEquals(await caller.call("k1", "where"), "a");
    caller.cast("k1", "one more");
    assertEquals(await caller.call("k1", "get"), 2);
  });
});

test("Home: an actor is stopped after passivateAfter without a call, and started again by the next call", async () => {
  await simulate({ seed: 1 }, async (sim) => {
    const [a] = await offered(sim, ["a"], { passivateAfter: 10_000 });
    await a!.call("k1", "add");
    for (let i = 0; i < 10; i++) {
      await sim.run(5_000);
      await a!.call("k2", "add");
    }
    assertEquals(a!.keys(), ["k2"]);
    assertEquals(a!.counts().passivated, 1);
    assertEquals(await a!.call("k1", "add"), 1);
  });
});

test("Home: a crashed actor is restarted until its restart limit, and its waiting calls reject", async () => {
  await simulate({ seed: 1 }, async (sim) => {
    const [a] = await offered(sim, ["a"], { restart: true });
    const givenUp: unknown[] = [];
    sim.node("a")!.on("keygivenup", (event) => givenUp.push(event.key));
    const hanging = assertRejects(() => a!.call("k1", "hang"), CallExitError);
    a!.cast("k1", "crash");
    await hanging;
    await sim.until("the actor has been restarted", () => a!.counts().started === 2);
    for (let i = 0; i < 3; i++) {
      assertEquals(givenUp, []);
      a!.cast("k1", "crash");
      await sim.run(10);
    }
    assertEquals(givenUp, ["k1"]);
    assertEquals(a!.keys(), []);
    assertEquals(await a!.call("k1", "add"), 1);
  });
});

test("Home: a failed start rejects the waiting calls with its error", async () => {
  await simulate({ seed: 1 }, async (sim) => {
    const [a, b] = await offered(sim, ["a", "b"], {
      start: () => Promise.reject(new RangeError("no room")),
    });
    for (const key of ["k1", "k2", "k3"]) {
      const error = await assertRejects(() => a!.call(key, "add"), Error);
      assertEquals(error.message, "no room");
    }
    assertEquals([a!.keys(), b!.keys()], [[], []]);
  });
});

test("Home: with a quorum, a partition's smaller side stops its keys before the other side starts them", async () => {
  await simulate({ seed: 3 }, async (sim) => {
    const homes = await offered(sim, ["a", "b", "c"], { quorum: 2 });
    const [a, b] = homes;
    const key = KEYS.find((key) => a!.nodeOf(key)!.startsWith("a"))!;
    assertEquals(await b!.call(key, "add"), 1);
    sim.partition(["a"], ["b", "c"]);
    await sim.until("a has stopped the key", () => a!.keys().length === 0);
    assertEquals(b!.keys(), []);
    await assertRejects(() => a!.call(key, "add"), Error, "quorum");
    await sim.until("b has lost a", () => b!.nodes().length === 2);
    let answer: unknown;
    b!.call(key, "add", { timeout: 60_000 }).then((value) => answer = value);
    await sim.until("the other side has answered", () => answer === 1);
    sim.heal();
    await untilKnown(sim, homes);
    assertEquals(await b!.call(key, "add"), 2);
  });
});

test("Homes rejects invalid options and a second instance of the same kind", async () => {
  await simulate({ seed: 1 }, async (sim) => {
    const [a] = await offered(sim, ["a"]);
    const { homes } = partsOf(sim, "a");
    assertThrows(() => offer(sim, "a"), NameError, "already");
    for (
      const bad of [{ weight: 0 }, { weight: 1.5 }, { movesPerSecond: 0 }, { passivateAfter: 0 }]
    ) {
      assertThrows(
        () => homes.offer("other", { start: () => partsOf(sim, "a").system.deadPid(), ...bad }),
        ArgumentError,
      );
    }
    await assertRejects(() => a!.call("", "add"), ArgumentError);
    await assertRejects(() => a!.call("x".repeat(256), "add"), ArgumentError);
  });
});
