/**
 * Tests the simulator: the same seed produces the same history, faults have the documented effects,
 * and code that bypasses the simulator is detected.
 */
import { assert, assertEquals, assertRejects } from "@std/assert";
import { simulate, SimulationError } from "../../lib/simulate.ts";
import { test } from "../kit/test.ts";
import { shortHistory, three } from "./short_history.ts";

test("simulate produces the same events for the same seed", async () => {
  const [one, again, other] = [await shortHistory(3), await shortHistory(3), await shortHistory(4)];
  assertEquals([again.hash, again.steps, again.ms], [one.hash, one.steps, one.ms]);
  assert(other.hash !== one.hash);
});

test("simulate: a crash is detected at the ping timeout, and a kill at once", async () => {
  await simulate({ seed: 1 }, async (sim) => {
    const [, b, c] = await three(sim);
    let began = sim.now;
    sim.kill("a");
    await sim.until("seen", () => b.peers().length === 1 && c.peers().length === 1);
    assert(sim.now - began < 10);
    await sim.restart("a");
    await sim.until("back", () => b.peers().length === 2 && c.peers().length === 2);
    began = sim.now;
    sim.crash("a");
    await sim.until("seen", () => b.peers().length === 1 && c.peers().length === 1);
    assert(sim.now - began > 10_000, `${sim.now - began}`);
    const downs: string[] = [];
    b.on("nodedown", ({ reason }) => void downs.push(reason));
    sim.pause("c");
    await sim.run(5_000);
    sim.resume("c");
    await sim.run(5_000);
    assertEquals(downs, []);
    sim.pause("c");
    await sim.run(20_000);
    assertEquals(downs, ["timeout"]);
    sim.resume("c");
    await sim.until("back", () => b.peers().length === 1);
  });
});

test("simulate delivers traffic that a partition held back after the partition heals", async () => {
  await simulate({ seed: 2 }, async (sim) => {
    const [a, b] = await three(sim);
    const got: unknown[] = [];
    b.spawnWith({ name: "sink" }, () => (message: unknown) => void got.push(message));
    sim.partition(["a"], ["b"]);
    a.send({ name: "sink", node: b.name }, "held");
    await sim.run(3_000);
    assertEquals(got, []);
    sim.heal();
    await sim.until("the message has arrived", () => got.length === 1);
    sim.partition(["a"], ["b"], { oneWay: true });
    await sim.until(
      "both sides have ended the session",
      () => a.peers().length === 1 && b.peers().length === 1,
    );
    sim.heal();
    await sim.until(
      "the nodes are connected again",
      () => a.peers().length === 2 && b.peers().length === 2,
    );
    sim.cut("a", "b");
    await sim.until("the loss is detected", () => a.peers().length === 1);
    await sim.until(
      "the nodes are connected again",
      () => a.peers().length === 2 && b.peers().length === 2,
    );
  });
});

test("simulate skips idle periods, so that an hour of five idle nodes takes an instant", async () => {
  const began = performance.now();
  const { ms } = await simulate({ limit: 4_000_000 }, async (sim) => {
    for (const name of ["a", "b", "c", "d", "e"]) await sim.start(name, { seeds: ["a"] });
    await sim.run(3_600_000);
  });
  const factor = ms / (performance.now() - began);
  assert(factor > 100, `${Math.round(factor)} times faster than real`);
});

test("simulate reports a use of the real clock or of randomness with its location", async () => {
  const real = { random: Math.random, setTimeout: globalThis.setTimeout, Date: globalThis.Date };
  for (const reach of [() => Math.random(), () => Date.now(), () => new Date()]) {
    const error = await assertRejects(
      () => simulate({}, () => Promise.resolve(void reach())),
      SimulationError,
    ) as SimulationError;
    assert(/is not simulated: use (node|self|new Date)/.test(error.message), error.message);
    assert(error.message.includes("simulate_test.ts"), error.message);
  }
  assertEquals({ ...real }, {
    random: Math.random,
    setTimeout: globalThis.setTimeout,
    Date: globalThis.Date,
  });
  const { value } = await simulate({ guard: false }, () => Promise.resolve(Math.random() < 1));
  assert(value);
});

test("simulate stops at the first use of the real clock, and names the replacement", async () => {
  let later = 0;
  const error = await assertRejects(
    () =>
      simulate({}, async (sim) => {
        const node = await sim.start("a");
        node.spawn(async (self) => {
          await self.sleep(100);
          crypto.randomUUID();
          await self.sleep(100);
          later++;
        });
        await sim.run(10_000);
      }),
    SimulationError,
    "crypto.randomUUID is not simulated: use node.uuid()",
  ) as SimulationError;
  assert(error.message.includes("at 100.") || error.message.includes("at 10"), error.message);
  assertEquals(later, 0);
});

test("Node.now, Node.random and Node.uuid return the same values for the same seed in the simulator", async () => {
  const run = (seed: number) =>
    simulate({ seed }, async (sim) => {
      const node = await sim.start("a");
      const began = node.now();
      await sim.run(1_500);
      const seen = [node.uuid(), node.random.next(), ...node.random.bytes(2)];
      return { ms: node.now() - began, seen };
    });
  const [one, again, other] = [await run(1), await run(1), await run(2)];
  assertEquals(one.value, again.value);
  assert(one.value.seen[0] !== other.value.seen[0]);
  assertEquals(Math.round(one.value.ms), 1_500);
  assert(
    /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/.test(
      `${one.value.seen[0]}`,
    ),
  );
});

test("simulate rejects with the seed, the time and the trace in the error", async () => {
  const cause = new Error("as it happens");
  const error = await assertRejects(
    () =>
      simulate({ seed: 99 }, async (sim) => {
        await sim.run(250);
        sim.note("about to fail");
        throw cause;
      }),
    SimulationError,
  ) as SimulationError;
  assertEquals([error.seed, error.cause, error.code], [99, cause, "simulation"]);
  assert(error.message.includes("seed 99") && error.message.includes("250.000 ms"));
  assertEquals(error.trace.at(-1)?.what, "about to fail");
});

for (const how of ["throws", "rejects"] as const) {
  test(`simulate rejects when a listener of a node ${how}`, async () => {
    const cause = new Error("a listener's own");
    const error = await assertRejects(
      () =>
        simulate({ seed: 3 }, async (sim) => {
          const node = await sim.start("a");
          node.on("spawn", () => {
            if (how === "throws") throw cause;
            return Promise.reject(cause);
          });
          node.spawn(() => () => {});
          await sim.run(10);
        }),
      SimulationError,
    ) as SimulationError;
    assertEquals(error.cause, cause);
  });
}

test("simulate rejects when no events are left before the body ends", async () => {
  const stuck = () => simulate({}, () => new Promise<void>(() => {}));
  await assertRejects(stuck, SimulationError, "there are no more events");
  const long = () => simulate({ limit: 1_000 }, (sim) => sim.run(2_000));
  await assertRejects(long, SimulationError, "more than 1000 ms have passed");
  const until = () => simulate({}, (sim) => sim.until("pigs fly", () => false, { within: 10 }));
  await assertRejects(until, SimulationError, "until pigs fly");
});
