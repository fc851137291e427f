import { assert, assertEquals } from "@std/assert";
import { System } from "../../lib/actor/system.ts";
import { NodeTable, RECEIVER, RemoteIncarnation, SENDER } from "../../lib/mesh/node_table.ts";
import type { Home, Pid } from "../../lib/term/pid.ts";
import { heapBytes, untilHeapReleased } from "../kit/heap.ts";
import { ManualHost } from "../kit/system.ts";
import { test } from "../kit/test.ts";
import { join, moveAll, Side } from "./session_pair.ts";

const HOME: Home = { node: "a@h:1", creation: 1, local: true };

/** Creates the tables of a session between `a` and `b`, and a list of the announced nodes. */
function tables(): {
  system: System;
  peer: RemoteIncarnation;
  homes: NodeTable;
  announced: string[];
} {
  const system = new System(HOME, new ManualHost());
  const peer = new RemoteIncarnation(system, "b@h:2", 2);
  const announced: string[] = [];
  const homes = new NodeTable(system, peer, (index, { node, creation }) => {
    announced.push(`${index} ${node} ${creation}`);
  });
  return { system, peer, homes, announced };
}

test("NodeTable.index returns 0 for this node, 1 for the peer, and a newly announced index for other nodes", () => {
  const { system, peer, homes, announced } = tables();
  const [c, d] = [
    new RemoteIncarnation(system, "c@h:3", 3),
    new RemoteIncarnation(system, "d@h:4", 4),
  ];
  assertEquals([homes.index(system.home), homes.index(peer)], [SENDER, RECEIVER]);
  assertEquals([homes.index(c), homes.index(d), homes.index(c)], [2, 3, 2]);
  // A second object for the same incarnation, such as another session creates, has the same index.
  assertEquals(homes.index(new RemoteIncarnation(system, "c@h:3", 3)), 2);
  assertEquals(homes.index(new RemoteIncarnation(system, "b@h:2", 2)), RECEIVER);
  assertEquals(homes.index(new RemoteIncarnation(system, "a@h:1", 1)), SENDER);
  // Another incarnation of each node has an index of its own.
  assertEquals(homes.index(new RemoteIncarnation(system, "c@h:3", 33)), 4);
  assertEquals(homes.index(new RemoteIncarnation(system, "b@h:2", 22)), 5);
  assertEquals(homes.index(new RemoteIncarnation(system, "a@h:1", 11)), 6);
  assertEquals(announced, ["2 c@h:3 3", "3 d@h:4 4", "4 c@h:3 33", "5 b@h:2 22", "6 a@h:1 11"]);
});

test("NodeTable.index returns undefined for a new node when the table is full", () => {
  const { system, homes, announced } = tables();
  for (let i = 2; i < 0x1_0000; i++) {
    assertEquals(homes.index(new RemoteIncarnation(system, "c@h:3", i)), i);
  }
  assertEquals(homes.index(new RemoteIncarnation(system, "c@h:3", 0x1_0000)), undefined);
  assertEquals(homes.index(new RemoteIncarnation(system, "c@h:3", 2)), 2);
  assertEquals(announced.length, 0x1_0000 - 2);
});

test("NodeTable.index caches a bounded number of objects, however many represent one incarnation", async () => {
  const { system, homes, announced } = tables();
  const before = heapBytes();
  for (let i = 0; i < 600_000; i++) homes.index(new RemoteIncarnation(system, "c@h:3", 3));
  assertEquals([homes.index(new RemoteIncarnation(system, "c@h:3", 3)), announced.length], [2, 1]);
  // The heap grows by less than 12 MiB only if at most a tenth of the objects is kept.
  await untilHeapReleased(before, 12 * 1024 * 1024);
  assertEquals(homes.index(system.home), SENDER);
});

test("NodeTable.announced accepts indices only in ascending order", () => {
  const { homes } = tables();
  for (const index of [0, 1, 3, 65_535]) {
    assertEquals(homes.announced(index, "c@h:3", 3), "a HOME out of order");
  }
  for (let i = 2; i < 0x1_0000; i++) assertEquals(homes.announced(i, "c@h:3", i), undefined);
  // All indexes of 16 bits are in use, so no further node can be announced.
  assertEquals(homes.announced(2, "c@h:3", 2), "a HOME out of order");
  assertEquals(homes.announced(0xffff, "c@h:3", 2), "a HOME out of order");
});

test("NodeTable.pid returns a pid of the incarnation that was announced with the index", () => {
  const { system, homes } = tables();
  for (
    const [node, creation] of [["c@h:3", 3], ["a@h:1", 1], ["a@h:1", 9], ["b@h:2", 2]] as const
  ) {
    homes.announced(homes.pid(2, 1) === undefined ? 2 : next(homes), node, creation);
  }
  const keys = [0, 1, 2, 3, 4, 5].map((index) => homes.pid(index, 7)!.key);
  assertEquals(keys, [
    "b@h:2 7.2",
    "a@h:1 7.1",
    "c@h:3 7.3",
    "a@h:1 7.1",
    "a@h:1 7.9",
    "b@h:2 7.2",
  ]);
  assertEquals([homes.pid(6, 7), homes.ref(6, 7), homes.pid(0xffff, 7)], [
    undefined,
    undefined,
    undefined,
  ]);
  assertEquals(homes.ref(0, 7)!.key, "b@h:2 7.2");
  assertEquals(homes.ref(1, 7)!.key, "a@h:1 7.1");
  assertEquals(homes.ref(3, 7)!.key, "a@h:1 7.1");
  assertEquals(homes.ref(4, 7)!.key, "a@h:1 7.9");
  // The number 0 is the system's own pid; the pid of an actor that has exited has no actor.
  assert(homes.pid(1, 0) === system.pid && homes.pid(3, 0) === system.pid);
  // Every pid refers to the system that sends to it.
  for (const index of [0, 1, 2, 3, 4]) assert(homes.pid(index, 7)!.home.system === system);
  assert(homes.pid(4, 0) !== system.pid);
  assertEquals(system.isAlive(homes.pid(1, 7)!), false);
});

function next(homes: NodeTable): number {
  let index = 2;
  while (homes.pid(index, 1) !== undefined) index++;
  return index;
}

test("NodeTable.pid returns the same object for a live actor, local or remote", () => {
  const [one, other] = join();
  const near = one.actor();
  const far = other.actor();
  assert(one.line.homes.pid(RECEIVER, near.pid.id) === near.pid as Pid);
  const before = one.pid(far);
  near.link(before);
  const kept = one.pid(far);
  assert(kept === one.pid(far) && [...near.links!][0] === kept);
  moveAll(one, other);
  near.unlink(kept);
  moveAll(one, other);
  assertEquals([kept.target, one.line.kept], [undefined, 0]);
  assert(kept.equals(one.pid(far)) && before.equals(kept));
});

/** Creates three nodes `a`, `b` and `c`. `b` has sessions with `a` and with `c`. */
function three(): { a: Side; b: Side; c: Side; ends: [Side, Side] } {
  const [a, b] = join();
  const c = new Side("c@h:3", 3);
  // Each `Side` has one session, so a second object with b's name has b's other session.
  const [b2, c2] = [new Side("other@h:2", 2), c];
  b2.open(c2);
  c2.open(b2);
  return { a, b, c, ends: [b2, c2] };
}

test("NodeTable announces the incarnation of a pid in each session through which the pid is forwarded", () => {
  const { a, b, c, ends: [b2] } = three();
  const home = a.actor();
  const middle = b.actor();
  const last = c.actor();
  a.system.send(a.pid(middle) as never, { deep: [home.pid] } as never);
  moveAll(a, b);
  const [{ deep: [pid] }] = middle.peek() as [{ deep: [Pid] }];
  assertEquals(pid!.key, `one@h:1 ${home.pid.id}.1`);
  b2.system.send(b2.pid(last) as never, new Map([[pid, new Set([pid])]]) as never);
  assertEquals(b2.waiting.map(({ tag }) => tag), [0x28, 0x10]);
  moveAll(b2, c);
  const [[there]] = [...last.peek()[0] as Map<Pid, Set<Pid>>] as [[Pid, Set<Pid>]];
  assertEquals([there.key, there.home.local], [pid!.key, false]);
  // c has no session with a.
  last.trapExit = true;
  last.link(there);
  last.monitor(there);
  const reasons = last.peek().slice(1).map((end) => (end as { reason: string }).reason);
  assertEquals(reasons, ["noconnection", "noconnection"]);
});
