/**
 * Tests global names on nodes of one process, over loopback TLS and over an in-memory network that
 * provokes races.
 */
import { assert, assertEquals, assertRejects, assertThrows } from "@std/assert";
import { Exit } from "../../lib/actor/exit.ts";
import type { Self } from "../../lib/actor/self.ts";
import { ArgumentError, NameError, NoProcError } from "../../lib/actor/errors.ts";
import { Writer } from "../../lib/base/bytes.ts";
import { NameChange } from "../../lib/cluster/changes.ts";
import type { NameConflict, OnConflict } from "../../lib/cluster/lost_name.ts";
import { Global } from "../../lib/cluster/global.ts";
import { NAMES_MAX, Registry } from "../../lib/cluster/registry.ts";
import { STAMP_MAX } from "../../lib/cluster/rows.ts";
import { TAG } from "../../lib/mesh/message.ts";
import type { Pid } from "../../lib/term/pid.ts";
import { cluster, type TestNode, untilApart, warnings, withNodes } from "../kit/mesh.ts";
import { COOKIE, startCheaply } from "../kit/keys.ts";
import { test, until } from "../kit/test.ts";
import {
  fastHost,
  found,
  hex,
  idle,
  recorder,
  sendMessage,
  TestCluster,
  turn,
  untilFound,
  withCluster,
} from "./test_cluster.ts";

test("Global.register resolves after all nodes can find the name", async () => {
  await withNodes(async (start) => {
    const nodes = await cluster(start, 3);
    const [a, b, c] = nodes as [TestNode, TestNode, TestNode];
    const pid = idle(a);
    assertEquals(await a.global.register("cart", pid), true);
    assertEquals(found(nodes, "cart"), Array(3).fill(pid.key));
    assertEquals(await b.global.register("cart", idle(b)), false);
    assertEquals(await a.global.register("cart", pid), true);
    assertEquals(b.global.unregister("cart"), false);
    assertEquals(c.global.names(), ["cart"]);
    a.system.exit(pid, "kill");
    await untilFound(nodes, "cart", undefined);
    assertEquals(await b.global.register("cart", idle(b)), true);
    await b.mesh.stop();
    await until(
      "the name is removed with its node",
      () => found([a, c], "cart").every((key) => !key),
    );
  });
});

test("Node.connect resolves after the names of the other node are known", async () => {
  const options = { cookie: COOKIE, logLevel: "silent" } as const;
  await using a = await startCheaply({ ...options, name: "a@127.0.0.1:0" });
  await using b = await startCheaply({ ...options, name: "b@127.0.0.1:0" });
  const pid = a.spawn(() => () => {});
  for (let i = 0; i < 5_000; i++) void a.global.register(`name ${i}`, pid);
  await b.connect(a.name);
  assertEquals(b.global.names().length, 5_000);
  assertEquals(b.global.whereis("name 4999")?.equals(pid), true);
});

test("Global.register rejects an invalid name and an exited actor", async () => {
  await withCluster(1, async (_cluster, a) => {
    const bad = ["", "\0", "\0x", "é".repeat(128), "x".repeat(256), "\ud800"];
    for (const name of bad) {
      const error = await assertRejects(() => a!.global.register(name, idle(a!)), NameError);
      assertEquals(error.code, "badname");
      assertEquals(a!.global.unregister(name), false);
    }
    const longest = "é".repeat(127) + "x";
    assertEquals(await a!.global.register(longest, idle(a!)), true);
    assertEquals(a!.global.names(), [longest]);
    const dead = idle(a!);
    a!.system.exit(dead, "kill");
    await assertRejects(() => a!.global.register("x", dead), NoProcError);
    assertThrows(() => a!.global.monitor("x", dead as Pid<NameChange>), NoProcError);
  });
});

test("Global.register resolves to false for a name of another actor, and to true again for the holder", async () => {
  await withCluster(2, async (testCluster, a, b) => {
    await testCluster.meet();
    const [first, second] = [idle(a!), idle(a!)];
    const answers = [first, second, first].map((pid) => a!.global.register("x", pid));
    assertEquals(await Promise.all(answers), [true, false, true]);
    assertEquals(await b!.global.register("x", first), false);
    assertEquals(found([a!, b!], "x"), [first.key, first.key]);
    // An actor may have several names. Unregistering one of them does not remove the others.
    await a!.global.register("y", first);
    assertEquals([a!.global.unregister("x"), a!.global.unregister("x")], [true, false]);
    await untilFound([a!, b!], "x", undefined);
    assertEquals(found([a!, b!], "y"), [first.key, first.key]);
    assertEquals(await b!.global.register("x", idle(b!)), true);
    a!.system.exit(second, "kill");
    a!.system.exit(first, "kill");
    await untilFound([a!, b!], "y", undefined);
    assertEquals([a!.global.names(), b!.global.names()], [["x"], ["x"]]);
  });
});

test("Global: two nodes that connect exchange the names that were registered before", async () => {
  await withCluster(3, async (testCluster, a, b, c) => {
    const pids = [a!, b!, c!].map(idle);
    for (const [i, node] of [a!, b!, c!].entries()) {
      await node.global.register(`of ${i}`, pids[i]!);
    }
    await testCluster.meet();
    for (const [i, pid] of pids.entries()) await untilFound([a!, b!, c!], `of ${i}`, pid);
    // Only one node loses its session with another. The third still has both sessions and keeps
    // every name.
    testCluster.cut(0, 1);
    await untilApart(a!, b!);
    await untilApart(b!, a!);
    assertEquals([a!.global.names().sort(), b!.global.names().sort()], [
      ["of 0", "of 2"],
      ["of 1", "of 2"],
    ]);
    assertEquals(c!.global.names().sort(), ["of 0", "of 1", "of 2"]);
    testCluster.heal(0, 1);
    await testCluster.meet();
    for (const [i, pid] of pids.entries()) await untilFound([a!, b!, c!], `of ${i}`, pid);
  });
});

test("Global.register: one of three nodes that register a name at the same time gets the name", async () => {
  await withCluster(3, async (testCluster, ...nodes) => {
    await testCluster.meet();
    for (let i = 0; i < 50; i++) {
      const answers = await Promise.all(
        nodes.map((node) => node.global.register(`n${i}`, idle(node))),
      );
      assertEquals(answers.filter(Boolean).length, 1);
      const owner = nodes[answers.indexOf(true)]!;
      await until("all nodes find the same actor", () => new Set(found(nodes, `n${i}`)).size === 1);
      assertEquals(nodes[0]!.global.whereis(`n${i}`)?.node, owner.name);
    }
  });
});

test("Global.register resolves to true although a third node learns late that the name is free", async () => {
  await withCluster(3, async (testCluster, a, b, c) => {
    await testCluster.meet();
    const [old, young] = [idle(a!), idle(b!)];
    await a!.global.register("x", old);
    testCluster.faults.isHeld = true;
    a!.global.unregister("x");
    await testCluster.pass(1, 0);
    assertEquals(found([a!, b!, c!], "x"), [undefined, undefined, old.key]);
    let answer: boolean | undefined;
    void b!.global.register("x", young).then((registered) => answer = registered);
    await testCluster.pass(0, 1);
    await testCluster.pass(2, 1);
    await testCluster.pass(1, 0);
    await testCluster.pass(1, 2);
    // C's answer was "taken", but the holder that it named has unregistered already.
    assertEquals([answer, c!.global.whereis("x")?.key], [undefined, old.key]);
    await testCluster.pass(2, 0);
    assertEquals(c!.global.whereis("x")?.key, young.key);
    await testCluster.pass(1, 2);
    assertEquals(answer, true);
  });
});

test("Global.register resolves to false if a third node knows an unreachable holder", async () => {
  await withCluster(3, async (testCluster, a, b, c) => {
    await testCluster.meet();
    const old = idle(a!);
    await a!.global.register("x", old);
    testCluster.cut(0, 1);
    await untilApart(b!, a!);
    assertEquals(b!.global.whereis("x"), undefined);
    assertEquals(await b!.global.register("x", idle(b!)), false);
    await untilFound([a!, c!], "x", old);
  });
});

test("Global.register resolves to false if a third node that still knew a holder loses it", async () => {
  await withCluster(3, async (testCluster, a, b, c) => {
    await testCluster.meet();
    await a!.global.register("x", idle(a!));
    testCluster.faults.isHeld = true;
    a!.global.unregister("x");
    await testCluster.pass(1, 0);
    let answer: boolean | undefined;
    void b!.global.register("x", idle(b!)).then((registered) => answer = registered);
    await testCluster.pass(2, 1);
    await testCluster.pass(1, 2);
    testCluster.cut(0, 1);
    await testCluster.pass(1, 0);
    await until("the call has resolved", () => answer !== undefined);
    assertEquals([answer, b!.global.whereis("x")], [false, undefined]);
    assertEquals(c!.global.whereis("x")?.node, a!.name);
  });
});

test("Global.register does not wait for the answer of a lost node", async () => {
  await withCluster(3, async (testCluster, a, b, c) => {
    await testCluster.meet();
    testCluster.faults.isHeld = true;
    const pid = idle(a!);
    let answer: boolean | undefined;
    void a!.global.register("x", pid).then((registered) => answer = registered);
    await testCluster.pass(1, 0);
    await testCluster.pass(0, 1);
    assertEquals(answer, undefined);
    // A second call, while the first is pending, resolves to the same value.
    const again = a!.global.register("x", pid);
    assertEquals(await a!.global.register("x", idle(a!)), false);
    testCluster.cut(0, 2);
    await testCluster.pass(0, 2);
    assertEquals([answer, await again], [true, true]);
    assertEquals(b!.global.whereis("x")?.key, pid.key);
    assertEquals(c!.global.whereis("x"), undefined);
  });
});

test("Global.register resolves to false if the actor exits before all nodes have answered", async () => {
  await withCluster(2, async (testCluster, a, b) => {
    await testCluster.meet();
    testCluster.faults.isHeld = true;
    const pid = idle(a!);
    const first = a!.global.register("x", pid);
    assertEquals(a!.global.unregister("x"), true);
    const second = a!.global.register("x", pid);
    a!.system.exit(pid, "kill");
    const third = a!.global.register("x", idle(a!));
    // The answers to the first two registrations are in transit when the third one is requested.
    testCluster.faults.clear();
    assertEquals(await Promise.all([first, second, third]), [false, false, true]);
    await untilFound([a!, b!], "x", a!.global.whereis("x"));
  });
});

test("Global.register resolves to false if an event listener unregisters the name at once", async () => {
  await withCluster(2, async (testCluster, a, b) => {
    await testCluster.meet();
    const stop = a!.events.on("name", ({ name, pid }) => {
      if (name === "x" && pid !== undefined) a!.global.unregister("x");
    });
    assertEquals(await a!.global.register("x", idle(a!)), false);
    stop();
    await a!.global.register("y", idle(a!));
    assertEquals(b!.global.names(), ["y"]);
  });
});

test("Global.monitor sends the current holder of a name, and then each change in order", async () => {
  await withCluster(2, async (testCluster, a, b) => {
    await testCluster.meet();
    const log: NameChange[] = [];
    const watcher = recorder<NameChange>(b!, log);
    const stop = b!.global.monitor("x", watcher);
    b!.global.monitor("x", watcher);
    const pid = idle(a!);
    await a!.global.register("x", pid);
    a!.global.unregister("x");
    await until("all four changes have arrived", () => log.length === 4);
    assert(log.every((message) => message instanceof NameChange));
    const keys = (): (string | undefined)[] => log.map((change) => change.pid?.key);
    assertEquals(keys(), [undefined, undefined, pid.key, undefined]);
    // The listener registers a name of the lost node again while it handles the removal of another
    // name.
    await a!.global.register("w", pid);
    await a!.global.register("x", pid);
    const heir = idle(b!);
    b!.events.on("name", (event) => {
      if (event.name === "w" && event.pid === undefined) void b!.global.register("x", heir);
    });
    await testCluster.settled();
    testCluster.cut(0, 1);
    await until("both changes have arrived", () => log.length === 6);
    assertEquals(keys().slice(4), [pid.key, heir.key]);
    assertEquals(b!.global.whereis("x")?.key, heir.key);
    stop();
    b!.global.unregister("x");
    await turn();
    assertEquals(log.length, 6);
  });
});

/**
 * Runs `body` with two disconnected nodes that hold the same name; the first has held it longer.
 */
async function conflict(
  onConflict: OnConflict | undefined,
  body: (
    testCluster: TestCluster,
    a: TestNode,
    b: TestNode,
    log: unknown[],
  ) => Promise<void>,
  hurry: number = 1,
  observed: unknown[] = [],
): Promise<void> {
  await withNodes(async (start) => {
    const testCluster = new TestCluster(start);
    const a = await testCluster.add();
    const b = await testCluster.add((host) => fastHost(host, hurry));
    const log: unknown[] = [];
    await a.global.register("x", recorder(a, observed));
    // Waits for longer than the resolution of stamps, one millisecond, so that the second stamp is
    // later.
    await new Promise((wake) => setTimeout(wake, 2));
    assertEquals(await b.global.register("x", recorder(b, log), { onConflict }), true);
    await body(testCluster, a, b, log);
  });
}

test("Global: the later of two holders of a name exits with the winner in its reason after a partition", async () => {
  await conflict(undefined, async (testCluster, a, b, log) => {
    const received: NameConflict[] = [];
    const names: unknown[] = [];
    b.events.on("nameconflict", (event) => received.push(event));
    b.events.on("name", ({ name, pid }) => name === "x" && names.push([name, pid?.key]));
    const winner = a.global.whereis("x")!;
    const loser = b.global.whereis("x")!;
    await testCluster.meet();
    await untilFound([a, b], "x", winner);
    await until("the loser has received its exit", () => log.length === 1);
    const exit = log[0] as Exit;
    assert(exit instanceof Exit);
    const reason = exit.reason as { nameConflict: string; winner: Pid };
    assertEquals([reason.nameConflict, reason.winner.equals(winner)], ["x", true]);
    assertEquals(received.map(({ name }) => name), ["x"]);
    assertEquals([received[0]!.winner.equals(winner), received[0]!.loser.equals(loser)], [
      true,
      true,
    ]);
    assertEquals(names, [["x", winner.key]]);
    assertEquals(a.system.isAlive(winner), true);
  });
});

test('Global: the loser of a name with onConflict "keep" continues to run without the name', async () => {
  for (const keep of ["keep", () => "keep", () => Promise.resolve("keep")] as OnConflict[]) {
    await conflict(keep, async (testCluster, a, b, log) => {
      const loser = b.global.whereis("x")!;
      await testCluster.meet();
      await untilFound([a, b], "x", a.global.whereis("x"));
      await testCluster.meet();
      assertEquals([log, b.system.isAlive(loser)], [[], true]);
      // The name does not return to the loser when the winner unregisters.
      a.global.unregister("x");
      await untilFound([a, b], "x", undefined);
      assertEquals(await b.global.register("x", loser), true);
    });
  }
});

test("Global: onConflict may send the loser's state to the winner before the loser exits", async () => {
  const observed: unknown[] = [];
  let give!: () => void;
  const given = new Promise<void>((resolve) => give = resolve);
  let node!: TestNode;
  const merge = async ({ winner, name }: NameConflict): Promise<void> => {
    // Registering again has no effect.
    assertEquals(await node.global.register(name, idle(node)), false);
    await given;
    node.system.send(winner as Pid<unknown>, "the loser's state");
  };
  await conflict(
    merge,
    async (testCluster, a, b, log) => {
      node = b;
      const loser = b.global.whereis("x")!;
      await testCluster.meet();
      await untilFound([a, b], "x", a.global.whereis("x"));
      assertEquals([log, b.system.isAlive(loser)], [[], true]);
      give();
      await until("the loser has exited", () => log.length === 1);
      await until("the loser's state has arrived", () => observed.length > 0);
      assertEquals(observed, ["the loser's state"]);
    },
    1,
    observed,
  );
});

test("Global: the later holder exits if the resolver throws or never settles", async () => {
  const never = (): Promise<never> => new Promise(() => {});
  const throws = (): never => {
    throw new Error("fails as requested");
  };
  for (const resolver of [throws, () => Promise.reject(new Error("fails as requested")), never]) {
    await conflict(resolver, async (testCluster, a, b, log) => {
      const winner = a.global.whereis("x")!;
      await testCluster.meet();
      await untilFound([a, b], "x", winner);
      await until("the loser has received its exit", () => log.length === 1);
      assert(log[0] instanceof Exit);
    }, 10);
  }
});

test("Global: a conflict that is known through a third node is resolved when the two holders connect", async () => {
  await withCluster(3, async (testCluster, a, b, c) => {
    testCluster.cut(0, 1);
    const [observed, log, asked] = [[], [], []] as [unknown[], unknown[], unknown[]];
    for (const name of ["handed", "chosen"]) {
      await a!.global.register(name, recorder(a!, observed));
    }
    await new Promise((wake) => setTimeout(wake, 2));
    const hand = ({ winner }: NameConflict): void => b!.system.send(winner as Pid<string>, "state");
    await b!.global.register("handed", recorder(b!, log), { onConflict: hand });
    const chosen = recorder(b!, log);
    await b!.global.register("chosen", chosen, {
      resolve: (name, one, other) => {
        asked.push(name);
        return one.node === b!.name ? one : other;
      },
    });
    for (const node of [a!, b!]) await node.mesh.connect(c!.name);
    await untilFound([c!], "handed", a!.global.whereis("handed"));
    await untilFound([b!], "handed", undefined);
    assertEquals([observed, log, asked, b!.global.whereis("chosen")], [[], [], [], chosen]);
    testCluster.heal(0, 1);
    await testCluster.meet();
    await untilFound([a!, b!, c!], "chosen", chosen);
    await until("the state has arrived", () => observed.length > 0);
    assertEquals(observed.filter((message) => message === "state"), ["state"]);
    assertEquals(asked, ["chosen"]);
  });
});

test("Global: one holder keeps the name if three nodes with a holder each connect at the same time", async () => {
  await withCluster(3, async (testCluster, ...nodes) => {
    const pids = nodes.map(idle);
    for (const [i, node] of nodes.entries()) await node.global.register("x", pids[i]!);
    const received: NameConflict[] = [];
    for (const { events } of nodes) events.on("nameconflict", (event) => received.push(event));
    await Promise.all(
      nodes.map((node, i) => node.mesh.connect(nodes[(i + 1) % 3]!.name).catch(() => {})),
    );
    await testCluster.meet();
    await until("two holders have exited", () => {
      return pids.filter((pid, i) => nodes[i]!.system.isAlive(pid)).length === 1;
    });
    const kept = pids.find((pid, i) => nodes[i]!.system.isAlive(pid))!;
    await untilFound(nodes, "x", kept);
    assertEquals(received.length, 2);
  });
});

test("Global.register accepts an actor of another node, and frees its name when the session ends", async () => {
  await withCluster(3, async (testCluster, a, b, c) => {
    await testCluster.meet();
    const nodes = [a!, b!, c!];
    const away = idle(b!);
    const kept = (): number => a!.system.externalCaller.monitors?.size ?? 0;
    for (let i = 0; i < 3; i++) {
      await c!.global.register("post", away);
      await until("a knows the name", () => a!.global.whereis("post") !== undefined);
      const far = a!.global.whereis("post")!;
      c!.global.unregister("post");
      assertEquals(await a!.global.register("x", far), true);
      assertEquals(kept(), 1);
      assertEquals(b!.global.whereis("x"), away);
      a!.global.unregister("x");
      assertEquals(kept(), 0);
      await untilFound(nodes, "post", undefined);
    }
    await b!.global.register("post", away);
    const far = a!.global.whereis("post")!;
    await a!.global.register("x", far);
    assertEquals(found(nodes, "x"), [away.key, away.key, away.key]);
    b!.system.exit(away, "kill");
    await untilFound(nodes, "x", undefined);
    await assertNone(a!, far);
    const other = idle(b!);
    await b!.global.register("post", other);
    await a!.global.register("x", a!.global.whereis("post")!);
    await until("c knows the name", () => c!.global.whereis("x") !== undefined);
    testCluster.cut(0, 1);
    await until("c has removed the name", () => c!.global.whereis("x") === undefined);
    assertEquals([a!.global.whereis("x"), kept()], [undefined, 0]);
  });
});

/**
 * Asserts that a name is registered at most briefly for an actor of another node that has exited.
 */
async function assertNone(node: TestNode, pid: Pid<never>): Promise<void> {
  await node.global.register("x", pid).catch(() => {});
  await until("the name is removed", () => node.global.whereis("x") === undefined);
}

test("Global: an actor that two nodes register under one name keeps the name without a conflict", async () => {
  await withCluster(2, async (testCluster, a, b) => {
    await testCluster.meet();
    const pid = idle(b!);
    await b!.global.register("post", pid);
    assertEquals(await a!.global.register("x", a!.global.whereis("post")!), true);
    const received: NameConflict[] = [];
    a!.events.on("nameconflict", (event) => received.push(event));
    // Simulates that the other node registered the name long ago, while disconnected.
    const row = new Writer().u32(1).text16("x").u64(BigInt(pid.id)).text16(b!.name).u64(1n);
    sendMessage(b!, a!, TAG.GLOBAL_SYNC, row.done());
    await testCluster.settled();
    assertEquals(a!.global.unregister("x"), false);
    assertEquals([received, b!.system.isAlive(pid)], [[], true]);
    assertEquals(a!.global.whereis("x")?.equals(pid), true);
  });
});

test("Global: a name that is unregistered while the list of names is sent is not found on the other node", async () => {
  await withCluster(2, async (testCluster, a, b) => {
    const pid = idle(a!);
    const names = Array.from({ length: 700 }, (_, i) => `${i} ${"é".repeat(120)}`);
    for (const name of names) void a!.global.register(name, pid);
    a!.events.on("nodeup", () => {
      for (const name of names) a!.global.unregister(name);
      void a!.global.register("last", pid);
    });
    await a!.mesh.connect(b!.name);
    await until("the last name is known", () => b!.global.whereis("last") !== undefined);
    assertEquals(b!.global.names(), ["last"]);
    await testCluster.settled();
    assertEquals(b!.global.names(), ["last"]);
  });
});

test("Global: a list of thousands of names is sent correctly while its names change", async () => {
  await withCluster(2, async (testCluster, a, b) => {
    const pid = idle(a!);
    for (let i = 0; i < 6_000; i++) void a!.global.register(`n${i}`, pid);
    a!.events.on("nodeup", () => {
      for (let i = 0; i < 6_000; i += 2) a!.global.unregister(`n${i}`);
      for (let i = 0; i < 6_000; i += 4) void a!.global.register(`n${i}`, pid);
    });
    await a!.mesh.connect(b!.name);
    await b!.registry.synced(a!.name);
    await testCluster.settled();
    assertEquals(b!.global.names().sort(), a!.global.names().sort());
    assertEquals(b!.global.names().length, 4_500);
  });
});

/** Resolves to the names that a node finds right after it has lost another node. */
function namesAtLoss(node: TestNode): Promise<string[]> {
  return new Promise((lost) => {
    const stop = node.events.on("nodedown", () => {
      stop();
      lost(node.global.names());
    });
  });
}

test("Global: a peer that violates the protocol is disconnected, and its names are removed", async () => {
  const list = (name: string, owner: string, stamp = 1n): Writer =>
    new Writer().u32(1).text16(name).u64(7n).text16(owner).u64(stamp);
  const register = (name: string, owner: string, pid = 7n, stamp = 1n): Writer =>
    new Writer().text16(name).u64(pid).text16(owner).u64(stamp).u64(1n);
  const late = BigInt(STAMP_MAX) + 1n;
  const rules: readonly (readonly [number, (me: string, third: string) => Writer, string])[] = [
    [TAG.GLOBAL_REGISTER, (_, third) => register("x", third), "a REGISTER of another node's name"],
    [TAG.GLOBAL_REGISTER, (me) => register("", me), "a malformed REGISTER"],
    [
      TAG.GLOBAL_REGISTER,
      (me) => register("x", me, 0xffff_0000_0000_0007n),
      "a malformed REGISTER",
    ],
    [TAG.GLOBAL_REGISTER, (me) => register("x", me, 7n, late), "a malformed REGISTER"],
    [TAG.GLOBAL_SYNC, (_, third) => list("x", third), "a SYNC of another node's names"],
    [TAG.GLOBAL_SYNC, (me) => list("x".repeat(256), me), "a malformed SYNC"],
    [TAG.GLOBAL_SYNC, (me) => list("x", me, late), "a malformed SYNC"],
    [TAG.GLOBAL_SYNC, () => new Writer().u32(0xffff_ffff), "a malformed SYNC"],
    [TAG.GLOBAL_SYNC, () => new Writer().u32(1), "a malformed SYNC"],
    [TAG.GLOBAL_UNREGISTER, () => new Writer().u16(9), "a malformed UNREGISTER"],
    [TAG.GLOBAL_REGISTERED, () => new Writer().u64(1n), "a malformed REGISTERED"],
    [TAG.GROUP_JOIN, () => new Writer().u32(1).text16("s").text16("g"), "a JOIN that is malformed"],
    [TAG.GROUP_JOIN, () => new Writer().u32(0xffff_ffff), "a JOIN that is malformed"],
    [
      TAG.GROUP_JOIN,
      () => new Writer().u32(1).text16("s").text16("g").u64(1n << 48n | 7n),
      "a JOIN of another node's actor",
    ],
    [
      TAG.GROUP_LEAVE,
      () => new Writer().u32(1).text16("s").text16("g").u64(1n << 48n | 7n),
      "a LEAVE of another node's actor",
    ],
  ];
  await withCluster(3, async (testCluster, a, b, c) => {
    await testCluster.meet();
    await c!.global.register("of c", idle(c!));
    for (const [tag, row, rule] of rules) {
      await b!.global.register("of b", idle(b!));
      // The nodes may reconnect before the test checks, so the test reads the names in the listener
      // of the event.
      const [gone, noticed] = [namesAtLoss(a!), namesAtLoss(b!)];
      sendMessage(b!, a!, tag, row(b!.name, c!.name).done());
      await until(
        `the violation is logged: ${rule}`,
        () => warnings(a!).some((line) => line.includes(rule)),
      );
      assertEquals(await gone, ["of c"], rule);
      await noticed;
      a!.lines.length = 0;
      b!.global.unregister("of b");
      await b!.mesh.connect(a!.name);
    }
  });
});

test("Global: an answer without a request, or for another node, is ignored", async () => {
  await withCluster(3, async (testCluster, a, b, c) => {
    await testCluster.meet();
    testCluster.faults.isHeld = true;
    let answer: boolean | undefined;
    const pid = idle(a!);
    void a!.global.register("x", pid).then((registered) => answer = registered);
    for (let request = 0n; request < 9n; request++) {
      for (const status of [0, 1, 9]) {
        const row = new Writer().u64(request).u8(status).text16("d@h:1").done();
        if (status === 0) sendMessage(b!, a!, TAG.GLOBAL_REGISTERED, row);
        else if (request < 1n) sendMessage(b!, a!, TAG.GLOBAL_REGISTERED, row);
      }
    }
    await testCluster.pass(0, 1);
    await testCluster.pass(1, 0);
    await testCluster.pass(0, 1);
    assertEquals([answer, a!.global.whereis("x")?.key], [undefined, pid.key]);
    await testCluster.pass(2, 0);
    await testCluster.pass(0, 2);
    assertEquals(answer, true);
    // Later messages for an answered request are ignored.
    for (let request = 0n; request < 9n; request++) {
      sendMessage(
        b!,
        a!,
        TAG.GLOBAL_REGISTERED,
        new Writer().u64(request).u8(1).text16(b!.name).done(),
      );
    }
    await testCluster.pass(0, 1);
    assertEquals(a!.global.whereis("x")?.key, pid.key);
    assertEquals(c!.global.whereis("x")?.key, pid.key);
  });
});

test("Global.register succeeds although another node has names with the highest possible stamps", async () => {
  await withCluster(2, async (testCluster, a, b) => {
    await testCluster.meet();
    const far = (name: string, stamp: number): Uint8Array =>
      new Writer().text16(name).u64(7n).text16(b!.name).u64(BigInt(stamp)).u64(9n).done();
    for (const stamp of [STAMP_MAX - 1, STAMP_MAX]) {
      sendMessage(b!, a!, TAG.GLOBAL_REGISTER, far("far", stamp));
      await until("a knows the name", () => a!.global.whereis("far") !== undefined);
      for (let i = 0; i < 3; i++) assertEquals(await a!.global.register(`n${i}`, idle(a!)), true);
      await until("b knows all names", () => b!.global.names().length === 3);
      for (let i = 0; i < 3; i++) a!.global.unregister(`n${i}`);
      await until("b has removed all names", () => b!.global.names().length === 0);
    }
    // Two REGISTERs with the same request number are both answered, and change nothing.
    sendMessage(b!, a!, TAG.GLOBAL_REGISTER, far("far", 1));
    sendMessage(b!, a!, TAG.GLOBAL_REGISTER, far("far", 1));
    await testCluster.settled();
    assertEquals(a!.global.names(), ["far"]);
    assertEquals(warnings(a!), []);
  });
});

test("Global: a peer that announces more names than the limit is disconnected", async () => {
  await withCluster(2, async (testCluster, a, b) => {
    await testCluster.meet();
    const line = a!.remote.nodeLink(b!.name)!;
    const registry = new Registry(a!.system, a!.events, () => 1, 2);
    const global = new Global(a!.system, registry);
    const pid = idle(a!);
    const answers = ["x", "y"].map((name) => global.register(name, pid));
    assertEquals(await Promise.all(answers), [true, true]);
    await assertRejects(() => global.register("z", pid), ArgumentError);
    await b!.global.register("far", idle(b!));
    const { kept } = line;
    const far = a!.global.whereis("far")!;
    await assertRejects(() => global.register("z", far), ArgumentError);
    assertEquals(line.kept, kept);
    global.unregister("x");
    assertEquals(await global.register("z", pid), true);
    registry.up(line);
    const row = (...names: string[]): Uint8Array => {
      const writer = new Writer().u32(names.length);
      for (const name of names) writer.text16(name).u64(7n).text16(b!.name);
      for (const _ of names) writer.u64(1n);
      return writer.done();
    };
    const register = (name: string): Uint8Array =>
      new Writer().text16(name).u64(7n).text16(b!.name).u64(1n).u64(1n).done();
    // Names that are announced repeatedly count once.
    assertEquals(registry.sync(line, row("v", "w", "v")), undefined);
    assertEquals(registry.registering(line, register("w")), undefined);
    assertEquals(registry.registering(line, register("u")), "more than 2 names");
    registry.down(line);
    assertEquals(global.names(), ["y", "z"]);
    registry.up(line);
    assertEquals(registry.sync(line, row("u", "v", "w")), "more than 2 names");
    assertEquals(NAMES_MAX, 2 ** 18);
  });
});

test("Global: messages about names have the documented layout", async () => {
  await withCluster(2, async (testCluster, a, b) => {
    await testCluster.meet();
    const rows: string[] = [];
    const line = a!.remote.nodeLink(b!.name)!;
    const { row } = line;
    line.row = (tag: number, body: Uint8Array) => {
      rows.push(`${tag.toString(16)} ${hex(body)}`);
      row.call(line, tag, body);
    };
    const pid = idle(a!);
    await a!.global.register("ab", pid);
    a!.global.unregister("ab");
    const owner = hex(new Writer().text16(a!.name).done());
    const id = hex(new Writer().u64(BigInt(pid.id)).done());
    assertEquals(rows.length, 2);
    assert(rows[0]!.startsWith(`1b 02006162${id}${owner}`), rows[0]);
    assertEquals(rows[0]!.length, `1b 02006162${id}${owner}`.length + 32);
    assertEquals(rows[1], "1c 02006162");
    await a!.global.register("ab", pid);
    rows.length = 0;
    a!.registry.up(line);
    assertEquals(a!.registry.sendMore(line), false);
    assert(rows[0]!.startsWith(`1d 0100000002006162${id}${owner}`), rows[0]);
    assertEquals(rows[0]!.length, `1d 0100000002006162${id}${owner}`.length + 16);
    assertEquals(rows.slice(1), ["1d 00000000"]);
  });
});

test("Global: messages of a closed session are ignored", async () => {
  await withCluster(2, async (testCluster, a, b) => {
    await testCluster.meet();
    const line = a!.remote.nodeLink(b!.name)!;
    const sent: number[] = [];
    line.row = (tag: number) => void sent.push(tag);
    const registry = new Registry(a!.system, a!.events, () => 1);
    const global = new Global(a!.system, registry);
    const row = new Writer().text16("x").u64(7n).text16(b!.name).u64(1n).u64(1n).done();
    const list = new Writer().u32(1).text16("x").u64(7n).text16(b!.name).u64(1n).done();
    const nothing = (): void => {
      assertEquals(registry.registering(line, row), undefined);
      assertEquals(registry.sync(line, list), undefined);
      assertEquals(registry.unregistering(line, new Writer().text16("x").done()), undefined);
      assertEquals([registry.sendMore(line), registry.down(line)], [false, undefined]);
      assertEquals([global.names(), sent.splice(0)], [[], []]);
    };
    nothing();
    await registry.synced(b!.name);
    registry.up(line);
    void global.register("own", idle(a!));
    sent.length = 0;
    assertEquals([registry.sendMore(line), registry.sendMore(line)], [false, false]);
    assertEquals(sent.splice(0), [TAG.GLOBAL_SYNC]);
    // A lost session sends no more names.
    const synced = registry.synced(b!.name);
    registry.sync(line, list);
    assertEquals(global.names(), ["own", "x"]);
    registry.down(line);
    await synced;
    assertEquals(global.names(), ["own"]);
    global.unregister("own");
    nothing();
  });
});

test("Global: the names of a lost node are free at once, and their removal is reported in portions", async () => {
  await withCluster(2, async (cluster, a, b) => {
    await cluster.meet();
    const line = a!.remote.nodeLink(b!.name)!;
    const { node } = line.home;
    line.row = () => {};
    const COUNT = 10_000;
    const registry = new Registry(a!.system, a!.events, () => 1);
    registry.up(line);
    for (let i = 0; i < COUNT; i += 1000) {
      const list = new Writer().u32(1000);
      for (let k = i; k < i + 1000; k++) list.text16(`x${k}`).u64(BigInt(k + 1)).text16(node);
      for (let k = 0; k < 1000; k++) list.u64(1n);
      assertEquals(registry.sync(line, list.done()), undefined);
    }
    assertEquals(registry.names().length, COUNT);
    const reported: string[] = [];
    a!.events.on("name", ({ name }) => reported.push(name));
    registry.down(line);
    assert(reported.length > 0 && reported.length < COUNT / 4, `${reported.length} at once`);
    assertEquals([registry.names(), registry.find(`x${COUNT - 1}`)], [[], undefined]);
    // One of the names is registered again before its removal is reported; this name stays.
    const last = idle(a!);
    void registry.register(`x${COUNT - 1}`, last, "keep");
    await until("all removals are reported", () => reported.length === COUNT);
    assertEquals(registry.names(), [`x${COUNT - 1}`]);
    assertEquals(registry.find(`x${COUNT - 1}`)?.pid, last);
    assertEquals(registry.count, 1);
  });
});

test("Global.singleton rejects a name that is invalid or too long for its lock", async () => {
  await withCluster(1, async (_cluster, a) => {
    const child = { id: "x", start: (self: Self) => self.spawnLink(() => () => {}) };
    for (const name of ["", "\0x", "x".repeat(255), "\ud800"]) {
      const error = await assertRejects(() => a!.global.singleton(name, child), NameError);
      assertEquals(error.code, "badname");
    }
    const longest = "x".repeat(254);
    const part = await a!.global.singleton(longest, child);
    assertEquals([part.name, part.isHere, part.whereis()], [
      longest,
      true,
      a!.global.whereis(longest),
    ]);
    assertEquals(a!.global.names(), [longest]);
  });
});

test("Global.register: each stamp is later than all known stamps, although the clock stands still", async () => {
  await withCluster(2, async (testCluster, a, b) => {
    await testCluster.meet();
    const line = a!.remote.nodeLink(b!.name)!;
    const stamps: number[] = [];
    line.row = (_: number, body: Uint8Array) => {
      // The two last fields are the stamp and the number of the request.
      if (body.length > 16) {
        const view = new DataView(body.buffer, body.byteOffset, body.byteLength);
        stamps.push(Number(view.getBigUint64(body.length - 16, true)));
      }
    };
    const registry = new Registry(a!.system, a!.events, () => 1);
    const global = new Global(a!.system, registry);
    registry.up(line);
    for (const name of ["x", "y"]) void global.register(name, idle(a!));
    const row = new Writer().u32(1).text16("z").u64(7n).text16(b!.name).u64(5_000n).done();
    registry.sync(line, row);
    void global.register("w", idle(a!));
    assertEquals(stamps, [1_000, 1_001, 5_001]);
    registry.down(line);
  });
});

test("Global.register: concurrent calls are answered separately, and leave no state in their actor", async () => {
  await withCluster(2, async (testCluster, a, b) => {
    await testCluster.meet();
    await b!.global.register("q", idle(b!));
    testCluster.faults.isHeld = true;
    await b!.global.unregister("q");
    const pid = idle(a!);
    const names = ["p", "q", "r"];
    const answers = names.map((name) => a!.global.register(name, pid));
    testCluster.faults.clear();
    assertEquals(await Promise.all(answers), [true, false, true]);
    assertEquals(a!.system.find(pid.id)!.chain === undefined, false);
    for (const name of names) a!.global.unregister(name);
    assertEquals(a!.system.find(pid.id)!.chain === undefined, true);
  });
});
