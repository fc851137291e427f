/**
 * Tests events that concern thousands of names, memberships or monitors: their effects are applied
 * in portions, between which sockets and timers have a turn, and queries in the meantime return
 * consistent results.
 */
import { setImmediate } from "node:timers";
import { assert, assertEquals, assertRejects } from "@std/assert";
import type { Actor } from "../../lib/actor/actor.ts";
import { Down } from "../../lib/actor/exit.ts";
import type { NodeChange } from "../../lib/actor/node_change.ts";
import { PORTION } from "../../lib/actor/signals.ts";
import type { GroupChange } from "../../lib/cluster/changes.ts";
import { DEFAULT_SCOPE } from "../../lib/cluster/groups.ts";
import { NodeConnectError } from "../../lib/mesh/connect_waiters.ts";
import type { Pid } from "../../lib/term/pid.ts";
import {
  cluster,
  hostWith,
  type TestNode,
  untilApart,
  untilWhole,
  withNodes,
} from "../kit/mesh.ts";
import { test, until } from "../kit/test.ts";
import { idle, recorder, TestCluster, untilFound } from "./test_cluster.ts";

const COUNT = 8 * PORTION;

/** Runs `body` with two connected nodes. */
function withPair(body: (a: TestNode, b: TestNode) => Promise<void>): Promise<void> {
  return withNodes(async (start) => {
    const [a, b] = await cluster(start, 2) as [TestNode, TestNode];
    await body(a, b);
  });
}

/** Makes an actor of `a` monitor many actors of `b`. Resolves to their pids. */
async function monitorMany(watcher: Actor, a: TestNode, b: TestNode): Promise<Pid[]> {
  const there = a.remote.nodeLink(b.name)!;
  const far = Array.from({ length: COUNT }, () => there.pid(idle(b).id));
  for (const target of far) watcher.monitor(target);
  await until(
    "all monitors have reached the other node",
    () => b.remote.nodeLink(a.name)!.monitors === COUNT,
  );
  return far;
}

async function registerAll(node: TestNode, pid: Pid, count: number): Promise<void> {
  await Promise.all(Array.from({ length: count }, (_, i) => node.global.register(`n${i}`, pid)));
}

test("Mesh delivers thousands of Downs of a lost node in portions before the nodedown", async () => {
  await withPair(async (a, b) => {
    const log: (Down | NodeChange)[] = [];
    const pid = recorder(a, log);
    const actor = a.system.find(pid.id) as Actor;
    await until("the actor waits for messages", () => actor.status === "waiting");
    actor.monitorNode(b.name);
    const far = await monitorMany(actor, a, b);
    // In this turn, only one portion is delivered, so the new session opens before the rest.
    a.mesh.session(b.name)!.abort("closed", "the test");
    assert(a.system.signals.isBehind);
    assertEquals(actor.monitors!.size > COUNT - 3 * PORTION, true);
    assertEquals(a.received.includes(`down ${b.name} closed`), false);
    // Queries for actors whose monitors have not been signalled yet already return noconnection.
    assertEquals(a.system.lookup(far.at(-1)!), "noconnection");
    await a.mesh.connect(b.name);
    await until("all messages have arrived", () => log.length === COUNT + 2);
    assertEquals(log.slice(0, COUNT).every((message) => message instanceof Down), true);
    assertEquals(log.slice(COUNT).map(({ type }) => type), ["nodedown", "nodeup"]);
    assertEquals(new Set(log.slice(0, COUNT).map((down) => (down as Down).ref.id)).size, COUNT);
    assertEquals(actor.monitors?.size, 0);
  });
});

test("Mesh reports a lost node as up again after all effects of its lost session have ended", async () => {
  await withPair(async (a, b) => {
    const watcher = a.system.find(recorder(a, []).id) as Actor;
    await monitorMany(watcher, a, b);
    a.received.length = 0;
    let [most, before] = [0, COUNT];
    const turn = (): void => {
      const { size } = watcher.monitors!;
      most = Math.max(most, before - size);
      before = size;
    };
    a.mesh.session(b.name)!.abort("closed", "the test");
    // Both nodes detect the end of the session at once, and connect again before all effects of the
    // end have been applied.
    const up = a.mesh.connect(b.name);
    let again: Promise<void> | undefined;
    while (before > 0) {
      turn();
      if (b.mesh.session(a.name) === undefined) again ??= b.mesh.connect(a.name);
      await new Promise((turn) => setImmediate(turn));
    }
    await Promise.all([up, again]);
    await until("the node is up", () => a.received.length === 2);
    assertEquals(a.received, [`down ${b.name} closed`, `up ${b.name}`]);
    assert(most <= 2 * PORTION, `${most} of ${COUNT} in one turn`);
  });
});

test("Mesh.stop waits until thousands of monitors of actors on other nodes have ended in portions", async () => {
  await withPair(async (a, b) => {
    const watcher = a.system.find(recorder(a, []).id) as Actor;
    await monitorMany(watcher, a, b);
    let isBehind = false;
    a.mesh.events.on("nodedown", () => isBehind = watcher.monitors!.size > 0);
    const stopped = a.mesh.stop();
    // Checks in every turn, because all portions are done within eight turns.
    while (a.mesh.session(b.name) !== undefined) await new Promise((turn) => setImmediate(turn));
    assert(watcher.monitors!.size > 0, "more than one turn is needed");
    await stopped;
    assertEquals([watcher.monitors!.size, isBehind], [0, false]);
    assertEquals(a.received.at(-1), `down ${b.name} shutdown`);
  });
});

test("Mesh.stop ends a dial that waits for the effects of the lost session", async () => {
  await withNodes(async (start) => {
    let dials = 0;
    const host = hostWith((real) => ({
      connect(options) {
        dials++;
        return real.connect(options);
      },
    }));
    const a = await start("a", {}, host);
    const b = await start("b", { seeds: [a.name] });
    await untilWhole([a, b]);
    const watcher = a.system.find(recorder(a, []).id) as Actor;
    await monitorMany(watcher, a, b);
    a.mesh.session(b.name)!.abort("closed", "the test");
    const connecting = assertRejects(() => a.mesh.connect(b.name), NodeConnectError);
    assert(watcher.monitors!.size > 0, "more than one turn is needed");
    await a.mesh.stop();
    await connecting;
    for (let i = 0; i < 5; i++) await new Promise((turn) => setImmediate(turn));
    assertEquals([watcher.monitors!.size, dials, a.mesh.peers()], [0, 0, []]);
  });
});

test("Global: the names of an exited actor are free at once, and removed in portions", async () => {
  await withPair(async (a, b) => {
    const [holder, other, far] = [idle(a), idle(a), idle(b)];
    await registerAll(a, holder, COUNT);
    await untilFound([a, b], `n${COUNT - 1}`, holder);
    let freed = 0;
    a.events.on("name", ({ pid }) => void (pid === undefined && freed++));
    a.system.exit(holder, "kill");
    assert(freed > 0 && freed <= PORTION, `${freed} in one turn`);
    // The names that were registered first are removed last. They are not found any more, although
    // they are not removed yet.
    assertEquals([a.global.names(), a.global.whereis("n0")], [[], undefined]);
    assertEquals(a.global.unregister("n1"), false);
    const [mine, theirs] = [a.global.register("n0", other), b.global.register("n2", far)];
    assertEquals(a.global.whereis("n0"), other);
    assertEquals(await mine, true);
    await until("all names are removed on this node", () => !a.system.signals.isBehind);
    // When `register` was called on the other node, that node may not have received yet that the
    // name was freed.
    await until(
      "the other node has removed the name too",
      () => b.global.whereis("n2")?.key !== holder.key,
    );
    assertEquals(await theirs || await b.global.register("n2", far), true);
    await untilFound([a, b], "n0", other);
    await untilFound([a, b], "n2", far);
    await until(
      "both nodes have only the two new names",
      () => [a, b].every((n) => n.global.names().length === 2),
    );
  });
});

test("Global: conflicts are decided correctly while the stamps of thousands of names are corrected in portions", async () => {
  await withNodes(async (start) => {
    const nodes = new TestCluster(start);
    const a = await nodes.add();
    const b = await nodes.add((host) =>
      hostWith((real) => ({
        clock: {
          now: () => real.clock.now(),
          wall: () => real.clock.wall() + 10 * 3_600_000,
          after: (after, task) => real.clock.after(after, task),
          every: (every, task) => real.clock.every(every, task),
        },
      }), host)
    );
    const [late, early] = [idle(a), idle(b)];
    // The clock of the earlier holder is ten hours fast, so its registrations have later times.
    await registerAll(b, early, COUNT);
    await new Promise((wake) => setTimeout(wake, 30));
    assertEquals(await a.global.register(`n${COUNT - 1}`, late), true);
    await nodes.meet();
    await untilFound([a, b], `n${COUNT - 1}`, early);
    await until("the later holder has exited", () => !a.system.isAlive(late));
    await until("all names are known", () => a.global.names().length === COUNT);
    nodes.faults.clear();
  });
});

test("Groups: the members of a lost node are no longer found, and are removed in portions", async () => {
  await withPair(async (a, b) => {
    const member = idle(b);
    const most = 6_000;
    for (let i = 0; i < most; i++) b.groups.join(DEFAULT_SCOPE, `g${i}`, member);
    const last = `g${most - 1}`;
    await until(
      "the other node knows the last group",
      () => a.groups.members(DEFAULT_SCOPE, last).length === 1,
    );
    const log: GroupChange[] = [];
    a.groups.monitor(DEFAULT_SCOPE, last, recorder(a, log));
    await until("the monitor has reported the current members", () => log.length === 1);
    a.mesh.session(b.name)!.abort("closed", "the test");
    assertEquals(a.groups.members(DEFAULT_SCOPE, last), []);
    assertEquals(a.groups.names(DEFAULT_SCOPE), []);
    assert(a.groups.count > 0, "more than one turn is needed");
    await untilApart(b, a);
    await a.mesh.connect(b.name);
    await until(
      "the memberships are announced again",
      () => a.groups.members(DEFAULT_SCOPE, last).length === 1,
    );
    await until("all changes are reported", () => log.length === 3);
    assertEquals(log.map(({ joined, left }) => [joined.length, left.length]), [[1, 0], [0, 1], [
      1,
      0,
    ]]);
    assertEquals(a.groups.names(DEFAULT_SCOPE).length, most);
  });
});

test("Groups: an actor that exits is no longer found, and its memberships are removed in portions", async () => {
  await withPair(async (a, b) => {
    const member = idle(a);
    for (let i = 0; i < COUNT; i++) a.groups.join(DEFAULT_SCOPE, `g${i}`, member);
    const names = [a, b].map((node) => () => node.groups.names(DEFAULT_SCOPE).length);
    await until("both nodes know all groups", () => names.every((count) => count() === COUNT));
    a.system.exit(member, "kill");
    assert(names[0]!() >= COUNT - 2 * PORTION, "more than one turn is needed");
    const last = `g${COUNT - 1}`;
    assertEquals(a.groups.members(DEFAULT_SCOPE, last), []);
    assertEquals(a.groups.localMembers(DEFAULT_SCOPE, last), []);
    await until(
      "both nodes have removed all memberships",
      () => names.every((count) => count() === 0),
    );
  });
});
