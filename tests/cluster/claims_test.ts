/**
 * Tests which node is granted a global name: in an incomplete mesh, with wrong clocks, and with a
 * quorum.
 */
import { assert, assertEquals, assertRejects } from "@std/assert";
import { ArgumentError } from "../../lib/actor/errors.ts";
import { NameTimeoutError } from "../../lib/cluster/global.ts";
import { QuorumError } from "../../lib/cluster/quorum.ts";
import type { Host } from "../../lib/host/host.ts";
import type { Pid } from "../../lib/term/pid.ts";
import { hostWith, type TestNode, untilApart, warnings, withNodes } from "../kit/mesh.ts";
import { test, until } from "../kit/test.ts";
import { found, idle, TestCluster, turn, untilFound, withCluster } from "./test_cluster.ts";

/** Runs `body` with three nodes, of which the first two cannot connect to each other. */
async function apart(
  body: (cluster: TestCluster, a: TestNode, b: TestNode, c: TestNode) => Promise<void>,
): Promise<void> {
  await withCluster(3, async (cluster, ...nodes) => {
    const [a, b, c] = nodes as [TestNode, TestNode, TestNode];
    await cluster.meet();
    cluster.cut(0, 1);
    await untilApart(a, b);
    await untilApart(b, a);
    await body(cluster, a, b, c);
  });
}

/** Returns a function that wraps a host, and shifts its wall clock by `ms`. */
function skewed(ms: number): (host: Host) => Host {
  return (host) =>
    hostWith((real) => ({
      clock: {
        now: () => real.clock.now(),
        wall: () => real.clock.wall() + ms,
        after: (after, task) => real.clock.after(after, task),
        every: (every, task) => real.clock.every(every, task),
      },
    }), host);
}

/**
 * Awaits a promise with a timer that keeps the process alive, because the timers of nodes do not.
 */
async function awake<T>(promise: Promise<T>): Promise<T> {
  const timer = setInterval(() => {}, 1_000);
  try {
    return await promise;
  } finally {
    clearInterval(timer);
  }
}

const HOURS = 3_600_000;

test("Global.register: at most one of two unconnected nodes gets a name if a third is connected to both", async () => {
  await apart(async (_cluster, a, b, c) => {
    let first = 0;
    for (let i = 0; i < 100; i++) {
      const pair = i % 2 ? [a, b] : [b, a];
      const answers = await Promise.all(
        pair.map((node) => node!.global.register(`n${i}`, idle(node!))),
      );
      // Only these two nodes compete for the name, so exactly one of them gets the name.
      assertEquals(answers.filter(Boolean).length, 1, `n${i}`);
      const owner = pair[answers.indexOf(true)]!;
      assertEquals(c.global.whereis(`n${i}`)?.node, owner.name);
      if (owner === a) first++;
    }
    assert(first > 0 && first < 100, `${first}`);
  });
});

test("Global.register: one of two claims succeeds if they reach a third node in opposite order", async () => {
  await apart(async (cluster, a, b, c) => {
    cluster.faults.isHeld = true;
    const answers: Record<string, boolean> = {};
    const claim = (node: TestNode, key: string): void =>
      void node.global.register("x", idle(node)).then((answer) => answers[key] = answer);
    claim(a, "a");
    await new Promise((wake) => setTimeout(wake, 3));
    claim(b, "b");
    // C grants the name to B, and receives A's request while its answer to B is in transit.
    await until("C has granted the name to B", async () => {
      await cluster.pass(2, 1);
      return c.global.whereis("x")?.node === b.name;
    });
    await cluster.pass(2, 0);
    assertEquals([answers, c.global.whereis("x")?.node], [{}, b.name]);
    cluster.faults.clear();
    await until("both claims are answered", () => "a" in answers && "b" in answers);
    // If B already held the name when C's INQUIRE arrived, B has kept the name. Otherwise B has
    // withdrawn its claim, and A has the name.
    assertEquals([answers["a"], answers["b"]].filter(Boolean).length, 1);
    assertEquals(c.global.whereis("x")?.node, answers["a"] ? a.name : b.name);
  });
});

test("Global.register: a claim with an earlier stamp does not replace the holder of the name", async () => {
  await apart(async (_cluster, a, b, c) => {
    const held = idle(b);
    assertEquals(await b.global.register("held", held), true);
    const early = { stamp: 1 };
    assertEquals(await a.registry.register("held", idle(a), "exit", early), false);
    assertEquals(await c.registry.register("held", idle(c), "exit", early), false);
    await untilFound([b, c], "held", held);
  });
});

test("Global.register: a name is free after unregister, even if a third node receives the unregister late", async () => {
  await apart(async (_cluster, a, b) => {
    for (let i = 0; i < 20; i++) {
      assertEquals(await a.global.register("x", idle(a)), true);
      assertEquals(await b.global.register("x", idle(b)), false);
      a.global.unregister("x");
      const again = idle(b);
      await until("b has registered the name", async () => await b.global.register("x", again));
      b.global.unregister("x");
    }
  });
});

test("Global.register: a name whose registration is interrupted by a lost session is announced in the next session", async () => {
  await withCluster(3, async (cluster, ...nodes) => {
    const [a, b, c] = nodes as [TestNode, TestNode, TestNode];
    cluster.cut(0, 1);
    cluster.cut(1, 2);
    await a.mesh.connect(c.name);
    await cluster.settled();
    cluster.faults.isHeld = true;
    const pid = idle(a);
    // C does not answer while the session with B is being established, so A's claim is still
    // pending when the session opens, and A sends the claim to B.
    const answer = a.global.register("x", pid);
    cluster.heal(0, 1);
    const connected = a.mesh.connect(b.name);
    await until("b has received the request", async () => {
      await cluster.pass(0, 1);
      await cluster.pass(1, 0);
      return b.global.whereis("x") !== undefined;
    });
    cluster.faults.clear();
    await connected;
    assertEquals(await answer, true);
    cluster.cut(0, 1);
    await untilApart(a, b);
    await untilApart(b, a);
    assertEquals(b.global.whereis("x"), undefined);
    cluster.heal(0, 1);
    await a.mesh.connect(b.name);
    await untilFound([a, b, c], "x", pid);
  });
});

test("Global: the later of two unconnected holders exits when a third node connects to both", async () => {
  await withCluster(3, async (cluster, ...nodes) => {
    const [a, b, c] = nodes as [TestNode, TestNode, TestNode];
    for (const [i, j] of [[0, 1], [0, 2], [1, 2]] as const) cluster.cut(i, j);
    const [first, second] = [idle(a), idle(b)];
    await a.global.register("x", first);
    await new Promise((wake) => setTimeout(wake, 3));
    assertEquals(await b.global.register("x", second), true);
    cluster.heal(0, 2);
    cluster.heal(1, 2);
    await c.mesh.connect(a.name);
    await c.mesh.connect(b.name);
    await untilFound([a, c], "x", first);
    await until("the later holder has exited", () => !b.system.isAlive(second));
    assertEquals(b.global.whereis("x"), undefined);
  });
});

for (const hours of [-10, 10]) {
  test(`Global: the actor that was registered first keeps its name although a clock is ${hours} hours wrong`, async () => {
    await withNodes(async (start) => {
      const cluster = new TestCluster(start);
      const a = await cluster.add();
      const b = await cluster.add(skewed(hours * HOURS));
      const c = await cluster.add();
      for (const [i, j] of [[0, 1], [1, 2]] as const) cluster.cut(i, j);
      await a.mesh.connect(c.name);
      const [early, late] = [idle(a), idle(b)];
      const [mine, yours] = [idle(b), idle(c)];
      await a.global.register("x", early);
      await b.global.register("y", mine);
      // Waits for longer than the error with which nodes estimate the difference of their clocks.
      // The error is a part of the time that a message takes.
      await new Promise((wake) => setTimeout(wake, 1_000));
      await b.global.register("x", late);
      await c.global.register("y", yours);
      cluster.heal(0, 1);
      cluster.heal(1, 2);
      await cluster.meet();
      // For both names, the actor that was registered first in real time keeps the name.
      await untilFound([a, b, c], "x", early);
      await untilFound([a, b, c], "y", mine);
      assertEquals([b.system.isAlive(late), c.system.isAlive(yours)], [false, false]);
      assert(warnings(b).some((line) => line.includes("the clock of")), `${warnings(b)}`);
    });
  });
}

test("Global.reregister moves a name to another actor without ending its former holder", async () => {
  await withCluster(3, async (cluster, ...nodes) => {
    const [a, b, c] = nodes as [TestNode, TestNode, TestNode];
    await cluster.meet();
    const [one, two, three] = [idle(a), idle(b), idle(b)];
    assertEquals(await a.global.reregister("x", one), true);
    assertEquals(await b.global.register("x", two), false);
    assertEquals(await b.global.reregister("x", two), true);
    await untilFound(nodes, "x", two);
    assertEquals(await b.global.reregister("x", three), true);
    await untilFound(nodes, "x", three);
    assertEquals([one, two].map((pid) => a.system.isAlive(pid) || b.system.isAlive(pid)), [
      true,
      true,
    ]);
    // The actors that held the name before no longer affect it when they exit.
    a.system.exit(one, "kill");
    b.system.exit(two, "kill");
    await cluster.settled();
    assertEquals(c.global.whereis("x")?.key, three.key);
    // An unreachable holder is not replaced.
    cluster.cut(0, 1);
    await untilApart(a, b);
    assertEquals(await a.global.reregister("x", idle(a)), false);
    assertEquals(c.global.whereis("x")?.key, three.key);
  });
});

test("Global.waitFor resolves to the holder of a name, and rejects at the timeout", async () => {
  await withCluster(2, async (cluster, ...nodes) => {
    const [a, b] = nodes as [TestNode, TestNode];
    await cluster.meet();
    const waiting = b.global.waitFor("x", { timeout: Infinity });
    const pid = idle(a);
    await a.global.register("x", pid);
    assertEquals((await waiting).key, pid.key);
    assertEquals((await b.global.waitFor("x")).key, pid.key);
    const inVain = (): Promise<Pid> => awake(b.global.waitFor("y", { timeout: 5 }));
    await assertRejects(inVain, NameTimeoutError, '"y"');
    const stop = new AbortController();
    const stopped = b.global.waitFor("y", { signal: stop.signal });
    stop.abort(new Error("enough"));
    await assertRejects(() => stopped, Error, "enough");
    await assertRejects(() => b.global.waitFor("y", { timeout: 2 ** 40 }), ArgumentError);
  });
});

test("Global: a resolver chooses the actor that keeps the name, and the other exits", async () => {
  for (const choice of ["one", "other", "none", "throws"] as const) {
    await withCluster(2, async (cluster, ...nodes) => {
      const [a, b] = nodes as [TestNode, TestNode];
      cluster.cut(0, 1);
      const calls: string[] = [];
      const resolve = (name: string, one: Pid, other: Pid): Pid | undefined => {
        calls.push(name);
        if (choice === "throws") throw new Error("as told");
        return choice === "none" ? undefined : choice === "one" ? one : other;
      };
      const [early, late] = [idle(a), idle(b)];
      await a.global.register("x", early, { resolve });
      await new Promise((wake) => setTimeout(wake, 3));
      await b.global.register("x", late, { resolve });
      cluster.heal(0, 1);
      await cluster.meet();
      const kept = choice === "none" ? undefined : choice === "other" ? late : early;
      await untilFound(nodes, "x", kept);
      await until(
        "the other actors have exited",
        () =>
          a.system.isAlive(early) === (kept === early) &&
          b.system.isAlive(late) === (kept === late),
      );
      assertEquals(calls, ["x"]);
    });
  }
});

const hasty = { pingInterval: 50, pingTimeout: 200, logLevel: "silent" } as const;

/** Runs `body` with three nodes with short deadlines. Each knows the two others from the start. */
async function trio(
  body: (cluster: TestCluster, a: TestNode, b: TestNode, c: TestNode) => Promise<void>,
): Promise<void> {
  await withNodes(async (start) => {
    const names = [0, 1, 2].map((i) => `n${i}@127.0.0.1:${3000 + i}`);
    const cluster = new TestCluster((short, options, host) =>
      start(short, { ...hasty, seeds: names.filter((name) => name !== short), ...options }, host)
    );
    for (let i = 0; i < 3; i++) await cluster.add();
    await cluster.meet();
    const [a, b, c] = cluster.nodes as [TestNode, TestNode, TestNode];
    await body(cluster, a, b, c);
    cluster.faults.clear();
  });
}

test("Global.register: a side of a partition without the quorum loses its names", async () => {
  for (const quorum of [2, "majority"] as const) {
    await trio(async (cluster, a, b, c) => {
      const pid = idle(a);
      const lost: string[] = [];
      a.events.on("quorumlost", ({ name }) => lost.push(name));
      assertEquals(await a.global.register("x", pid, { quorum }), true);
      const kept = idle(a);
      assertEquals(await a.global.register("kept", kept, { quorum, onConflict: "keep" }), true);
      const token = a.registry.ours("x")!.token!;
      cluster.cut(0, 1);
      await untilApart(a, b);
      await cluster.pass(0, 2);
      // Two of the three nodes are sufficient for the quorum.
      assertEquals(a.global.whereis("x")?.key, pid.key);
      assertEquals(await b.global.register("x", idle(b), { quorum }), false);
      cluster.cut(0, 2);
      await until("the name is unregistered", () => a.global.whereis("x") === undefined);
      await until("its actor has exited", () => !a.system.isAlive(pid));
      assertEquals([lost.sort(), a.system.isAlive(kept)], [["kept", "x"], true]);
      await assertRejects(() => a.global.register("y", idle(a), { quorum }), QuorumError);
      // Without a quorum policy, each side has a holder of its own.
      assertEquals(await a.global.register("y", idle(a)), true);
      // The other nodes may take the name only after the first node's deadline for detecting that
      // it has lost them.
      const since = performance.now();
      const heir = idle(b);
      await until(
        "b has registered the name",
        async () => await b.global.register("x", heir, { quorum }),
      );
      assert(performance.now() - since > 1_000, "the name became free too early");
      assert(b.registry.ours("x")!.token! > token, "the token has not increased");
      await untilFound([b, c], "x", heir);
    });
  }
});

test("Global.register rejects an invalid quorum, and a quorum larger than the number of nodes", async () => {
  await withCluster(1, async (_cluster, a) => {
    for (const quorum of [0, -1, 1.5, NaN, "most" as "majority"]) {
      await assertRejects(() => a!.global.register("x", idle(a!), { quorum }), ArgumentError);
    }
    await assertRejects(
      () => a!.global.register("x", idle(a!), { quorum: 2 }),
      QuorumError,
      "1 of",
    );
    assertEquals(await a!.global.register("x", idle(a!), { quorum: "majority" }), true);
  });
});

test("Global.register: a node that has just started rejects names with a quorum while a seed is missing", async () => {
  await withNodes(async (start) => {
    const names = [0, 1, 2].map((i) => `n${i}@127.0.0.1:${3000 + i}`);
    const cluster = new TestCluster((short, options, host) =>
      start(short, { ...hasty, seeds: names.filter((name) => name !== short), ...options }, host)
    );
    const a = await cluster.add();
    const b = await cluster.add();
    await a.mesh.connect(b.name);
    await turn();
    const early = (): Promise<boolean> => a.global.register("x", idle(a), { quorum: 2 });
    await assertRejects(early, QuorumError, "just started");
    const pid = idle(a);
    const attempt = (): Promise<boolean> =>
      awake(a.global.register("x", pid, { quorum: 2 }).catch(() => false));
    await until("the name can be registered", attempt);
    assertEquals(found([a, b], "x"), [pid.key, pid.key]);
  });
});
