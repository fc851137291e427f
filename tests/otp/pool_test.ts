/**
 * Tests pools and jobs: bounded queues, attempts, cancellation, lost nodes, and jobs that remain
 * after their pool has ended.
 */
import { assert, assertEquals, assertRejects, assertThrows } from "@std/assert";
import { ArgumentError } from "../../lib/actor/errors.ts";
import type { PoolDefinition } from "../../lib/otp/job.ts";
import { JobError } from "../../lib/otp/job.ts";
import { pool } from "../../lib/otp/pool.ts";
import type { Self } from "../../lib/actor/self.ts";
import { memoryStore, type Store } from "../../lib/otp/store.ts";
import { Supervisor } from "../../lib/otp/supervisor.ts";
import { simulate, type Simulation } from "../../lib/simulate.ts";
import { test } from "../kit/test.ts";

type Options = Partial<PoolDefinition<[n: number], number>>;

function codeOf(promise: Promise<unknown>): Promise<string> {
  return promise.then(() => "done", (error) => (error as JobError).code);
}

test("pool runs at most perNode jobs at the same time on each node that exposes its function", async () => {
  await simulate({ seed: 1 }, async (sim) => {
    let [running, most] = [0, 0];
    const slow = pool({
      name: "slow",
      perNode: 3,
      worker: async (_job, n: number) => {
        most = Math.max(most, ++running);
        await sim.run(100 + sim.random.below(100));
        running--;
        return n * n;
      },
    });
    const a = await sim.start("a");
    const jobs = await slow.start(a);
    const numbers = Array.from({ length: 20 }, (_, i) => i);
    assertEquals(await jobs.addAll(numbers.map((n) => [n])), numbers.map((n) => n * n));
    assertEquals(most, 3);
    const b = await sim.start("b", { seeds: ["a"] });
    b.expose(slow);
    await sim.until("the function is known", () => a.exposed(b.name).length === 1);
    await jobs.addAll(numbers.map((n) => [n]));
    assertEquals(most, 6);
    assertEquals(jobs.counts(), { waiting: 0, active: 0, delayed: 0 });
    await jobs.stop();
  });
});

async function started(sim: Simulation, options: Options, worker: Options["worker"]) {
  const node = sim.node("a") ?? await sim.start("a");
  const kind = pool({ name: "work", perNode: 1, ...options, worker: worker! });
  return { node, kind, jobs: await kind.start(node) };
}

test("pool with a full queue rejects the new job or drops the oldest job", async () => {
  for (const policy of ["reject", "dropOldest"] as const) {
    await simulate({ seed: 1 }, async (sim) => {
      const { jobs } = await started(sim, { queue: { max: 2, policy } }, async (_job, n) => {
        await sim.run(100);
        return n;
      });
      const codes = await Promise.all([1, 2, 3, 4].map((n) => codeOf(jobs.add(n).result)));
      const lost = policy === "reject" ? 3 : 1;
      assertEquals(codes, codes.map((_, i) => i === lost ? "queuefull" : "done"));
    });
  }
});

test("pool retries a job after growing pauses, and rejects with the last error as the cause", async () => {
  await simulate({ seed: 1 }, async (sim) => {
    const at: number[] = [];
    const options = { retry: { times: 3, backoff: { base: 1_000, jitter: 0 } } };
    const { jobs } = await started(sim, options, (job, n) => {
      at.push(sim.now);
      if (job.attempt <= n) throw new Error(`attempt ${job.attempt}`);
      return job.attempt;
    });
    const retrying: number[] = [];
    jobs.on("retrying", ({ attempt }) => retrying.push(attempt));
    assertEquals(await jobs.add(2).result, 3);
    assertEquals(at.map((ms) => Math.round((ms - at[0]!) / 1_000)), [0, 1, 3]);
    const error = await assertRejects(() => jobs.add(9).result, JobError) as JobError;
    assertEquals([error.code, (error.cause as Error).message], ["failed", "attempt 4"]);
    assertEquals(retrying, [1, 2, 1, 2, 3]);
  });
});

test("pool kills an attempt that takes longer than its timeout", async () => {
  await simulate({ seed: 1 }, async (sim) => {
    let aborted = 0;
    const { jobs } = await started(sim, { timeout: 1_000 }, async (job) => {
      job.signal.addEventListener("abort", () => aborted++);
      await sim.run(5_000);
      return 1;
    });
    assertEquals(await codeOf(jobs.add(1).result), "timeout");
    assertEquals(aborted, 1);
  });
});

test("Job.cancel rejects the result of a job that waits, runs or pauses", async () => {
  await simulate({ seed: 1 }, async (sim) => {
    const ran: number[] = [];
    const retry = { times: 9, backoff: { base: 60_000 } };
    const { jobs } = await started(sim, { retry }, async (_job, n) => {
      ran.push(n);
      if (n === 3) throw new Error("fails as requested");
      await sim.run(1_000);
      return n;
    });
    const [one, two] = [jobs.add(1), jobs.add(2)];
    await sim.run(10);
    one.cancel();
    two.cancel();
    const three = jobs.add(3);
    await sim.until("the job waits for its next attempt", () => jobs.counts().delayed === 1);
    three.cancel();
    assertEquals(await Promise.all([one, two, three].map(({ result }) => codeOf(result))), [
      "cancelled",
      "cancelled",
      "cancelled",
    ]);
    assertEquals(ran, [1, 3]);
    assertEquals(await jobs.add(4).result, 4);
  });
});

test("pool emits the progress of a job that runs on another node", async () => {
  await simulate({ seed: 1 }, async (sim) => {
    const a = await sim.start("a");
    const b = await sim.start("b", { seeds: ["a"] });
    const kind = pool({
      name: "far",
      nodes: (nodes) => nodes.filter((node) => node !== a.name),
      worker: (job, n: number) => {
        job.progress({ percent: 50 });
        return n + 1;
      },
    });
    b.expose(kind);
    await sim.until("the function is known", () => a.exposed(b.name).length === 1);
    const jobs = await kind.start(a);
    const seen: unknown[] = [];
    jobs.on("progress", ({ value }) => seen.push(value));
    assertEquals(await jobs.add(1).result, 2);
    assertEquals(seen, [{ percent: 50 }]);
  });
});

for (const onNodeDown of ["retry", "fail"] as const) {
  test(`pool applies onNodeDown ${onNodeDown} to the jobs of a killed node`, async () => {
    for (let seed = 1; seed <= 5; seed++) {
      await simulate({ seed }, async (sim) => {
        const a = await sim.start("a");
        const runs = new Map<number, number>();
        const kind = pool({
          name: "far",
          onNodeDown,
          perNode: 4,
          worker: async (_job, n: number) => {
            runs.set(n, (runs.get(n) ?? 0) + 1);
            await sim.run(200);
            return n;
          },
        });
        for (const short of ["b", "c"]) {
          const node = await sim.start(short, { seeds: ["a"] });
          node.expose(kind);
        }
        await sim.until(
          "all functions are known",
          () => a.peers().every((peer) => a.exposed(peer).length > 0),
        );
        const jobs = await kind.start(a);
        const numbers = Array.from({ length: 30 }, (_, i) => i);
        const codes = Promise.all(numbers.map((n) => codeOf(jobs.add(n).result)));
        await sim.run(100 + sim.random.below(300));
        sim.kill("b");
        const found = await codes;
        const lost = found.filter((code) => code !== "done");
        if (onNodeDown === "retry") assertEquals(lost, []);
        else assert(lost.length > 0 && lost.every((code) => code === "nodedown"));
        if (onNodeDown === "fail") assert([...runs.values()].every((count) => count === 1));
      });
    }
  });
}

test("pool with a store runs the stored jobs again after its node was lost", async () => {
  await simulate({ seed: 1 }, async (sim) => {
    const store = memoryStore();
    const done: number[] = [];
    const worker = async (_job: unknown, n: number): Promise<number> => {
      await sim.run(1_000);
      done.push(n);
      return n;
    };
    const { jobs } = await started(sim, { store }, worker);
    const added = [1, 2, 3].map((n) => jobs.add(n));
    await Promise.all(added.map(({ accepted }) => accepted));
    assertEquals(await added[0]!.result, 1);
    sim.crash("a");
    await sim.restart("a");
    const again = await started(sim, { store }, worker);
    await sim.until("all jobs are done", () => new Set(done).size === 3);
    assertEquals(new Set(done), new Set([1, 2, 3]));
    await sim.until(
      "the jobs are removed from the store",
      () => [...store.keys!("") as string[]].length === 0,
    );
    const last = again.jobs.add(4);
    await last.accepted;
    await again.jobs.stop();
    assertEquals(await codeOf(last.result), "stopped");
    assertEquals([...store.keys!("") as string[]], [`work/${last.id}`]);
    assertEquals(await codeOf(again.jobs.add(5).result), "stopped");
  });
});

test("pool rejects the jobs of a killed pool", async () => {
  await simulate({ seed: 1 }, async (sim) => {
    const { node, jobs } = await started(sim, {}, async () => {
      await sim.run(60_000);
      return 1;
    });
    const added = [1, 2].map((n) => jobs.add(n));
    await sim.run(10);
    node.exit(jobs.pid, "kill");
    assertEquals(await Promise.all(added.map(({ result }) => codeOf(result))), [
      "stopped",
      "stopped",
    ]);
    assertEquals(await codeOf(jobs.add(3).result), "stopped");
    const b = await sim.start("b", { seeds: ["a"] });
    const far = pool({ name: "far", nodes: () => [b.name], worker: () => Symbol("no term") });
    b.expose(far);
    await sim.until("the function is known", () => node.exposed(b.name).length === 1);
    const error = await assertRejects(
      () => far.start(node).then((one) => one.add().result),
      JobError,
    );
    assertEquals((error as JobError).code, "failed");
  });
});

test("pool ends when the actor that started it exits", async () => {
  await simulate({ seed: 1 }, async (sim) => {
    const node = await sim.start("a");
    const endless = pool({ name: "endless", worker: () => new Promise<number>(() => {}) });
    for (const reason of ["normal", "shutdown", "crash"] as const) {
      const { promise, resolve } = Promise.withResolvers<
        Awaited<ReturnType<typeof endless.start>>
      >();
      const parent = node.spawn(async (self: Self) => {
        resolve(await endless.start(self));
        await self.receive();
        if (reason !== "normal") self.exit(reason);
      });
      const before = node.actors().length - 1;
      const jobs = await promise;
      const job = jobs.add();
      await sim.run(1);
      node.send(parent, "end");
      await sim.run(1);
      assertEquals(await codeOf(job.result), "stopped");
      assertEquals([node.isAlive(jobs.pid), node.actors().length], [false, before]);
    }
  });
});

test("pool ends when its supervisor stops it", async () => {
  await simulate({ seed: 1 }, async (sim) => {
    const node = await sim.start("a");
    const kind = pool({ name: "kind", worker: () => 1 });
    const tree = await Supervisor.start(node, {
      children: [{ id: "pool", start: (self) => kind.start(self) }],
    });
    const began = node.now();
    await tree.stop();
    assertEquals(node.now() - began, 0);
  });
});

test("pool ends when another node sends it an exit signal", async () => {
  await simulate({ seed: 1 }, async (sim) => {
    const node = await sim.start("a");
    const other = await sim.start("b", { seeds: ["a"] });
    const jobs = await pool({ name: "kind", worker: () => 1 }).start(node);
    other.exit(jobs.pid, "shutdown");
    await sim.until("the pool has ended", () => !node.isAlive(jobs.pid));
  });
});

test("pool rejects a job if the store does not save it", async () => {
  await simulate({ seed: 1 }, async (sim) => {
    const node = await sim.start("a");
    let ran = 0;
    const start = (
      store: Partial<Store>,
    ): ReturnType<ReturnType<typeof pool<[], number>>["start"]> =>
      pool({ name: "work", worker: () => ++ran, store: { ...memoryStore(), ...store } }).start(
        node,
      );
    for (const saved of [false, undefined, { rows: 0 }]) {
      const jobs = await start({ save: () => saved as never });
      const error = await assertRejects(() => jobs.add().result, JobError, "save");
      assertEquals([(error as JobError).code, ran], ["failed", 0]);
    }
    const count = node.actors().length;
    const bytes = new Uint8Array([250]);
    await assertRejects(() => start({ keys: () => undefined as never }), Error, "the keys");
    await assertRejects(
      () => start({ keys: () => ["work/1"], load: () => ({ value: bytes, version: 1 }) }),
      Error,
      'the job "work/1"',
    );
    assertEquals(node.actors().length, count);
  });
});

test("pool removes a job from the store that is cancelled before it is stored", async () => {
  await simulate({ seed: 1 }, async (sim) => {
    const node = await sim.start("a");
    const store = memoryStore();
    const save: Store["save"] = async (...all) => {
      await sim.run(50);
      return store.save(...all);
    };
    const kind = pool({ name: "work", worker: () => 1, store: { ...store, save } });
    const jobs = await kind.start(node);
    const job = jobs.add();
    job.cancel();
    assertEquals(await codeOf(job.result), "cancelled");
    await sim.run(100);
    assertEquals(store.keys!(""), []);
  });
});

test("pool rejects invalid options", () => {
  const bad = [
    { name: "" },
    { worker: 7 },
    { perNode: 0 },
    { queue: { max: -1 } },
    { queue: { max: 1, policy: "drop" } },
    { retry: { times: -1 } },
    { timeout: NaN },
    { onNodeDown: "wait" },
    { store: { load() {}, save() {}, remove() {} } },
    { workers: 7 },
  ];
  for (const options of bad) {
    assertThrows(() => pool({ name: "p", worker: () => 1, ...options } as never), ArgumentError);
  }
});
