/** Tests shards in the simulator: services by key on all nodes, with and without a store. */
import process from "node:process";
import { assert, assertEquals, assertRejects, assertThrows } from "@std/assert";
import { ArgumentError, CallExitError } from "../../lib/actor/errors.ts";
import { type ShardOptions, type Shards, shards } from "../../lib/cluster/shards.ts";
import { Persistence } from "../../lib/otp/persistence.ts";
import { service } from "../../lib/otp/service.ts";
import { memoryStore, type Store } from "../../lib/otp/store.ts";
import { UnknownCallError } from "../../lib/otp/unknown_call.ts";
import { simulate, type Simulation } from "../../lib/simulate.ts";
import { test } from "../kit/test.ts";
import { breaks } from "../sim/sabotage.ts";

interface Cart {
  state: readonly string[];
  start: [key: string];
  call: { add(item: string): number; items(): readonly string[]; where(): string; crash(): void };
  cast: { add(item: string): void };
}

const cart = service<Cart>({
  name: "cart",
  init: (key) => [`cart ${key}`],
  call: {
    add: (items, item) => [items.length, [...items, item]],
    items: (items) => [items, items],
    where(items) {
      return [this.self.pid.node.slice(0, 1), items];
    },
    crash: () => {
      throw new Error("crash requested");
    },
  },
  cast: { add: (items, item) => [...items, item] },
});

/** The number of seeds that the test of lost operations runs. */
const SEEDS = process.env["FIRN_LONG"] === "1" ? 100 : 2;

const KEYS = Array.from({ length: 40 }, (_, i) => `${i}`);

async function started(
  sim: Simulation,
  shorts: string,
  options: Partial<ShardOptions<Cart>> = {},
): Promise<Shards<Cart>[]> {
  const all: Shards<Cart>[] = [];
  for (const short of shorts) {
    const node = await sim.start(short, { seeds: [shorts[0]!] });
    all.push(shards(node, "cart", { actor: cart, ...options }));
  }
  await sim.until(
    "all nodes know each other",
    () => all.every((one) => one.nodes().length === all.length),
  );
  return all;
}

test("shards: any node calls a service by its key", async () => {
  await simulate({ seed: 1 }, async (sim) => {
    const [a, b, c] = await started(sim, "abc");
    for (const key of KEYS) {
      assertEquals(await a!.call(key).add("tea"), 1);
      b!.cast(key).add("cups");
      assertEquals(await b!.call(key).items(), await c!.call(key).items());
    }
    assertEquals(await a!.call("7").items(), ["cart 7", "tea", "cups"]);
    assertEquals(await cart.state(b!.at("7")), ["cart 7", "tea", "cups"]);
    const counts = [a, b, c].map((one) => one!.keys().length);
    assertEquals(counts.reduce((sum, count) => sum + count), KEYS.length);
    assert(counts.every((count) => count > 5));
  });
});

test("shards: state moves with its key when a node joins or leaves", async () => {
  await simulate({ seed: 2 }, async (sim) => {
    const all = await started(sim, "ab");
    for (const key of KEYS) await all[0]!.call(key).add("tea");
    const c = await sim.start("c", { seeds: ["a"] });
    all.push(shards(c, "cart", { actor: cart }));
    await sim.until("keys have moved to c", () => all[2]!.counts().movedIn > 5);
    await sim.run(1_000);
    for (const key of KEYS) {
      assertEquals(await all[1]!.call(key).items(), [`cart ${key}`, "tea"]);
      assertEquals(await all[1]!.call(key).where(), all[1]!.nodeOf(key)!.slice(0, 1));
    }
    await sim.leave("c");
    await sim.leave("b");
    for (const key of KEYS) assertEquals(await all[0]!.call(key).items(), [`cart ${key}`, "tea"]);
  });
});

test("shards: state in a store survives crashes, passivation and lost nodes", async () => {
  await simulate({ seed: 3 }, async (sim) => {
    const persist = { store: memoryStore() };
    const [a, b] = await started(sim, "abc", { persist, passivateAfter: 5_000 });
    for (const key of KEYS) await a!.call(key).add("tea");
    await assertRejects(() => a!.call("7").crash(), Error);
    assertEquals(await a!.call("7").items(), ["cart 7", "tea"]);
    await sim.run(10_000);
    assertEquals([a!.keys(), b!.keys()], [[], []]);
    for (const key of KEYS) assertEquals(await b!.call(key).items(), [`cart ${key}`, "tea"]);
    sim.kill("c");
    await sim.until("a has lost c", () => a!.nodes().length === 2);
    for (const key of KEYS) assertEquals(await a!.call(key).add("cups"), 2);
    assertEquals(await persist.store.load("cart/7") !== undefined, true);
  });
});

test("shards: the store lets one side write while both sides of a partition run a key", async () => {
  await simulate({ seed: 4 }, async (sim) => {
    const persist = { store: memoryStore() };
    const [a, b] = await started(sim, "ab", { persist });
    for (const key of KEYS) await a!.call(key).add("tea");
    sim.partition(["a"], ["b"]);
    await sim.until(
      "the nodes have lost each other",
      () => a!.nodes().length + b!.nodes().length === 2,
    );
    const moved = KEYS.filter((key) => !b!.keys().includes(key));
    for (const key of moved) assertEquals(await b!.call(key).add("cups"), 2);
    for (const key of moved) {
      const error = await assertRejects(() => a!.call(key).add("late"), CallExitError);
      assert(`${(error as CallExitError).reason}`.includes("stale"));
      // The call starts the actor again, which loads the state that the other side has written.
      assertEquals(await a!.call(key).add("late"), 3);
    }
    sim.heal();
    await sim.until(
      "the nodes are connected again",
      () => a!.nodes().length + b!.nodes().length === 4,
    );
    await sim.run(1_000);
    for (const key of moved) {
      assertEquals(await a!.call(key).items(), [`cart ${key}`, "tea", "cups", "late"]);
      assertEquals(await b!.call(key).items(), [`cart ${key}`, "tea", "cups", "late"]);
    }
  });
});

test("shards: a node of weight 0 runs no keys, and calls the keys of other nodes", async () => {
  await simulate({ seed: 5 }, async (sim) => {
    const [a] = await started(sim, "ab");
    const x = await sim.start("x", { seeds: ["a"] });
    const caller = shards(x, "cart", { actor: cart, weight: 0 });
    await sim.until("the caller knows both nodes", () => caller.nodes().length === 2);
    for (const key of KEYS) assertEquals(await caller.call(key).add("tea"), 1);
    assertEquals(caller.keys(), []);
    assertEquals(a!.nodes().length, 2);
    const unknown = caller.call("1") as unknown as Record<string, () => Promise<unknown>>;
    assertEquals(unknown["nothing"], undefined);
    const request = { $call: "nothing", args: [] };
    await assertRejects(() => x.homes.use("cart").call("1", request), UnknownCallError);
  });
});

/** Kills nodes while clients add to carts. Throws if an acknowledged addition is missing. */
async function losses(seed: number): Promise<void> {
  await simulate({ seed }, async (sim) => {
    const memory = memoryStore();
    const slow = async <T>(value: () => T | Promise<T>): Promise<T> => {
      await sim.run(sim.random.below(5));
      return await value();
    };
    const store: Store = {
      load: (key) => slow(() => memory.load(key)),
      save: (...args) => slow(() => memory.save(...args)),
      remove: (...args) => slow(() => memory.remove(...args)),
    };
    const options = { persist: { store } };
    const settings = { pingInterval: 500, pingTimeout: 2_000 };
    const start = async (short: string): Promise<void> => {
      const node = await sim.start(short, { ...settings, seeds: ["a", "b", "c"] });
      running.set(short, shards(node, "cart", { actor: cart, ...options }));
    };
    const running = new Map<string, Shards<Cart>>();
    for (const short of ["a", "b", "c"]) await start(short);
    const answered = new Map<string, string[]>(["1", "2", "3"].map((key) => [key, []]));
    let isOver = false;
    const work = async (client: number): Promise<void> => {
      for (let i = 0; !isOver; i++) {
        const one = [...running.values()][sim.random.below(running.size)];
        const key = `${1 + sim.random.below(3)}`;
        const item = `${client}:${i}`;
        // Calls of a crashed node never settle.
        const called = one?.call(key, { timeout: 500 }).add(item).then(() => true, () => false);
        const done = await Promise.race([called, sim.run(600).then(() => false)]);
        if (done) answered.get(key)!.push(item);
        await sim.run(1 + sim.random.below(20));
      }
    };
    const working = [work(1), work(2), work(3)];
    for (let i = 0; i < 10; i++) {
      await sim.run(500 + sim.random.below(2_000));
      const short = "abc"[sim.random.below(3)]!;
      running.delete(short);
      if (sim.random.below(2) === 0) sim.kill(short);
      else sim.crash(short);
      await sim.run(sim.random.below(3_000));
      await sim.restart(short).then((node) =>
        running.set(short, shards(node, "cart", { actor: cart, ...options }))
      );
    }
    isOver = true;
    await Promise.all(working);
    await sim.run(10_000);
    for (const [key, items] of answered) {
      assert(items.length > 10);
      const found = await [...running.values()][0]!.call(key).items();
      assertEquals(items.filter((item) => !found.includes(item)), []);
      assertEquals(new Set(found).size, found.length);
    }
  });
}

test("shards: no acknowledged operation is lost while nodes are killed", async () => {
  for (let seed = 1; seed <= SEEDS; seed++) await losses(seed);
});

test("shards: the test of lost operations detects a build that replies before it stores", async () => {
  const mend = breaks(
    Persistence,
    "save",
    (real) =>
      function (this: Persistence, state: unknown): void {
        Promise.resolve(real.call(this, state)).catch(() => {});
      },
  )();
  try {
    let found = false;
    for (let seed = 1; seed <= 20 && !found; seed++) {
      await losses(seed).catch(() => found = true);
    }
    assert(found, "not found within 20 seeds");
  } finally {
    mend();
  }
});

test("shards rejects unknown and invalid options", async () => {
  await simulate({ seed: 1 }, async (sim) => {
    const node = await sim.start("a");
    const bad = [{ passivate: 1 }, { actor: {} }, {
      persist: { store: memoryStore(), within: -1 },
    }];
    for (const options of bad) {
      assertThrows(() => shards(node, "cart", { actor: cart, ...options } as never), ArgumentError);
    }
  });
});
