/**
 * Tests that operations which wait for an exit distinguish a lost node from an exit: an actor on a
 * lost node may be alive.
 */
import { assert, assertEquals, assertRejects, assertThrows } from "@std/assert";
import { ArgumentError, NoConnectionError } from "../../lib/actor/errors.ts";
import type { Self } from "../../lib/actor/self.ts";
import { Node } from "../../lib/node.ts";
import { DynamicSupervisor } from "../../lib/otp/dynamic_supervisor.ts";
import { service } from "../../lib/otp/service.ts";
import { Supervisor } from "../../lib/otp/supervisor.ts";
import { cluster, type TestNode, withNodes } from "../kit/mesh.ts";
import { test, until } from "../kit/test.ts";
import { starter } from "./remote_workers.ts";

/** Runs `body` with two connected nodes. */
async function withTwo(body: (a: TestNode, b: TestNode) => Promise<void>): Promise<void> {
  await withNodes(async (start) => {
    const [a, b] = await cluster(start, 2) as [TestNode, TestNode];
    await body(a, b);
  });
}

const counter = service<{ state: number; call: { get(): number } }>({
  init: () => 0,
  call: { get: (n) => [n, n] },
});

/** Traps exits and ignores them, so that only a kill ends it. */
const stubborn = (self: Self): () => void => {
  self.trapExit = true;
  return () => {};
};

test("Service.stop and Supervisor.stop reject while the actor's node is unreachable", async () => {
  await withTwo(async (a, b) => {
    const pid = await counter.start(starter(b));
    const tree = await Supervisor.start(starter(b), { children: [] });
    const pool = await DynamicSupervisor.start(starter(b));
    b.system.names.register("counter", pid);
    b.system.names.register("tree", tree.pid);
    b.system.names.register("pool", pool.pid);
    // Returns a pid as the other node receives it.
    const seen = async (name: string) =>
      (await a.system.call({ name: "names", node: b.name }, name)) as typeof tree.pid;
    b.system.spawn(undefined, { name: "names" }, () => (call: never) => {
      const { request, reply } = call as { request: string; reply(pid: unknown): void };
      reply.call(call, b.system.names.whereis(request));
    }, []);
    const far = {
      counter: await seen("counter") as unknown as typeof pid,
      tree: new Supervisor(await seen("tree")),
      pool: new DynamicSupervisor(await seen("pool")),
    };
    await a.mesh.disconnect(b.name);
    await until(
      "the nodes are disconnected",
      () => a.mesh.peers().length + b.mesh.peers().length === 0,
    );

    await assertRejects(() => counter.stop(far.counter), NoConnectionError, b.name);
    await assertRejects(() => far.tree.stop(), NoConnectionError, b.name);
    await assertRejects(() => far.pool.stop(), NoConnectionError, b.name);
    for (const alive of [pid, tree.pid, pool.pid]) assert(b.system.isAlive(alive));

    await a.mesh.connect(b.name);
    await counter.stop(far.counter);
    await far.tree.stop();
    await far.pool.stop();
    for (const ended of [pid, tree.pid, pool.pid]) assert(!b.system.isAlive(ended));
    // Stopping an actor that has already exited resolves.
    await counter.stop(far.counter);
    await far.tree.stop();
  });
});

test("Supervisor.stop rejects if the session is lost while the supervisor stops", async () => {
  await withTwo(async (a, b) => {
    b.remote.spawner.expose(
      "tree",
      Supervisor.body({
        children: [{
          id: "stubborn",
          shutdown: Infinity,
          start: (self) => self.spawnLink(stubborn),
        }],
      }) as never,
    );
    const pid = await a.system.spawnAt<unknown>(
      a.system.externalCaller,
      { node: b.name, fn: "tree" },
      false,
      undefined,
      [],
    );
    const stopped = new Supervisor(pid).stop();
    const outcome = assertRejects(() => stopped, NoConnectionError, b.name);
    await a.mesh.disconnect(b.name);
    await outcome;
  });
});

test("System.whenEnded resolves to noconnection if the actor itself exits with that reason", async () => {
  await withTwo(async (a, b) => {
    b.remote.spawner.expose("leaver", ((self: Self) => () => self.exit("noconnection")) as never);
    const pid = await a.system.spawnAt<string>(
      a.system.externalCaller,
      { node: b.name, fn: "leaver" },
      false,
      undefined,
      [],
    );
    const ended = a.system.whenEnded(pid);
    a.system.send(pid, "leave");
    assertEquals(await ended, "noconnection");
  });
});

test("Node.isAlive throws for an actor of another node", async () => {
  await withTwo(async (a, b) => {
    b.remote.spawner.expose("stubborn", stubborn as never);
    const there = { node: b.name, fn: "stubborn" };
    const pid = await a.system.spawnAt(a.system.externalCaller, there, false, undefined, []);
    assertThrows(() => Node.of(a).isAlive(pid), ArgumentError, "another node");
    assertEquals(Node.of(b).isAlive(b.system.pids().at(-1)!), true);
  });
});

test("Supervisor.terminateChild of an unreachable child rejects, and kills the child later", async () => {
  await withTwo(async (a, b) => {
    b.remote.spawner.expose("stubborn", stubborn as never);
    await until("a knows the function", () => a.mesh.exposedBy(b.name)!.includes("stubborn"));
    const remote = {
      node: b.name,
      fn: "stubborn",
      shutdown: Infinity,
      onNodeDown: "wait",
    } as const;
    const tree = await Supervisor.start(starter(a), { children: [{ id: "stubborn", ...remote }] });
    const pool = await DynamicSupervisor.start(starter(a));
    const pid = await pool.startChild(remote);
    const before = b.system.size;
    // The shutdown signals are sent, and ignored, before the session is lost.
    const outcomes = [
      assertRejects(() => tree.terminateChild("stubborn"), NoConnectionError, "killed when"),
      assertRejects(() => pool.terminateChild(pid), NoConnectionError, "killed when"),
    ];
    await a.mesh.disconnect(b.name);
    await Promise.all(outcomes);
    assertEquals(b.system.size, before, "both children are alive");
    await a.mesh.connect(b.name);
    await until("both children are killed", () => b.system.size === before - 2);
  });
});
