/** Tests singletons with a quorum or a lease, planned moves, and unreachable holders. */
import { assert, assertEquals, assertRejects } from "@std/assert";
import { ArgumentError } from "../../lib/actor/errors.ts";
import type { Self } from "../../lib/actor/self.ts";
import type { Lease } from "../../lib/cluster/lease.ts";
import { SingletonError } from "../../lib/cluster/singleton.ts";
import type { Pid } from "../../lib/term/pid.ts";
import { COOKIE, startCheaply } from "../kit/keys.ts";
import { type TestNode, untilApart } from "../kit/mesh.ts";
import { test, until } from "../kit/test.ts";
import { Authority, awake, join, Runs, trio } from "./singleton_runs.ts";
import { withCluster } from "./test_cluster.ts";

test("Global.singleton: with a quorum, one side of a partition starts the child after the other side has stopped it", async () => {
  await trio(async (cluster, nodes, runs) => {
    await join(nodes, runs, { quorum: "majority" });
    const first = await runs.one(nodes);
    const at = nodes.indexOf(first);
    const rest = nodes.filter((node) => node !== first);
    for (const other of rest) cluster.cut(at, nodes.indexOf(other));
    await until("the minority has stopped it", () => !runs.live.has(first.name));
    const second = await runs.one(rest);
    for (const other of rest) cluster.heal(at, nodes.indexOf(other));
    await cluster.meet();
    assertEquals(await runs.one(nodes), second);
    assertEquals(runs.most, 1);
    const tokens = runs.log.map(({ token }) => token!);
    assert(tokens.every((token, i) => i === 0 || token > tokens[i - 1]!), `${tokens}`);
    assertEquals(runs.log.length, 2);
  });
});

test("Global.singleton: no second child starts while a third node is connected to the holder", async () => {
  await withCluster(3, async (cluster, ...nodes) => {
    const [a, b, c] = nodes as [TestNode, TestNode, TestNode];
    await cluster.meet();
    const runs = new Runs();
    await join([a], runs, {});
    cluster.cut(0, 1);
    await untilApart(b, a);
    await untilApart(a, b);
    const [part] = await join([b], runs, {});
    assertEquals([part!.isHere, part!.whereis()], [false, undefined]);
    assertEquals([runs.log.length, c.global.whereis("clock")?.node], [1, a.name]);
    // Once the third node has lost the holder too, another node takes over.
    cluster.cut(0, 2);
    await until("each side runs a copy", () => runs.live.size === 2);
    assertEquals([...runs.live].sort(), [a.name, b.name]);
  });
});

test("Global.singleton rejects at the timeout if the node has no quorum", async () => {
  await trio(async (cluster, nodes, runs) => {
    const [a, b] = nodes as [TestNode, TestNode];
    for (const other of [1, 2]) cluster.cut(0, other);
    await untilApart(a, b);
    const join = () =>
      a.global.singleton("clock", runs.child(a), { quorum: "majority", timeout: 300 });
    const error = await assertRejects(() => awake(join()), SingletonError) as SingletonError;
    assertEquals(error.code, "timeout");
    assert(error.message.includes("no quorum"), error.message);
    assertEquals(runs.log, []);
    const bad = [{ quorum: 0 }, { timeout: 2 ** 40 }, {
      quorum: 2,
      lease: new Authority().lease(100),
    }];
    for (const options of bad) {
      await assertRejects(
        () => a.global.singleton("other", runs.child(a), options),
        ArgumentError,
      );
    }
  });
});

test("Singleton.stop passes the child's state to the next child on another node", async () => {
  await withCluster(3, async (cluster, ...nodes) => {
    await cluster.meet();
    const runs = new Runs();
    const parts = [];
    for (const node of nodes) parts.push(await node.global.singleton("clock", runs.child(node)));
    const first = await runs.one(nodes);
    // Waits until all nodes have received the names of the managers.
    await cluster.settled();
    first.system.send(first.global.whereis<Pid<number>>("clock")!, 42);
    await parts[nodes.indexOf(first)]!.stop();
    const second = await runs.one(nodes);
    assert(second !== first);
    assertEquals(runs.log[1]!.state, 42);
    assertEquals(runs.most, 1);
    second.system.send(second.global.whereis<Pid<unknown>>("clock")!, "crash");
    await until("the child has been restarted", () => runs.log.length === 3);
    assertEquals([runs.log[2]!.node, runs.log[2]!.state], [second.name, undefined]);
    // After an unplanned move, the child starts without a state.
    await runs.one(nodes);
    await second.mesh.stop();
    second.system.stop();
    const third = await runs.one(nodes.filter((node) => node !== first && node !== second));
    assertEquals([third === first, runs.log[3]!.state], [false, undefined]);
  });
});

test("Global.singleton: with a lease, the authority decides which side of a partition runs the child", async () => {
  await trio(async (cluster, nodes, runs) => {
    const authority = new Authority();
    const lease = authority.lease(400);
    await join(nodes, runs, { lease });
    const first = await runs.one(nodes);
    const at = nodes.indexOf(first);
    for (const other of nodes.filter((node) => node !== first)) {
      cluster.cut(at, nodes.indexOf(other));
    }
    await until("the other nodes have tried to acquire the lease", () => {
      return authority.asked.filter((what) => what === "acquire").length > 3;
    });
    assertEquals([[...runs.live], runs.most], [[first.name], 1]);
    for (const other of nodes) if (other !== first) cluster.heal(at, nodes.indexOf(other));
    await cluster.meet();
    // The authority is unreachable: the child stops when the lease expires, not before.
    authority.isDown = true;
    await until("the child has stopped", () => runs.live.size === 0);
    authority.isDown = false;
    await runs.one(nodes);
    // Simulates that another node has acquired the lease, so that the holder loses it at the next
    // renewal.
    authority.token++;
    await until("the child has been started again", () => runs.log.length === 3);
    await runs.one(nodes);
    assertEquals([runs.most, runs.log.map(({ token }) => token)], [1, [1, 2, 4]]);
  });
});

test("Global.singleton rejects an invalid lease, and starts no child without a valid token", async () => {
  await using node = await startCheaply({ cookie: COOKIE, logLevel: "silent" });
  let started = 0;
  const child = {
    id: "child",
    start: (self: Self) => {
      started++;
      return self.spawnLink(() => () => {});
    },
  };
  const valid = {
    ttl: 300,
    acquire: () => Promise.resolve(1),
    renew: () => Promise.resolve(true),
    release: () => Promise.resolve(),
  };
  for (
    const bad of [{ ttl: NaN }, { ttl: "300" }, { ttl: 0 }, { renew: undefined }, { ttl: 2e12 }]
  ) {
    const lease = { ...valid, ...bad } as unknown as Lease;
    await assertRejects(() => node.global.singleton("one", child, { lease }), ArgumentError);
  }
  for (const token of [null, "1", NaN, 0, true]) {
    const lease = { ...valid, acquire: () => Promise.resolve(token as never) };
    const starting = node.global.singleton("one", child, { lease, timeout: 50 });
    await assertRejects(() => starting, SingletonError);
  }
  assertEquals(started, 0);
});
