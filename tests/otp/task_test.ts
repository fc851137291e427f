import { assertEquals, assertInstanceOf, assertRejects } from "@std/assert";
import { ArgumentError } from "../../lib/actor/errors.ts";
import type { Self } from "../../lib/actor/self.ts";
import { task, TaskExitError, TaskTimeoutError } from "../../lib/otp/task.ts";
import { test } from "../kit/test.ts";
import { CRASH, Family } from "./family.ts";

/** Promises that the test resolves by their number. */
class Gates {
  readonly #open = new Map<number, () => void>();
  /** The number of pending promises. `most` is the highest number so far. */
  waiting = 0;
  most = 0;

  wait(n: number): Promise<number> {
    this.most = Math.max(this.most, ++this.waiting);
    return new Promise((resolve) =>
      this.#open.set(n, () => {
        this.waiting--;
        resolve(n);
      })
    );
  }

  open(n: number): void {
    this.#open.get(n)!();
    this.#open.delete(n);
  }

  get numbers(): number[] {
    return [...this.#open.keys()];
  }
}

test("task.await returns the result of its task, in whatever order the tasks end", async () => {
  const family = new Family();
  const gates = new Gates();
  const tasks = Array.from(
    { length: 100 },
    (_, n) => task.async(family.outside, () => gates.wait(n)),
  );
  await family.system.settle();
  for (const n of gates.numbers.reverse()) gates.open(n);
  for (const n of [99, 0, 50, 1]) assertEquals(await family.run(task.await(tasks[n]!)), n);
  // A result is kept, and can be awaited again.
  assertEquals(await task.await(tasks[50]!), 50);
  assertEquals(family.system.size, 0);
});

test("task.await rejects with the error of its task without ending another actor", async () => {
  const family = new Family();
  const got: unknown[] = [];
  const owner = family.system.start(async (self: Self) => {
    self.trapExit = true;
    for (const thrown of [CRASH, "a word"]) {
      const failing = task.async(self, () => {
        throw thrown;
      });
      got.push(await task.await(failing).catch((error) => error));
      const later = task.async(self, () => Promise.reject(thrown));
      got.push(await task.await(later).catch((error) => error));
    }
    got.push(self.length);
    await self.receive();
  });
  await family.system.settle();
  assertEquals(
    got.map((error) => error instanceof TaskExitError ? error.reason : error),
    [CRASH, CRASH, { thrown: "a word" }, { thrown: "a word" }, 0],
  );
  assertEquals(family.system.pids(), [owner]);
  assertEquals(family.crashes, []);
  family.system.stop();
});

test("task.await rejects with the exit reason of its task", async () => {
  const family = new Family();
  const leaving = task.async(family.outside, (self) => self.exit("done"));
  const later = task.async(family.outside, async (self) => {
    await null;
    self.exit("done");
  });
  const shot = task.async(family.outside, () => new Promise(() => {}));
  await family.system.settle();
  family.system.exit(shot.pid, "shot");
  const reasons = await family.run(Promise.all(
    [leaving, later, shot].map((one) => task.await(one).catch((error) => error.reason)),
  ));
  assertEquals(reasons, ["done", "done", "shot"]);
});

test("task.await accepts the longest timeout, and rejects a longer one", async () => {
  const family = new Family();
  const gates = new Gates();
  const slow = task.async(family.outside, () => gates.wait(7));
  for (const timeout of [2 ** 31, 2 ** 33, NaN]) {
    const error = await assertRejects(() => task.await(slow, { timeout }), ArgumentError);
    assertEquals(error.code, "badarg");
  }
  const patient = task.await(slow, { timeout: 2 ** 31 - 1 });
  await family.system.advance(100_000);
  gates.open(7);
  assertEquals(await family.run(patient), 7);
  assertEquals(family.system.wheel.size, 0);
});

test("task.await rejects at its timeout, and the task continues", async () => {
  const family = new Family();
  const gates = new Gates();
  const slow = task.async(family.outside, () => gates.wait(7));
  const timed = assertRejects(() => task.await(slow, { timeout: 50 }), TaskTimeoutError);
  await family.system.advance(51);
  await timed;
  const byDefault = assertRejects(() => task.await(slow), TaskTimeoutError);
  const forEver = task.await(slow, { timeout: Infinity });
  await family.system.advance(5_001);
  await byDefault;
  gates.open(7);
  assertEquals(await family.run(forEver), 7);
  assertEquals(await family.run(task.await(slow)), 7);
  await family.system.settle();
  assertEquals(family.system.wheel.size, 0);
});

test("task.cancel kills the task and aborts its signal", async () => {
  const family = new Family();
  let aborted = false;
  const slow = task.async(family.outside, (self) => {
    self.signal.addEventListener("abort", () => aborted = true);
    return new Promise<never>(() => {});
  });
  await family.system.settle();
  assertEquals(task.cancel(slow), true);
  assertEquals(aborted, true);
  assertEquals(family.system.isAlive(slow.pid), false);
  const error = await task.await(slow).catch((error) => error);
  assertInstanceOf(error, TaskExitError);
  assertEquals(error.reason, "killed");
  assertEquals(task.cancel(slow), false);
});

test("a task ends when its owner exits", async () => {
  const family = new Family();
  const owner = family.system.puppet();
  const left = task.async(owner.self, () => new Promise(() => {}));
  const done = task.async(owner.self, () => 1);
  assertEquals(await family.run(task.await(done)), 1);
  await family.system.settle();
  const hanging = (): number => {
    let count = 0;
    for (let link = owner.self.chain; link !== undefined; link = link.following) count++;
    return count;
  };
  assertEquals(hanging(), 1);
  owner.self.end("normal");
  assertEquals(family.system.isAlive(left.pid), false);
  assertEquals(await task.await(left).catch((error: TaskExitError) => error.reason), "killed");
  assertEquals(owner.got, []);
});

test("a task that fails and is not awaited causes no unhandled rejection", async () => {
  const family = new Family();
  task.async(family.outside, () => {
    throw CRASH;
  });
  await family.system.settle();
  assertEquals(family.system.size, 0);
});

test("task.map returns results in the order of the items", async () => {
  const family = new Family();
  const gates = new Gates();
  const items = Array.from({ length: 20 }, (_, n) => n);
  const mapping = task.map(family.outside, items, (n) => gates.wait(n), { concurrency: 5 });
  await family.system.settle();
  while (gates.numbers.length > 0) {
    gates.open(gates.numbers.at(-1)!);
    await family.system.settle();
  }
  assertEquals(await mapping, items);
  assertEquals(gates.most, 5);
  assertEquals(family.system.size, 0);
});

test("task.map runs at most as many tasks at a time as its limit, and reads items as needed", async () => {
  for (const [concurrency, most] of [[1, 1], [2.9, 2], [100, 10], [Infinity, 10]] as const) {
    const family = new Family();
    const gates = new Gates();
    let taken = 0;
    const items = function* (): Generator<number> {
      for (; taken < 10; taken++) yield taken;
    };
    const mapping = task.map(family.outside, items(), (n) => gates.wait(n), { concurrency });
    await family.system.settle();
    assertEquals(gates.waiting, most);
    assertEquals(taken <= most, true);
    while (gates.numbers.length > 0) {
      gates.open(gates.numbers[0]!);
      await family.system.settle();
    }
    assertEquals((await mapping).length, 10);
    assertEquals(gates.most, most);
  }
  const family = new Family();
  assertEquals(await family.run(task.map(family.outside, [], () => 1)), []);
  for (const concurrency of [0, NaN, -1]) {
    const none = task.map(family.outside, [1], () => 1, { concurrency });
    await assertRejects(() => none, ArgumentError);
  }
});

test("task.map rejects with the first failure, and cancels the other tasks", async () => {
  // A task that ends long before, at the same time as, or soon after the failure must not start
  // another item, which would not be cancelled.
  for (let between = 0; between < 20; between++) {
    const family = new Family();
    const gates = new Gates();
    const items = Array.from({ length: 10 }, (_, n) => n);
    const mapping = task.map(family.outside, items, async (n) => {
      await gates.wait(n);
      if (n === 1) throw CRASH;
    }, { concurrency: 3 });
    const rejected = assertRejects(() => mapping, TaskExitError, "boom");
    await family.system.settle();
    gates.open(1);
    for (let tick = 0; tick < between; tick++) await null;
    gates.open(0);
    await family.system.settle();
    assertEquals(family.system.size, 0, `${between} ticks`);
    await rejected;
  }
});

test("task.map closes the iterable after a failure", async () => {
  const family = new Family();
  let given = 0;
  const items = function* (): Generator<number> {
    try {
      for (let n = 0;; n++) yield n;
    } finally {
      given++;
    }
  };
  const failing = task.map(family.outside, items(), () => Promise.reject(CRASH));
  assertInstanceOf(await family.run(failing.catch((error) => error)), TaskExitError);
  assertEquals(given, 1);
});

test("task.map cancels the running tasks if the iterable throws", async () => {
  const family = new Family();
  const items = function* (): Generator<number> {
    yield 1;
    throw CRASH;
  };
  const mapping = task.map(family.outside, items(), () => new Promise(() => {}));
  assertEquals(await family.run(mapping.catch((error) => error)), CRASH);
  assertEquals(family.system.size, 0);
});
