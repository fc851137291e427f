import { assert, assertEquals, assertNotEquals, assertRejects, assertThrows } from "@std/assert";
import {
  type ChildSpec,
  ChildSpecError,
  makeChild,
  NODE_DOWN_POLICIES,
} from "../../lib/otp/child.ts";
import { DynamicSupervisor } from "../../lib/otp/dynamic_supervisor.ts";
import { SupervisorError } from "../../lib/otp/child_info.ts";
import { Supervisor } from "../../lib/otp/supervisor.ts";
import { STRATEGIES } from "../../lib/otp/strategy.ts";
import { treeText } from "../../lib/otp/tree.ts";
import { Call } from "../../lib/actor/call.ts";
import { NoConnectionError } from "../../lib/actor/errors.ts";
import type { Self } from "../../lib/actor/self.ts";
import type { Pid } from "../../lib/term/pid.ts";
import { untilApart, untilWhole } from "../kit/mesh.ts";
import { test, until } from "../kit/test.ts";
import { REACTIONS, type Stopping } from "./family.ts";
import { type Manner, starter, withRemoteWorkers } from "./remote_workers.ts";

const remote = (id: string, node: string, manner: Manner = "atOnce") => ({
  id,
  node,
  fn: "worker",
  args: [id, manner],
});

test("ChildSpec has either start, or node and fn", () => {
  const start = () => undefined as never;
  const node = "b@host:1";
  const bad: [unknown, string][] = [
    [{ id: "a" }, "start must be a function that returns a pid; or use node and fn"],
    [{ id: "a", start, node, fn: "f" }, "use either start"],
    [{ id: "a", start, args: [] }, "use either start"],
    [{ id: "a", start, onNodeDown: "wait" }, "use either start"],
    [{ id: "a", start, ready: true }, "use either start"],
    [{ id: "a", node }, "fn must be the name"],
    [{ id: "a", node, fn: "" }, "fn must be the name"],
    [{ id: "a", fn: "f" }, "node must be name@host:port"],
    [{ id: "a", node: "b", fn: "f" }, "node must be name@host:port"],
    [{ id: "a", node: 1, fn: "f" }, "node must be name@host:port"],
    [{ id: "a", node, fn: "f", args: 3 }, "args must be an array"],
    [{ id: "a", node, fn: "f", onNodeDown: "never" }, "onNodeDown must be one of fail, wait"],
    [{ id: "a", node, fn: "f", timeout: 0 }, "timeout must be above 0"],
    [{ id: "a", node, fn: "f", timeout: 2 ** 31 }, "2147483647 at the most, or Infinity"],
  ];
  for (const [spec, words] of bad) {
    assertThrows(() => makeChild(spec as ChildSpec), ChildSpecError, words);
  }
  for (const choice of [node, "any", "least_loaded", "round_robin", () => node]) {
    assertEquals(makeChild({ id: "a", node: choice, fn: "f" }).spec.remote?.onNodeDown, "fail");
  }
});

test("Supervisor restarts a remote child on its node, and reports the node", async () => {
  await withRemoteWorkers(async (world) => {
    const a = await world.node("a");
    const b = await world.node("b", [a]);
    const tree = await Supervisor.start(starter(a), { children: [remote("w", b.name)] });
    assertEquals(world.news(), ["start w@b"]);
    const [before] = await tree.whichChildren();
    assertEquals([before!.id, before!.type, before!.node], ["w", "worker", b.name]);
    world.crash("w@b");
    await until("the child has been restarted", () => world.record.length === 2);
    assertEquals(world.news(), ["end w@b boom", "start w@b"]);
    const [after] = await tree.whichChildren();
    assertEquals((after!.pid as Pid).node, b.name);
    assertNotEquals(String(after!.pid), String(before!.pid));
    const [event] = world.received;
    assertEquals([event!.child, String(event!.pid), event!.next], [
      "w",
      String(before!.pid),
      `restarts (node ${b.name})`,
    ]);
    assertEquals(await tree.countChildren(), { specs: 1, active: 1, supervisors: 0, workers: 1 });
    assertEquals(
      await treeText(tree),
      `${tree.pid} supervisor\n└─ w ${after!.pid}`,
    );
    await tree.stop();
    await world.untilLiving();
    assertEquals(world.news(), ["end w@b shutdown"]);
  });
});

test("Supervisor ends with all its children when remote children crash too often", async () => {
  await withRemoteWorkers(async (world) => {
    const a = await world.node("a");
    const b = await world.node("b", [a]);
    const tree = await Supervisor.start(starter(a), {
      intensity: 1,
      children: [remote("w", b.name), remote("x", b.name)],
    });
    world.crash("w@b");
    await until("the child has crashed", () => world.record.includes("end w@b boom"));
    await world.untilLiving("w@b", "x@b");
    world.crash("w@b");
    assertEquals(await a.system.whenEnded(tree.pid), "shutdown");
    await world.untilLiving();
  });
});

/**
 * Each row has the behaviour and the shutdown of a child, its exit reason, and the minimum time
 * until it exits.
 */
const SHUTDOWNS: readonly [Stopping, number | "brutalKill", string, number][] = [
  ["atOnce", 5000, "shutdown", 0],
  ["atOnce", "brutalKill", "killed", 0],
  ["late", 5000, "normal", 35],
  ["late", Infinity, "normal", 35],
  ["late", 5, "killed", 0],
  ["never", 50, "killed", 45],
  ["crashes", 5000, "boom", 0],
];

for (const [manner, shutdown, reason, ms] of SHUTDOWNS) {
  test(`Supervisor.stop stops a remote child with shutdown ${shutdown} that ${REACTIONS[manner]} before the children started earlier`, async () => {
    await withRemoteWorkers(async (world) => {
      const a = await world.node("a");
      const b = await world.node("b", [a]);
      const tree = await Supervisor.start(starter(a), {
        children: [world.local("first"), { ...remote("w", b.name, manner), shutdown }],
      });
      world.news();
      const began = performance.now();
      await tree.stop();
      assert(performance.now() - began >= ms);
      assertEquals(world.news(), [`end w@b ${reason}`, "end first@here shutdown"]);
    });
  });
}

for (const strategy of STRATEGIES) {
  for (const [index, crashes] of ["v@b", "w@here", "x@b"].entries()) {
    test(`Supervisor with ${strategy} restarts local and remote children in order when ${crashes} crashes`, async () => {
      await withRemoteWorkers(async (world) => {
        const a = await world.node("a");
        const b = await world.node("b", [a]);
        const children = [remote("v", b.name), world.local("w"), remote("x", b.name)];
        const all = ["v@b", "w@here", "x@b"];
        await Supervisor.start(starter(a), { strategy, children });
        assertEquals(world.news(), all.map((id) => `start ${id}`));
        const from = strategy === "one_for_all" ? 0 : index;
        const share = strategy === "one_for_one" ? [crashes] : all.slice(from);
        const stopped = share.filter((id) => id !== crashes).reverse();
        world.crash(crashes);
        const expected = [
          `end ${crashes} boom`,
          ...stopped.map((id) => `end ${id} shutdown`),
          ...share.map((id) => `start ${id}`),
        ];
        await until(
          "all children have been restarted",
          () => world.record.length >= expected.length,
        );
        assertEquals(world.news(), expected);
      });
    });
  }
}

test("Supervisor.start rejects with the cause if a remote child fails to start", async () => {
  await withRemoteWorkers(async (world) => {
    const a = await world.node("a");
    const b = await world.node("b", [a]);
    b.remote.spawner.expose("mine", (() => {}) as never, { allow: ["c@host:1"] });
    const refused: [Partial<ChildSpec>, string][] = [
      [{ node: b.name, fn: "nothing" }, "notexposed"],
      [{ node: b.name, fn: "mine" }, "refused"],
      [{ node: "c@127.0.0.1:1", fn: "worker" }, "noconnection"],
      [{ node: b.name, fn: "worker", args: [() => {}] }, "badarg"],
      [{ node: () => "c@127.0.0.1:1", fn: "worker" }, "noconnection"],
    ];
    for (const [spec, code] of refused) {
      const children = [remote("v", b.name), { id: "w", ...spec } as ChildSpec];
      const error = await assertRejects(
        () => Supervisor.start(starter(a), { children }),
        SupervisorError,
      );
      assertEquals([error.code, (error.cause as { code?: string }).code], ["start_failed", code]);
      assertEquals(world.news(), ["start v@b", "end v@b shutdown"]);
    }
    for (const onNodeDown of NODE_DOWN_POLICIES) {
      const tree = await Supervisor.start(starter(a), {});
      const spec: ChildSpec = { id: "w", node: "any", fn: "nothing", onNodeDown };
      const error = await assertRejects(() => tree.startChild(spec), SupervisorError);
      assertEquals(error.code, "start_failed");
      assertEquals(await tree.whichChildren(), []);
      await tree.stop();
    }
  });
});

test("Supervisor: remote children end when their supervisor is killed or its node stops", async () => {
  await withRemoteWorkers(async (world) => {
    const a = await world.node("a");
    const b = await world.node("b", [a]);
    const tree = await Supervisor.start(starter(a), { children: [remote("w", b.name)] });
    a.system.exit(tree.pid, "kill");
    await world.untilLiving();
    assertEquals(world.news(), ["start w@b", "end w@b killed"]);
    await Supervisor.start(starter(a), { children: [remote("w", b.name)] });
    a.system.stop();
    await a.mesh.stop();
    await world.untilLiving();
    assertEquals(world.news(), ["start w@b", "end w@b shutdown"]);
  });
});

test("Supervisor with onNodeDown fail counts each attempt to start the child as a restart", async () => {
  await withRemoteWorkers(async (world) => {
    const a = await world.node("a");
    const b = await world.node("b", [a]);
    const tree = await Supervisor.start(starter(a), {
      intensity: 2,
      children: [world.local("v"), remote("w", b.name)],
    });
    world.news();
    const ended = a.system.whenEnded(tree.pid);
    await a.mesh.disconnect(b.name);
    assertEquals(await ended, "shutdown");
    await world.untilLiving();
    assertEquals(world.news().sort(), ["end v@here shutdown", "end w@b noconnection"]);
    assertEquals(world.received.map(({ reason, next }) => [String(reason).split(":")[0], next]), [
      ["noconnection", `restarts (node ${b.name})`],
      ["SpawnError", `its start is tried again (node ${b.name})`],
      ["SpawnError", `its start failed once too often: the supervisor ends (node ${b.name})`],
    ]);
  });
});

test("Supervisor with onNodeDown fail restarts the child if its node returns during the backoff", async () => {
  await withRemoteWorkers(async (world) => {
    const a = await world.node("a");
    const b = await world.node("b", [a]);
    await Supervisor.start(starter(a), {
      intensity: 50,
      children: [{ ...remote("w", b.name), backoff: { base: 5, cap: 20 } }],
    });
    await a.mesh.disconnect(b.name);
    await until("restarts have failed", () => world.received.length > 2);
    await a.mesh.connect(b.name);
    await world.untilLiving("w@b");
    assertEquals(world.news(), ["start w@b", "end w@b noconnection", "start w@b"]);
  });
});

for (const manner of ["atOnce", "ignores"] as const) {
  const subject = manner === "ignores" ? "a child that traps exits" : "a child";
  test(`Supervisor with onNodeDown wait starts ${subject} once when its node returns`, async () => {
    await withRemoteWorkers(async (world) => {
      const a = await world.node("a");
      const b = await world.node("b", [a]);
      const tree = await Supervisor.start(starter(a), {
        intensity: 0,
        children: [{ ...remote("w", b.name, manner), onNodeDown: "wait" }, world.local("x")],
      });
      const [{ pid: before }] = await tree.whichChildren() as unknown as [{ pid: Pid }];
      world.news();
      await a.mesh.disconnect(b.name);
      await until(
        "the child waits",
        async () => (await tree.whichChildren())[0]!.state === "waiting",
      );
      assertEquals((await tree.whichChildren())[0]!.node, b.name);
      assertEquals((await treeText(tree)).split("\n")[1], `├─ w waiting on ${b.name}`);
      assertEquals(await tree.countChildren(), { specs: 2, active: 1, supervisors: 0, workers: 2 });
      assertEquals(world.received.map(({ next }) => next), [`waits for its node (node ${b.name})`]);
      await a.mesh.connect(b.name);
      await until("the child runs", () => world.record.includes("start w@b"));
      const end = manner === "ignores" ? "killed" : "noconnection";
      assertEquals(world.news(), [`end w@b ${end}`, "start w@b"]);
      assertEquals(world.living, ["w@b", "x@here"]);
      const [{ pid: after }] = await tree.whichChildren() as unknown as [{ pid: Pid }];
      assertNotEquals(String(after), String(before));
    });
  });
}

test("Supervisor with onNodeDown wait starts the child when a restarted node exposes the function", async () => {
  await withRemoteWorkers(async (world) => {
    const a = await world.node("a");
    const b = await world.node("b", [a]);
    const tree = await Supervisor.start(starter(a), {
      intensity: 0,
      children: [{ ...remote("w", b.name), onNodeDown: "wait" }],
    });
    b.system.stop();
    await b.mesh.stop();
    await untilApart(a, b);
    const again = await world.node(b.name, [a], false);
    await until(
      "the child waits",
      async () => (await tree.whichChildren())[0]!.state === "waiting",
    );
    // Waits long enough for several retries.
    await new Promise((wake) => setTimeout(wake, 250));
    assertEquals((await tree.whichChildren())[0]!.state, "waiting");
    world.news();
    world.expose(again, "b");
    await world.untilLiving("w@b");
    assertEquals(world.news(), ["start w@b"]);
  });
});

test("Supervisor with onNodeDown wait starts without the nodes of its children", async () => {
  await withRemoteWorkers(async (world) => {
    const a = await world.node("a", [], false);
    const spec = { node: "any", fn: "worker", onNodeDown: "wait" } as const;
    const tree = await Supervisor.start(starter(a), {
      children: [{ ...spec, id: "v", args: ["v"] }, world.local("w")],
    });
    assertEquals((await tree.whichChildren()).map(({ state }) => state), ["waiting", "running"]);
    await world.node("b", [a]);
    await world.untilLiving("v@b", "w@here");
    await tree.stop();
    await world.untilLiving();
  });
});

test("Supervisor starts a remote child with a function that its node has just exposed", async () => {
  await withRemoteWorkers(async (world) => {
    const a = await world.node("a");
    const b = await world.node("b", [a], false);
    for (const onNodeDown of NODE_DOWN_POLICIES) {
      world.expose(b, "b", onNodeDown);
      // Node a does not know the function yet, because it has read nothing from the network since
      // `expose`.
      const spec = { ...remote("w", b.name), fn: onNodeDown, onNodeDown };
      const tree = await Supervisor.start(starter(a), { children: [spec] });
      assertEquals(((await tree.whichChildren())[0]!.pid as Pid).node, b.name);
      await tree.stop();
    }
  });
});

test("Supervisor with onNodeDown wait waits until a connected node exposes the function", async () => {
  await withRemoteWorkers(async (world) => {
    const a = await world.node("a");
    const b = await world.node("b", [a], false);
    const tree = await Supervisor.start(starter(a), {
      intensity: 0,
      children: [{ ...remote("w", b.name), onNodeDown: "wait" }],
    });
    assertEquals((await tree.whichChildren())[0]!.state, "waiting");
    world.expose(b, "b");
    await world.untilLiving("w@b");
  });
});

test("Supervisor with onNodeDown wait: a child whose start fails does not delay other children", async () => {
  await withRemoteWorkers(async (world) => {
    const a = await world.node("a");
    const b = await world.node("b", [a]);
    const c = await world.node("c", [a, b]);
    const backoff = { base: 5, cap: 10 };
    await Supervisor.start(starter(a), {
      intensity: Infinity,
      children: [
        { ...remote("v", b.name), onNodeDown: "wait", backoff },
        { ...remote("w", c.name), onNodeDown: "wait" },
      ],
    });
    await a.mesh.disconnect(b.name);
    await a.mesh.disconnect(c.name);
    await world.untilLiving();
    b.remote.spawner.expose("worker", (() => {}) as never, { allow: [] });
    await a.mesh.connect(b.name);
    await until(
      "the start has failed",
      () => world.received.some(({ next }) => /tried again/.test(next)),
    );
    // Waits long enough for the next retry.
    await new Promise((wake) => setTimeout(wake, 150));
    await a.mesh.connect(c.name);
    await world.untilLiving("w@c");
  });
});

test("Supervisor with onNodeDown wait kills the unreachable child before it starts another", async () => {
  await withRemoteWorkers(async (world) => {
    const a = await world.node("a");
    const b = await world.node("b", [a]);
    const tree = await Supervisor.start(starter(a), {
      children: [{ ...remote("w", b.name, "ignores"), onNodeDown: "wait" }],
    });
    await a.mesh.disconnect(b.name);
    await until(
      "the child waits",
      async () => (await tree.whichChildren())[0]!.state === "waiting",
    );
    world.news();
    // Keeps the supervisor busy until a retry is due and the node is back. The supervisor handles
    // both events only after that.
    let go = (_pid: Pid) => {};
    let self: Self | undefined;
    const start = (its: Self) => {
      self = its;
      return new Promise<Pid>((resolve) => go = resolve);
    };
    const starting = tree.startChild({ id: "x", start });
    await until("the supervisor is busy", () => self !== undefined);
    await new Promise((wake) => setTimeout(wake, 250));
    await a.mesh.connect(b.name);
    go(self!.spawnLink(() => () => {}) as Pid);
    await starting;
    await until("the child runs", () => world.record.length >= 2);
    assertEquals(world.news(), ["end w@b killed", "start w@b"]);
  });
});

test("Supervisor kills an unreachable temporary child after the node has returned", async () => {
  for (const busy of [false, true]) {
    await withRemoteWorkers(async (world) => {
      const a = await world.node("a");
      const b = await world.node("b", [a]);
      const tree = await Supervisor.start(starter(a), {
        children: [{ ...remote("w", b.name, "ignores"), restart: "temporary" }],
      });
      let go = (_error: Error) => {};
      const start = () => new Promise<never>((_, reject) => go = reject);
      const starting = busy
        ? assertRejects(() => tree.startChild({ id: "x", start }), SupervisorError)
        : undefined;
      await a.mesh.disconnect(b.name);
      assertEquals(world.living, ["w@b"]);
      await a.mesh.connect(b.name);
      go(new Error("no"));
      await starting;
      await world.untilLiving();
      assertEquals(await tree.whichChildren(), []);
    });
  }
});

for (const strategy of ["rest_for_one", "one_for_all"] as const) {
  test(`Supervisor with onNodeDown wait: under ${strategy}, the children after a waiting child wait too`, async () => {
    await withRemoteWorkers(async (world) => {
      const a = await world.node("a");
      const b = await world.node("b", [a]);
      const tree = await Supervisor.start(starter(a), {
        strategy,
        intensity: 0,
        children: [
          world.local("v"),
          { ...remote("w", b.name), onNodeDown: "wait" },
          world.local("x"),
        ],
      });
      world.news();
      await a.mesh.disconnect(b.name);
      await until(
        "the children wait",
        async () =>
          (await tree.whichChildren()).filter(({ state }) => state === "waiting").length === 2,
      );
      await world.untilLiving("v@here");
      world.news();
      await a.mesh.connect(b.name);
      await world.untilLiving("v@here", "w@b", "x@here");
      assertEquals(world.news(), ["start w@b", "start x@here"]);
    });
  });
}

for (const strategy of STRATEGIES) {
  test(`Supervisor with onNodeDown wait: under ${strategy}, a supervisor starts while a child waits`, async () => {
    await withRemoteWorkers(async (world) => {
      const a = await world.node("a", [], false);
      const tree = await Supervisor.start(starter(a), {
        strategy,
        intensity: 0,
        children: [
          world.local("v"),
          { id: "w", node: "any", fn: "worker", args: ["w"], onNodeDown: "wait" },
          world.local("x"),
        ],
      });
      const alone = strategy === "one_for_one";
      assertEquals(world.living, alone ? ["v@here", "x@here"] : ["v@here"]);
      const states = (await tree.whichChildren()).map(({ state }) => state);
      assertEquals(states, ["running", "waiting", alone ? "running" : "waiting"]);
      await world.node("b", [a]);
      await world.untilLiving("v@here", "w@b", "x@here");
    });
  });
}

test("Supervisor with onNodeDown wait does not start a waiting child that was terminated", async () => {
  await withRemoteWorkers(async (world) => {
    const a = await world.node("a");
    const b = await world.node("b", [a]);
    const tree = await Supervisor.start(starter(a), {
      children: [{ ...remote("w", b.name), onNodeDown: "wait" }],
    });
    await a.mesh.disconnect(b.name);
    await until(
      "the child waits",
      async () => (await tree.whichChildren())[0]!.state === "waiting",
    );
    // The node of the child is lost, so it is unknown whether the child is alive.
    await assertRejects(() => tree.terminateChild("w"), NoConnectionError, "killed when");
    assertEquals((await tree.whichChildren())[0]!.pid, undefined);
    await a.mesh.connect(b.name);
    await new Promise((wake) => setTimeout(wake, 250));
    assertEquals(world.living, []);
    const pid = await tree.restartChild("w");
    assertEquals(pid.node, b.name);
    await tree.terminateChild("w");
    await tree.deleteChild("w");
    assertEquals(world.living, []);
  });
});

for (const manner of ["atOnce", "ignores"] as const) {
  const subject = manner === "ignores" ? "a child that traps exits" : "a child";
  test(`Supervisor with onNodeDown failover runs ${subject} on another node, and kills the child on the lost node when it returns`, async () => {
    await withRemoteWorkers(async (world) => {
      const a = await world.node("a", [], false);
      const b = await world.node("b", [a]);
      const tree = await Supervisor.start(starter(a), {
        intensity: 0,
        children: [{ ...remote("w", b.name, manner), onNodeDown: "failover" }],
      });
      const c = await world.node("c", [a, b]);
      world.news();
      await a.mesh.disconnect(b.name);
      await until("the child runs on c", () => world.record.includes("start w@c"));
      assertEquals((await tree.whichChildren())[0]!.node, c.name);
      assertEquals(world.received.map(({ next }) => next.split(" (")[0]), [
        "runs on another node, or waits for one",
      ]);
      await a.mesh.connect(b.name);
      await world.untilLiving("w@c");
      await untilWhole([a, b, c]);
      // The child stays on c. The copy on b was killed after the nodes had reconnected.
      const ended = a.system.whenEnded(tree.pid);
      world.crash("w@c");
      assertEquals(await ended, "shutdown", "the restart counts");
    });
  });
}

test("Supervisor with onNodeDown failover prefers the node that the child spec names", async () => {
  await withRemoteWorkers(async (world) => {
    const a = await world.node("a", [], false);
    const b = await world.node("b", [a]);
    const ids = ["q", "r", "s", "t", "u", "v", "w"];
    await Supervisor.start(starter(a), {
      children: ids.map((id) => ({ ...remote(id, b.name), onNodeDown: "failover" as const })),
    });
    const c = await world.node("c", [a, b]);
    await a.mesh.disconnect(b.name);
    await world.untilLiving(...ids.map((id) => `${id}@c`));
    await world.node("d", [a, b, c]);
    await a.mesh.connect(b.name);
    await a.mesh.disconnect(c.name);
    await world.untilLiving(...ids.map((id) => `${id}@b`));
  });
});

test("Supervisor with onNodeDown failover skips a node that does not expose the function", async () => {
  await withRemoteWorkers(async (world) => {
    const a = await world.node("a", [], false);
    const b = await world.node("b", [a], false);
    const c = await world.node("c", [a, b]);
    await until("a knows c's functions", () => a.mesh.exposedBy(c.name)!.includes("worker"));
    await Supervisor.start(starter(a), {
      intensity: 0,
      children: [{ ...remote("w", b.name), onNodeDown: "failover" }],
    });
    await world.untilLiving("w@c");
  });
});

test("Supervisor kills a child whose session was lost during its start when the session returns", async () => {
  await withRemoteWorkers(async (world) => {
    const a = await world.node("a");
    const b = await world.node("b", [a]);
    b.remote.spawner.expose(
      "mute",
      ((self: Self) => {
        self.trapExit = true;
        return () => {};
      }) as never,
    );
    const tree = await Supervisor.start(starter(a), {});
    const spec = { id: "w", node: b.name, fn: "mute", ready: true } as const;
    const starting = assertRejects(() => tree.startChild(spec), SupervisorError);
    await until("the child is starting", () => b.system.size === 1);
    await a.mesh.disconnect(b.name);
    assertEquals(((await starting).cause as { code?: string }).code, "noconnection");
    assertEquals(b.system.size, 1);
    await a.mesh.connect(b.name);
    await until("the child has exited", () => b.system.size === 0);
  });
});

test("Supervisor kills a remote child that reports a failed start", async () => {
  await withRemoteWorkers(async (world) => {
    const a = await world.node("a");
    const b = await world.node("b", [a]);
    b.remote.spawner.expose(
      "shy",
      (() => (call: unknown) => {
        if (call instanceof Call) call.refuse(new Error("not ready"));
      }) as never,
    );
    const children = [{ id: "w", node: b.name, fn: "shy", ready: true }];
    const tree = await Supervisor.start(starter(a), {});
    const error = await assertRejects(() => tree.startChild(children[0]!), SupervisorError);
    assertEquals((error.cause as Error).message, "not ready");
    await until("the child has exited", () => b.system.size === 0);
  });
});

test("Supervisor with onNodeDown wait starts the child of a returned node after the backoff of earlier siblings", async () => {
  await withRemoteWorkers(async (world) => {
    const a = await world.node("a");
    const b = await world.node("b", [a]);
    await Supervisor.start(starter(a), {
      strategy: "rest_for_one",
      children: [
        { ...world.local("v"), backoff: { base: 400, jitter: 0 } },
        { ...remote("w", b.name), onNodeDown: "wait" },
      ],
    });
    await a.mesh.disconnect(b.name);
    await world.untilLiving("v@here");
    world.news();
    world.crash("v@here");
    await world.untilLiving();
    await a.mesh.connect(b.name);
    await world.untilLiving("v@here", "w@b");
    assertEquals(world.news(), ["end v@here boom", "start v@here", "start w@b"]);
  });
});

test("Supervisor with onNodeDown failover starts the child after the backoff of its restart group", async () => {
  await withRemoteWorkers(async (world) => {
    const a = await world.node("a", [], false);
    const b = await world.node("b", [a]);
    await Supervisor.start(starter(a), {
      strategy: "rest_for_one",
      children: [
        { ...remote("u", b.name), onNodeDown: "failover" },
        { ...world.local("v"), backoff: { base: 400, jitter: 0 } },
      ],
    });
    await world.node("c", [a, b]);
    const began = performance.now();
    world.crash("v@here");
    await world.untilLiving("u@b");
    await a.mesh.disconnect(b.name);
    await world.untilLiving("u@c", "v@here");
    assert(performance.now() - began >= 395);
  });
});

test("Supervisor with onNodeDown failover waits for the first node that joins if no other node exists", async () => {
  await withRemoteWorkers(async (world) => {
    const a = await world.node("a", [], false);
    const b = await world.node("b", [a]);
    const tree = await Supervisor.start(starter(a), {
      intensity: 0,
      children: [{ ...remote("w", b.name), onNodeDown: "failover" }],
    });
    await b.mesh.stop();
    await until(
      "the child waits",
      async () => (await tree.whichChildren())[0]!.state === "waiting",
    );
    const c = await world.node("c", [a]);
    await until("the child runs on c", () => world.record.includes("start w@c"));
    assertEquals((await tree.whichChildren())[0]!.node, c.name);
  });
});

for (const onNodeDown of ["wait", "failover"] as const) {
  test(`Supervisor with onNodeDown ${onNodeDown} does not count the normal stop of a node as a restart`, async () => {
    await withRemoteWorkers(async (world) => {
      const a = await world.node("a", [], false);
      const b = await world.node("b", [a]);
      const children = ["v", "w", "x"].map((id) => ({ ...remote(id, b.name), onNodeDown }));
      const tree = await Supervisor.start(starter(a), { intensity: 0, children });
      const pool = await DynamicSupervisor.start(starter(a), { intensity: 0 });
      await pool.startChild({ ...remote("y", b.name), onNodeDown });
      b.system.stop();
      // The sessions of a stopping node may stay open for a while.
      await until("both children wait", async () => {
        const infos = [...await tree.whichChildren(), ...await pool.whichChildren()];
        return infos.every(({ state }) => state === "waiting");
      });
      await b.mesh.stop();
      await untilApart(a, b);
      const again = onNodeDown === "wait" ? b.name : "c";
      await world.node(again, [a]);
      await world.untilLiving(...["v", "w", "x", "y"].map((id) => `${id}@${again[0]}`));
    });
  });
}

test("Supervisor with onNodeDown wait counts a restart if the child exits while its node is connected", async () => {
  await withRemoteWorkers(async (world) => {
    const a = await world.node("a");
    const b = await world.node("b", [a]);
    for (const kind of [Supervisor, DynamicSupervisor]) {
      const tree = await kind.start(starter(a), { intensity: 1 });
      await tree.startChild({ ...remote("w", b.name), onNodeDown: "wait" });
      const ended = a.system.whenEnded(tree.pid);
      for (let i = 0; i < 2; i++) {
        world.news();
        b.system.exit(world.pid("w@b"), "shutdown");
        await until("the child has been restarted", () => world.record.includes("start w@b"));
      }
      assertEquals(await ended, "shutdown");
      await world.untilLiving();
    }
  });
});

test("Supervisor counts a restart if a remote child itself exits with noconnection", async () => {
  await withRemoteWorkers(async (world) => {
    const a = await world.node("a");
    const b = await world.node("b", [a]);
    const tree = await Supervisor.start(starter(a), {
      intensity: 1,
      children: [{ ...remote("w", b.name), onNodeDown: "wait" }],
    });
    for (let i = 0; i < 2; i++) {
      await world.untilLiving("w@b");
      b.system.exit(world.pid("w@b"), "noconnection");
      await until(
        "the child has exited",
        () => world.record.filter((line) => /^end/.test(line)).length > i,
      );
    }
    assertEquals(await a.system.whenEnded(tree.pid), "shutdown");
  });
});

test("Supervisor with onNodeDown wait removes a temporary child of a lost node", async () => {
  await withRemoteWorkers(async (world) => {
    const a = await world.node("a");
    const b = await world.node("b", [a]);
    const tree = await Supervisor.start(starter(a), {
      children: (["permanent", "transient", "temporary"] as const).map((restart) => ({
        ...remote(restart, b.name),
        restart,
        onNodeDown: "wait" as const,
      })),
    });
    await a.mesh.disconnect(b.name);
    await until("two children wait", async () => {
      const children = await tree.whichChildren();
      return children.filter(({ state }) => state === "waiting").length === 2;
    });
    assertEquals((await tree.whichChildren()).map(({ id }) => id), ["permanent", "transient"]);
  });
});

test("Supervisor treats a child on its own node like a child on any other node", async () => {
  await withRemoteWorkers(async (world) => {
    const a = await world.node("a");
    const tree = await Supervisor.start(starter(a), { children: [remote("w", a.name)] });
    world.crash("w@a");
    await until("the child has been restarted", () => world.record.length === 3);
    await tree.stop();
    assertEquals(world.news(), ["start w@a", "end w@a boom", "start w@a", "end w@a shutdown"]);
  });
});

test("DynamicSupervisor restarts remote children on their nodes, and stops all at the same time", async () => {
  await withRemoteWorkers(async (world) => {
    const a = await world.node("a", [], false);
    const b = await world.node("b", [a]);
    const c = await world.node("c", [a, b]);
    const pool = await DynamicSupervisor.start(starter(a), { intensity: 10 });
    const pids: Pid[] = [];
    for (const node of ["round_robin", "round_robin", "least_loaded", "least_loaded"]) {
      const id = `w${pids.length}`;
      pids.push(await pool.startChild({ id, node, fn: "worker", args: [id] }));
    }
    assertEquals(world.news(), ["start w0@b", "start w1@c", "start w2@b", "start w3@c"]);
    await pool.terminateChild(pids[0]!);
    assertEquals(world.news(), ["end w0@b shutdown"]);
    world.crash("w2@b");
    await until("the child has been restarted", () => world.record.length === 2);
    assertEquals(world.news(), ["end w2@b boom", "start w2@b"]);
    await pool.terminateChild(
      await pool.startChild({ id: "x", node: "least_loaded", fn: "worker", args: ["x"] }),
    );
    assertEquals(world.news(), ["start x@b", "end x@b shutdown"]);
    const infos = await pool.whichChildren();
    assertEquals(infos.map(({ id, node }) => [id, node]), [
      ["w1", c.name],
      ["w2", b.name],
      ["w3", c.name],
    ]);
    await pool.startChild({
      node: b.name,
      fn: "worker",
      args: ["late", "late"],
      restart: "temporary",
    });
    await pool.stop();
    await world.untilLiving();
    assertEquals(world.news().sort(), [
      "end late@b normal",
      "end w1@c shutdown",
      "end w2@b shutdown",
      "end w3@c shutdown",
      "start late@b",
    ]);
  });
});

test("DynamicSupervisor.terminateChild accepts a remote child's pid from any source", async () => {
  await withRemoteWorkers(async (world) => {
    const a = await world.node("a", [], false);
    const b = await world.node("b", [a]);
    const c = await world.node("c", [a, b], false);
    c.system.spawn(undefined, { name: "echo" }, () => (call: unknown) => {
      if (call instanceof Call) call.reply(call.request);
    }, []);
    const pool = await DynamicSupervisor.start(starter(a));
    for (const waits of [false, true]) {
      const spec = { node: b.name, fn: "worker", args: ["w"], onNodeDown: "wait" as const };
      const pid = await pool.startChild(spec);
      if (waits) await a.mesh.disconnect(b.name);
      const received = await a.system.call({ name: "echo", node: c.name }, pid as never) as Pid;
      assertEquals([received === pid, received.equals(pid)], [false, true]);
      if (waits) await assertRejects(() => pool.terminateChild(received), NoConnectionError);
      else await pool.terminateChild(received);
      assertEquals((await pool.countChildren()).specs, 0);
      await world.untilLiving();
    }
  });
});

for (const onNodeDown of NODE_DOWN_POLICIES) {
  test(`DynamicSupervisor with onNodeDown ${onNodeDown} behaves like Supervisor`, async () => {
    await withRemoteWorkers(async (world) => {
      const a = await world.node("a", [], false);
      const b = await world.node("b", [a]);
      const pool = await DynamicSupervisor.start(starter(a), { intensity: 0 });
      const spec = { node: b.name, fn: "worker", args: ["w", "ignores"], onNodeDown };
      await pool.startChild(spec);
      const c = onNodeDown === "failover" ? await world.node("c", [a, b]) : undefined;
      const ended = a.system.whenEnded(pool.pid);
      await a.mesh.disconnect(b.name);
      if (onNodeDown === "fail") return assertEquals(await ended, "shutdown");
      if (c !== undefined) {
        await until("the child runs on c", () => world.record.includes("start w@c"));
      } else {await until("the child waits", async () =>
          (await pool.whichChildren())[0]!.state === "waiting");}
      await a.mesh.connect(b.name);
      await until(
        "the child has been started again",
        () => world.record.filter((line) => /^start/.test(line)).length === 2,
      );
      await world.untilLiving(c === undefined ? "w@b" : "w@c");
    });
  });
}

test("Supervisor.body runs a supervisor on another node as a child", async () => {
  await withRemoteWorkers(async (world) => {
    const a = await world.node("a");
    const b = await world.node("b", [a]);
    let fails = false;
    const start = (self: Self) => {
      if (fails) throw new Error("not now");
      return world.local("y").start(self);
    };
    b.remote.spawner.expose(
      "pool",
      Supervisor.body({
        intensity: 0,
        children: [world.local("x"), { id: "y", start }],
      }) as never,
    );
    const pool: ChildSpec = {
      id: "pool",
      node: b.name,
      fn: "pool",
      type: "supervisor",
      ready: true,
      onNodeDown: "wait",
    };
    const tree = await Supervisor.start(starter(a), { children: [world.local("w"), pool] });
    assertEquals(world.news(), ["start w@here", "start x@here", "start y@here"]);
    const lines = (await treeText(tree)).split("\n").slice(1);
    assertEquals(lines.map((line) => line.replace(/ <.*>/, "")), [
      "├─ w",
      "└─ pool supervisor",
      "   ├─ x",
      "   └─ y",
    ]);
    assertEquals(await tree.countChildren(), { specs: 2, active: 2, supervisors: 1, workers: 1 });
    // The supervisor exceeds its restart intensity, exits, and is restarted by its own supervisor.
    b.system.exit(world.pid("x@here"), "kill");
    await until("all have been restarted", () => world.record.length === 4);
    assertEquals(world.news(), [
      "end x@here killed",
      "end y@here shutdown",
      "start x@here",
      "start y@here",
    ]);
    await a.mesh.disconnect(b.name);
    await world.untilLiving("w@here");
    world.news();
    await a.mesh.connect(b.name);
    await world.untilLiving("w@here", "x@here", "y@here");
    await until("the supervisor is ready", async () => (await tree.countChildren()).active === 2);
    await tree.stop();
    assertEquals(world.news().slice(-3), [
      "end y@here shutdown",
      "end x@here shutdown",
      "end w@here shutdown",
    ]);
    fails = true;
    const error = await assertRejects(
      () => Supervisor.start(starter(a), { children: [pool] }),
      SupervisorError,
    );
    const cause = error.cause as SupervisorError;
    assertEquals([cause.name, /"y" could not be started/.test(cause.message)], [
      "SupervisorError",
      true,
    ]);
    await until("all actors have exited", () => b.system.size === 0);
    assertThrows(() => Supervisor.body({ children: [{} as ChildSpec] }), ChildSpecError);
  });
});

for (const kind of [Supervisor, DynamicSupervisor]) {
  for (const manner of ["atOnce", "ignores"] as const) {
    const subject = manner === "ignores" ? "a child that traps exits" : "a child";
    test(`${kind.name} stops ${subject} whose session was lost and re-established while the supervisor was busy`, async () => {
      await withRemoteWorkers(async (world) => {
        const a = await world.node("a");
        const b = await world.node("b", [a]);
        const tree = await kind.start(starter(a), {});
        await tree.startChild({ ...remote("w", b.name, manner), shutdown: 20 });
        // The supervisor is blocked by a start function that never settles.
        const start = () => new Promise<never>(() => {});
        const starting = assertRejects(() => tree.startChild({ id: "never", start }), Error);
        await a.mesh.disconnect(b.name);
        await a.mesh.connect(b.name);
        assertEquals(world.living, manner === "ignores" ? ["w@b"] : []);
        await tree.stop();
        await starting;
        await world.untilLiving();
      });
    });
  }
}

test("Supervisor answers requests of another node", async () => {
  await withRemoteWorkers(async (world) => {
    const a = await world.node("a");
    const b = await world.node("b", [a]);
    const { pid } = await Supervisor.start(starter(a), {
      children: [remote("v", b.name), world.local("w")],
    });
    a.system.names.register("tree", pid);
    a.system.spawn(undefined, { name: "guide" }, () => (call) =>
      (call as never as {
        reply(pid: unknown): void;
      }).reply(pid), []);
    const there = await b.system.call({ name: "guide", node: a.name }, 0) as Pid<unknown>;
    const tree = new Supervisor(there);
    const children = await tree.whichChildren();
    assertEquals(children.map(({ id }) => id), ["v", "w"]);
    // On its own node, the pid of the child is local again.
    assertEquals((children[0]!.pid as Pid).home.local, true);
    await tree.terminateChild("w");
    assertEquals(world.living, ["v@b"]);
    const pidOfV = (await tree.whichChildren())[0]!.pid;
    await tree.terminateChild("v");
    assertEquals(world.living, []);
    assertNotEquals(await tree.restartChild("v"), pidOfV);
    assertEquals(world.living, ["v@b"]);
    // Only the supervisor's own node may start children.
    const refused = await assertRejects(
      () => tree.startChild(remote("x", b.name)),
      SupervisorError,
    );
    assertEquals(refused.code, "refused");
    await tree.stop();
    await world.untilLiving();
    assertEquals(a.system.isAlive(pid), false);
  });
});
