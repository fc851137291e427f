/** Tests the examples in the simulator: nodes are killed, and no acknowledged operation is lost. */
import { assert, assertEquals, assertRejects } from "@std/assert";
import { memoryStore } from "../../lib/otp/store.ts";
import { simulate, type Simulation } from "../../lib/simulate.ts";
import type { Node } from "../../lib/node.ts";
import { type Mail, mailQueue } from "../../scripts/examples/job_queue.ts";
import { payment, payments } from "../../scripts/examples/payment.ts";
import { rateLimiter } from "../../scripts/examples/rate_limiter.ts";
import { orderNumbers } from "../../scripts/examples/order_numbers.ts";
import { test } from "../kit/test.ts";

const SETTINGS = { pingInterval: 500, pingTimeout: 2_000, seeds: ["a", "b", "c"] };

async function three(sim: Simulation): Promise<[Node, Node, Node]> {
  const nodes: Node[] = [];
  for (const short of ["a", "b", "c"]) nodes.push(await sim.start(short, SETTINGS));
  await sim.until(
    "all nodes are connected",
    () => nodes.every((node) => node.peers().length === 2),
  );
  return nodes as [Node, Node, Node];
}

/** Retries until `attempt` succeeds. A call from a crashed node never settles. */
async function insist<T>(sim: Simulation, attempt: () => Promise<T>): Promise<T> {
  while (true) {
    const late = sim.run(6_000).then(() => undefined);
    const done = await Promise.race([
      attempt().then((value) => ({ value }), () => undefined),
      late,
    ]);
    if (done !== undefined) return done.value;
    await sim.run(100);
  }
}

test("the rate limiter allows a burst and then a steady rate on all nodes together", async () => {
  await simulate({ seed: 1 }, async (sim) => {
    const limits = (await three(sim)).map(rateLimiter);
    await sim.until(
      "all nodes know each other",
      () => limits.every((one) => one.nodes().length === 3),
    );
    const ask = (client: string) => limits[sim.random.below(3)]!.call(client).take();
    const allowed = await Promise.all(Array.from({ length: 30 }, () => ask("tom")));
    assertEquals(allowed.filter((is) => is).length, 10);
    assertEquals(await ask("ann"), true);
    await sim.run(1_000);
    const later = await Promise.all(Array.from({ length: 30 }, () => ask("tom")));
    assertEquals(later.filter((is) => is).length, 5);
    await sim.run(120_000);
    assertEquals(limits.flatMap((one) => one.keys()), []);
  });
});

test("a payment expires in time although its node is killed", async () => {
  await simulate({ seed: 1 }, async (sim) => {
    const store = memoryStore();
    const [a, b, c] = (await three(sim)).map((node) => payments(node, store));
    await sim.until(
      "all nodes know each other",
      () => [a, b, c].every((one) => one!.nodes().length === 3),
    );
    const far = Array.from({ length: 50 }, (_, i) => `${i}`)
      .filter((id) => a!.nodeOf(id)!.startsWith("c"));
    const [late, paid] = far;
    for (const id of [late, paid]) assertEquals((await payment.state(a!.at(id!))).state, "created");
    await a!.call(paid!).authorise("visa");
    await sim.run(10_000);
    sim.kill("c");
    await sim.until("the lost node is detected", () => a!.nodes().length === 2);
    await payment.state(a!.at(late!));
    await sim.run(15_000);
    assertEquals((await payment.state(b!.at(late!))).state, "created");
    await sim.run(6_000);
    assertEquals((await payment.state(b!.at(late!))).state, "expired");
    await assertRejects(() => a!.call(late!).authorise("visa"), Error, "no rule for authorise");
    assertEquals(await b!.call(paid!).capture(), "ok");
    assertEquals((await payment.state(a!.at(paid!))).data.card, "visa");
  });
});

test("order numbers are unique although nodes are killed", async () => {
  for (let seed = 1; seed <= 3; seed++) {
    await simulate({ seed }, async (sim) => {
      const store = memoryStore();
      const given: number[] = [];
      const numbers = new Map<string, { next(): Promise<number> }>();
      const take = async (short: string): Promise<void> => {
        numbers.set(short, await orderNumbers(sim.node(short)!, store));
      };
      await three(sim);
      await Promise.all(["a", "b", "c"].map(take));
      const client = async (): Promise<void> => {
        for (let i = 0; i < 20; i++) {
          const one = [...numbers.values()][sim.random.below(numbers.size)]!;
          given.push(await insist(sim, () => one.next()));
          await sim.run(sim.random.below(300));
        }
      };
      const clients = [client(), client()];
      for (const short of ["a", "b", "c"]) {
        await sim.run(1_000 + sim.random.below(2_000));
        numbers.delete(short);
        sim.kill(short);
        await sim.restart(short);
        await take(short);
      }
      await Promise.all(clients);
      assertEquals(given.length, 40);
      assertEquals(new Set(given).size, 40);
    });
  }
});

test("the job queue sends every accepted mail although all nodes are killed in turn", async () => {
  for (let seed = 1; seed <= 3; seed++) {
    await simulate({ seed }, async (sim) => {
      const store = memoryStore();
      const sent = new Set<string>();
      const send = async (id: string, _mail: Mail): Promise<void> => {
        await sim.run(50 + sim.random.below(200));
        if (sim.random.below(10) === 0) throw new Error("the mail server is busy");
        sent.add(id);
      };
      await three(sim);
      const queues = new Map<string, (mail: Mail) => Promise<string>>();
      const take = async (short: string): Promise<void> => {
        queues.set(short, await mailQueue(sim.node(short)!, store, send));
      };
      await Promise.all(["a", "b", "c"].map(take));
      const accepted: string[] = [];
      const client = async (): Promise<void> => {
        for (let i = 0; i < 20; i++) {
          const add = [...queues.values()][sim.random.below(queues.size)]!;
          accepted.push(await insist(sim, () => add({ to: `${i}`, text: "hello" })));
        }
      };
      const clients = [client(), client()];
      for (const short of ["a", "b", "c"]) {
        await sim.run(200 + sim.random.below(1_000));
        queues.delete(short);
        sim.kill(short);
        await sim.restart(short);
        await take(short);
      }
      await Promise.all(clients);
      assert(accepted.length === 40);
      await sim.until("all mails are sent", () => accepted.every((id) => sent.has(id)));
      await sim.until("no job is left", () => [...store.keys!("mail/") as string[]].length === 0);
    });
  }
});
