/**
 * Tests `node.stop()`: first the supervision trees stop in order and by their shutdown rules, then
 * all other actors, in bounded time.
 */
import { setImmediate } from "node:timers";
import {
  assert,
  assertEquals,
  assertRejects,
  assertStringIncludes,
  assertThrows,
} from "@std/assert";
import { ArgumentError } from "../../lib/actor/errors.ts";
import { Exit } from "../../lib/actor/exit.ts";
import type { Self } from "../../lib/actor/self.ts";
import { Node } from "../../lib/node.ts";
import type { ChildSpec } from "../../lib/otp/child.ts";
import { DynamicSupervisor } from "../../lib/otp/dynamic_supervisor.ts";
import { service } from "../../lib/otp/service.ts";
import { Supervisor } from "../../lib/otp/supervisor.ts";
import { startCheaply } from "../kit/keys.ts";
import { cluster, type TestNode, withNodes } from "../kit/mesh.ts";
import { test, until } from "../kit/test.ts";

/** Runs `body` with a node and a list for the reports of ended services. */
async function withNode(
  body: (world: { node: Node; parts: TestNode; ends: string[] }) => Promise<void>,
): Promise<void> {
  await withNodes(async (start) => {
    const parts = await start("a");
    await body({ node: Node.of(parts), parts, ends: [] });
  });
}

/** Creates a service that records its state when it ends, after a delay. */
const makeBuffer = (ends: string[]) =>
  service<{
    state: { name: string; ms: number; lines: number };
    start: [name: string, ms: number];
    cast: { add(): void };
  }>({
    init: (name, ms) => ({ name, ms, lines: 0 }),
    cast: { add: (state) => ({ ...state, lines: state.lines + 1 }) },
    async terminate({ name, ms, lines }, reason) {
      if (ms === Infinity) await new Promise(() => {});
      if (ms > 0) await new Promise((wake) => setTimeout(wake, ms));
      ends.push(`${name} ${lines} ${reason}`);
    },
  });

const never = async (self: Self): Promise<void> => {
  self.trapExit = true;
  await new Promise(() => {});
};

test("Node.stop ends supervisors and their children in reverse order before other services", async () => {
  await withNode(async ({ node, ends }) => {
    const buffer = makeBuffer(ends);
    const child = (id: string, ms = 0): ChildSpec => ({
      id,
      start: (self) => buffer.startAs(id, self, id, ms),
    });
    await buffer.startAs("first", node, "first", 0);
    await Supervisor.start(node, { children: [child("a1", 30), child("a2")] });
    const inner = (self: Self) => Supervisor.start(self, { children: [child("b2"), child("b3")] });
    await Supervisor.start(node, {
      children: [child("b1"), { id: "inner", type: "supervisor", start: inner }, child("b4")],
    });
    await buffer.startAs("last", node, "last", 0);
    for (const name of ["a1", "b3", "last"]) buffer.cast(buffer.at(node, name)).add();
    await node.stop();
    assertEquals(ends, [
      ...["b4 0 shutdown", "b3 1 shutdown", "b2 0 shutdown", "b1 0 shutdown"],
      ...["a2 0 shutdown", "a1 1 shutdown"],
      ...["last 1 shutdown", "first 0 shutdown"],
    ]);
    assertEquals(node.actors(), []);
  });
});

test("Node.stop ends several supervisors of one actor in reverse order", async () => {
  await withNode(async ({ node, ends }) => {
    const buffer = makeBuffer(ends);
    const ready = Promise.withResolvers<void>();
    node.spawn(async (self: Self) => {
      for (const id of ["a", "b", "c"]) {
        const start = (self: Self) => buffer.start(self, id, 5);
        await Supervisor.start(self, { children: [{ id, start }] });
      }
      ready.resolve();
      await self.receive();
    });
    await ready.promise;
    await node.stop();
    assertEquals(ends, ["c 0 shutdown", "b 0 shutdown", "a 0 shutdown"]);
  });
});

test("Node.stop at the end of an await using block calls terminate", async () => {
  const ends: string[] = [];
  {
    await using node = await startCheaply({ logLevel: "silent" });
    const buffer = makeBuffer(ends);
    const pool = await DynamicSupervisor.start(node);
    for (const id of ["a", "b"]) {
      await pool.startChild({ start: (self) => buffer.start(self, id, 1) });
    }
  }
  assertEquals(ends.sort(), ["a 0 shutdown", "b 0 shutdown"]);
});

test("Node.stop kills a tree that does not end at its timeout, after the other trees have ended", async () => {
  await withNode(async ({ node, parts, ends }) => {
    const buffer = makeBuffer(ends);
    await Supervisor.start(node, {
      children: [{ id: "early", start: (self) => buffer.start(self, "early", 0) }],
    });
    await Supervisor.start(node, {
      children: [
        { id: "second", start: (self) => buffer.start(self, "second", 0) },
        { id: "stuck", shutdown: Infinity, start: (self) => self.spawnLink(never) },
      ],
    });
    const stuck = node.actors().at(-1)!;
    const began = performance.now();
    await node.stop({ timeout: 300 });
    const took = performance.now() - began;
    assert(took >= 290 && took < 3_000, `${took} ms`);
    assertEquals(ends, ["early 0 shutdown", "second 0 shutdown"]);
    const warned = parts.lines.filter(({ level }) => level === "warn").map(({ line }) => line);
    assertEquals(warned.length, 1);
    assertStringIncludes(warned[0]!, `did not exit within 300 ms and were killed: ${stuck}`);
    assertEquals(node.actors(), []);
  });
});

test("Node.stop waits for an actor that traps exits and then exits", async () => {
  await withNode(async ({ node, parts, ends }) => {
    node.spawn(async (self: Self) => {
      self.trapExit = true;
      for await (const message of self) {
        if (!(message instanceof Exit)) continue;
        await new Promise((wake) => setTimeout(wake, 100));
        ends.push(`cleaned up, ${message.reason}`);
        return;
      }
    });
    for (let i = 0; i < 10; i++) {
      node.spawn((self: Self) => {
        self.trapExit = true;
        return () => {};
      });
    }
    await until(
      "the actors trap exits",
      () => node.actors().every((pid) => parts.system.actorOf(pid)!.trapping),
    );
    const began = performance.now();
    await node.stop();
    assert(performance.now() - began < 2_000, "it waited for actors that ignore the signal");
    assertEquals(ends, ["cleaned up, shutdown"]);
    assertEquals(parts.lines.filter(({ level }) => level === "warn"), []);
  });
});

test("Node.stop with a timeout of 0 kills all actors at once", async () => {
  await withNode(async ({ node, ends }) => {
    const buffer = makeBuffer(ends);
    await Supervisor.start(node, {
      children: [{ id: "a", start: (self) => buffer.start(self, "a", Infinity) }],
    });
    const began = performance.now();
    await node.stop({ timeout: 0 });
    assert(performance.now() - began < 1_000);
    assertEquals([ends, node.actors()], [[], []]);
  });
});

test("Node.stop returns the first promise when called again, and rejects an invalid timeout", async () => {
  await withNode(async ({ node }) => {
    for (const timeout of [-1, NaN]) {
      assertThrows(() => node.stop({ timeout }), ArgumentError, "milliseconds");
    }
    assertThrows(() => node.stop({ timeot: 1 } as never), ArgumentError, "timeout");
    let isOver = false;
    const first = node.stop().then(() => isOver = true);
    await node.stop({ timeout: 1 });
    assert(isOver);
    await first;
  });
});

test("Node.stop may be called by an actor of the node", async () => {
  await withNode(async ({ node, ends }) => {
    const buffer = makeBuffer(ends);
    await Supervisor.start(node, {
      children: [{ id: "a", start: (self) => buffer.start(self, "a", 5) }],
    });
    const stopped = Promise.withResolvers<{ end: Promise<void> }>();
    node.send(
      node.spawn(() => async () => {
        stopped.resolve({ end: node.stop() });
        await node.stop();
      }),
      "stop",
    );
    await (await stopped.promise).end;
    assertEquals([ends, node.actors()], [["a 0 shutdown"], []]);
  });
});

test("Node.stop rejects spawns from other nodes", async () => {
  await withNodes(async (start) => {
    const [a, b] = await cluster(start, 2) as [TestNode, TestNode];
    const [near, far] = [Node.of(a), Node.of(b)];
    const ends: string[] = [];
    const buffer = makeBuffer(ends);
    near.expose("worker", () => () => {});
    await until("b knows the function", () => far.exposed(near.name).includes("worker"));
    await near.global.singleton("one", {
      id: "one",
      start: (self) => buffer.start(self, "one", 0),
    });
    const slow = Promise.withResolvers<void>();
    const gate = service<{ state: number }>({ init: () => 0, terminate: () => slow.promise });
    await Supervisor.start(near, {
      children: [{ id: "gate", start: (self) => gate.start(self) }],
    });
    const stopped = near.stop();
    await until("the node is stopping", () => a.system.isStopping);
    await assertRejects(
      () => far.spawn({ node: near.name, fn: "worker" }),
      Error,
      "does not spawn actors, because it is stopping",
    );
    slow.resolve();
    await stopped;
    assertEquals(ends, ["one 0 shutdown"]);
  });
});

test("Node.stop ends thousands of actors in portions", async () => {
  await withNode(async ({ node, parts }) => {
    let ended = 0;
    for (let i = 0; i < 5_000; i++) {
      node.spawn((self: Self) => {
        // Half of the actors trap exits and ignore the signal, so they are killed.
        self.trapExit = i % 2 === 0;
        return () => {};
      });
    }
    parts.system.events.on("exit", () => ended++);
    let isOver = false;
    const stopped = node.stop().then(() => isOver = true);
    let [most, before] = [0, 0];
    while (!isOver) {
      await new Promise((turn) => setImmediate(turn));
      most = Math.max(most, ended - before);
      before = ended;
    }
    await stopped;
    assert(ended >= 5_000, `${ended} have ended`);
    assert(most <= 1_200, `${most} in one turn`);
  });
});
