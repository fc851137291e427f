/**
 * Tests singletons whose child starts or stops slowly, while the manager keeps or loses the lock
 * and the lease.
 */
import { assertEquals, assertRejects } from "@std/assert";
import { Exit } from "../../lib/actor/exit.ts";
import type { Self } from "../../lib/actor/self.ts";
import { SingletonError } from "../../lib/cluster/singleton.ts";
import type { SingletonChild } from "../../lib/cluster/singleton_definition.ts";
import type { Pid } from "../../lib/term/pid.ts";
import type { Node } from "../../lib/node.ts";
import { simulate } from "../../lib/simulate.ts";
import type { TestNode } from "../kit/mesh.ts";
import { test, until } from "../kit/test.ts";
import { Authority, awake, join, trio } from "./singleton_runs.ts";

/** Validity of a lease, in milliseconds: longer than a node on a busy machine is delayed. */
const TTL_MS = 900;

/** Returns the number of renewals that an authority has received. */
function renewals({ asked }: Authority): number {
  return asked.filter((what) => what === "renew").length;
}

test("Global.singleton: a lease is renewed while the child starts for longer than the lease is valid", async () => {
  await trio(async (_cluster, nodes, runs) => {
    const authority = new Authority();
    // A third of the lease's validity passes between two renewals.
    runs.slowly = () => until("the lease was renewed four times", () => renewals(authority) >= 4);
    await join(nodes, runs, { lease: authority.lease(TTL_MS) });
    assertEquals([runs.most, runs.log.map(({ token }) => token)], [1, [1]]);
  });
});

test("Global.singleton: a child that is being started ends when its lease is lost", async () => {
  await trio(async (cluster, nodes, runs) => {
    const authority = new Authority();
    const never = Promise.withResolvers<void>();
    runs.slowly = () => never.promise;
    const joined = join(nodes, runs, { lease: authority.lease(TTL_MS) });
    await runs.one(nodes);
    runs.slowly = undefined;
    authority.token++;
    await until("the child was started again", () => runs.log.length === 2 && runs.live.size === 1);
    await joined;
    // The first start was abandoned, so the actor that it returns later is not used.
    never.resolve();
    const current = nodes[0]!.global.whereis("clock");
    await cluster.settled();
    assertEquals(nodes[0]!.global.whereis("clock"), current);
    assertEquals([runs.most, runs.log.map(({ token }) => token)], [1, [1, 3]]);
  });
});

test("Global.singleton: a child that is being started ends when its side loses the quorum", async () => {
  await trio(async (cluster, nodes, runs) => {
    const never = Promise.withResolvers<void>();
    runs.slowly = () => never.promise;
    const joined = join(nodes, runs, { quorum: "majority" });
    const first = await runs.one(nodes);
    runs.slowly = undefined;
    const at = nodes.indexOf(first);
    const rest = nodes.filter((node) => node !== first);
    for (const other of rest) cluster.cut(at, nodes.indexOf(other));
    await until("the child on the isolated side has ended", () => !runs.live.has(first.name));
    await runs.one(rest);
    for (const other of rest) cluster.heal(at, nodes.indexOf(other));
    await cluster.meet();
    await joined;
    never.resolve();
    assertEquals([runs.most, runs.log.length], [1, 2]);
  });
});

test("Global.singleton releases a lease only after a child that is being restarted has ended", async () => {
  await trio(async (_cluster, nodes) => {
    const authority = new Authority();
    const never = Promise.withResolvers<void>();
    let starts = 0;
    const body = async (self: Self<unknown>): Promise<void> => {
      self.trapExit = true;
      for await (const message of self) {
        if (message === "crash") throw new Error("crash requested");
        if (message instanceof Exit) break;
      }
      await self.sleep(40);
      authority.asked.push("ended");
    };
    const child: SingletonChild = {
      id: "slow",
      start: async (self) => {
        const pid = self.spawnLink(body);
        if (++starts === 2) await never.promise;
        return pid;
      },
    };
    // A child whose lease is not renewed has a third of the lease's validity, 200 ms, to stop.
    const lease = authority.lease(600);
    await awake(Promise.all(nodes.map((node) => node.global.singleton("slow", child, { lease }))));
    const pid = nodes[0]!.global.whereis<Pid<unknown>>("slow")!;
    nodes.find(({ name }) => name === pid.node)!.system.send(pid, "crash");
    await until("the child is being restarted", () => starts === 2);
    authority.token++;
    await until("the child was started again", () => starts === 3);
    const order = authority.asked.filter((what) => what === "ended" || what === "release");
    assertEquals(order, ["ended", "release"]);
    never.resolve();
  });
});

test("Singleton.stop: a lease is renewed while the child stops for longer than the lease is valid", async () => {
  await trio(async (_cluster, nodes) => {
    const authority = new Authority();
    const events: string[] = [];
    const body = async (self: Self<unknown>): Promise<void> => {
      self.trapExit = true;
      const isFirst = events.push("begin") === 1;
      while (!(await self.receive() instanceof Exit));
      const before = renewals(authority);
      if (isFirst) {
        await until("the lease was renewed six times", () => renewals(authority) >= before + 6);
      }
      events.push("end");
    };
    const child: SingletonChild = { id: "slow", start: (self) => self.spawnLink(body) };
    const lease = authority.lease(TTL_MS);
    const join = (node: TestNode) => node.global.singleton("slow", child, { lease });
    const parts = await awake(Promise.all(nodes.map(join)));
    await awake(parts.find(({ isHere }) => isHere)!.stop());
    await until("the child runs on another node", () => events.length === 3);
    assertEquals(events, ["begin", "end", "begin"]);
    assertEquals(parts.filter(({ isHere }) => isHere).length, 1);
  });
});

test("Global.singleton rejects at its timeout if the child takes too long to start", async () => {
  await trio(async (_cluster, nodes, runs) => {
    const [a, b] = nodes as [TestNode, TestNode];
    const never = Promise.withResolvers<void>();
    runs.slowly = () => never.promise;
    const joining = a.global.singleton("clock", runs.child(a), { timeout: 300 });
    const error = await assertRejects(() => awake(joining), SingletonError) as SingletonError;
    assertEquals(error.message.includes("it is being started"), true, error.message);
    assertEquals([...runs.live], []);
    runs.slowly = undefined;
    await join([b], runs, {});
    assertEquals([...runs.live], [b.name]);
    never.resolve();
  });
});

test("Global.singleton: a leaving node asks all other nodes to take over if the child starts slowly", async () => {
  await simulate({ seed: 1 }, async (sim) => {
    const received: [short: string, state: unknown][] = [];
    const nodes: Node[] = [];
    for (const short of ["a", "b", "c"]) {
      const node = await sim.start(short, short === "a" ? {} : { seeds: ["a"] });
      nodes.push(node);
      await sim.until("the nodes are connected", () => node.peers().length === nodes.length - 1);
      const child: SingletonChild = {
        id: "clock",
        start: async (self, { state, handover }) => {
          // The start takes longer than a leaving node waits for an answer.
          if (short !== "a") await sim.run(7_000);
          return self.spawnLink((self: Self<unknown>) => {
            received.push([short, state]);
            self.signal.addEventListener("abort", () => handover("the state"));
            return () => {};
          });
        },
      };
      await node.global.singleton("clock", child);
    }
    const crashes: unknown[] = [];
    nodes[0]!.on("crash", ({ reason }) => crashes.push(reason));
    await sim.leave("a", { timeout: 20_000 });
    await sim.until("the child runs again", () => received.length === 2);
    assertEquals([received[1]![1], crashes], ["the state", []]);
  });
});
