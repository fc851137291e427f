/** Tests process groups on nodes of one process. */
import { assert, assertEquals, assertThrows } from "@std/assert";
import { ArgumentError, NoProcError } from "../../lib/actor/errors.ts";
import { Writer } from "../../lib/base/bytes.ts";
import { GroupChange } from "../../lib/cluster/changes.ts";
import { DEFAULT_SCOPE, Groups, GroupTable, MEMBERSHIPS_MAX } from "../../lib/cluster/groups.ts";
import { Registry } from "../../lib/cluster/registry.ts";
import { TAG } from "../../lib/mesh/message.ts";
import type { Pid } from "../../lib/term/pid.ts";
import { cluster, type TestNode, untilApart, withNodes } from "../kit/mesh.ts";
import { pick, seeds } from "../kit/seeds.ts";
import { test, until } from "../kit/test.ts";
import { idle, recorder, turn, withCluster } from "./test_cluster.ts";

function groupsOf({ groups }: TestNode): Groups {
  return new Groups(groups, DEFAULT_SCOPE);
}

function keys(node: TestNode, group: string = "g"): string[] {
  return groupsOf(node).members(group).map(({ key }) => key).sort();
}

function untilKeys(nodes: readonly TestNode[], pids: readonly Pid[], group = "g"): Promise<void> {
  const all = pids.map(({ key }) => key).sort().join();
  return until(
    `all see ${all} in ${group}`,
    () => nodes.every((node) => keys(node, group).join() === all),
  );
}

test("Groups.members returns an actor of any node as often as the actor has joined", async () => {
  await withNodes(async (start) => {
    const [a, b] = await cluster(start, 2) as [TestNode, TestNode];
    const [x, y] = [idle(a), idle(b)];
    groupsOf(a).join("g", x);
    groupsOf(a).join("g", x);
    groupsOf(b).join("g", y);
    await untilKeys([a, b], [x, x, y]);
    assertEquals(groupsOf(b).localMembers("g"), [y]);
    assertEquals(groupsOf(a).localMembers("g"), [x, x]);
    assertEquals(groupsOf(a).leave("g", x), true);
    await untilKeys([a, b], [x, y]);
    a.system.exit(x, "kill");
    await untilKeys([a, b], [y]);
    assertEquals(groupsOf(a).names(), ["g"]);
    await b.mesh.stop();
    await untilKeys([a], []);
    assertEquals(groupsOf(a).names(), []);
  });
});

test("Groups: two nodes that connect exchange the members that joined before", async () => {
  await withCluster(2, async (testCluster, a, b) => {
    const [x, y] = [idle(a!), idle(b!)];
    const scopes = ["s", "s\0", "1:s", "s:"];
    for (const scope of scopes) {
      for (const group of ["g", "\0g", "é".repeat(127)]) {
        groupsOf(a!).scope(scope).join(group, x);
        groupsOf(b!).scope(scope).join(group, y);
        groupsOf(b!).scope(scope).join(group, y);
      }
    }
    await testCluster.meet();
    const both = [x.key, y.key, y.key].sort();
    for (const scope of scopes) {
      for (const node of [a!, b!]) {
        const groups = groupsOf(node).scope(scope);
        await until("a knows all members", () => groups.members("g").length === 3);
        assertEquals(groups.names().sort(), ["\0g", "g", "é".repeat(127)].sort());
        for (const group of groups.names()) {
          assertEquals(groups.members(group).map(({ key }) => key).sort(), both);
        }
      }
    }
    assertEquals(groupsOf(a!).scope("s").leave("\0g", x), true);
    assertEquals(groupsOf(a!).scope("s\0").members("g").length, 3);
    assertEquals(groupsOf(a!).names(), []);
    // The node keeps no state for an actor that has left all of its groups.
    const w = idle(a!);
    groupsOf(a!).join("w", w);
    groupsOf(a!).join("w", w);
    assertEquals(groupsOf(a!).leave("w", w), true);
    assertEquals(a!.system.find(w.id)!.chain === undefined, false);
    assertEquals([groupsOf(a!).leave("w", w), groupsOf(a!).leave("w", w)], [true, false]);
    assertEquals(a!.system.find(w.id)!.chain === undefined, true);
    groupsOf(a!).join("w", w);
    a!.system.exit(w, "kill");
    assertEquals(groupsOf(a!).members("w"), []);
    // All memberships of an actor are removed together.
    b!.system.exit(y, "kill");
    await until("one member is left in each scope", () => {
      return scopes.every((scope) => groupsOf(a!).scope(scope).members("g").length === 1);
    });
  });
});

test("Groups: a node removes the members of a lost node, and adds them again when it reconnects", async () => {
  await withCluster(3, async (testCluster, a, b, c) => {
    await testCluster.meet();
    const pids = [a!, b!, c!].map(idle);
    for (const [i, node] of [a!, b!, c!].entries()) groupsOf(node).join("g", pids[i]!);
    await untilKeys([a!, b!, c!], pids);
    testCluster.cut(0, 1);
    await untilApart(a!, b!);
    await untilApart(b!, a!);
    assertEquals(keys(a!), [pids[0]!.key, pids[2]!.key].sort());
    assertEquals(keys(b!), [pids[1]!.key, pids[2]!.key].sort());
    assertEquals(keys(c!).length, 3);
    testCluster.heal(0, 1);
    await testCluster.meet();
    await untilKeys([a!, b!, c!], pids);
  });
});

test("Groups.monitor reports the current members, and then each join and leave", async () => {
  await withCluster(2, async (testCluster, a, b) => {
    await testCluster.meet();
    const [x, y] = [idle(a!), idle(b!)];
    groupsOf(a!).join("g", x);
    await untilKeys([a!, b!], [x]);
    const log: GroupChange[] = [];
    const watcher = recorder<GroupChange>(b!, log);
    const stop = groupsOf(b!).monitor("g", watcher);
    const described = (): string[] =>
      log.map(({ joined, left }) =>
        `+${joined.map(({ key }) => key)} -${left.map(({ key }) => key)}`
      );
    groupsOf(b!).join("g", y);
    groupsOf(b!).join("other", y);
    groupsOf(a!).join("g", x);
    await untilKeys([b!], [x, x, y]);
    groupsOf(b!).leave("g", y);
    await until("four changes have arrived", () => log.length === 4);
    assert(log.every((change) => change instanceof GroupChange && change.group === "g"));
    testCluster.cut(0, 1);
    await until("the node's members have left", () => log.length === 5);
    assertEquals(described(), [
      `+${x.key} -`,
      `+${y.key} -`,
      `+${x.key} -`,
      `+ -${y.key}`,
      `+ -${x.key},${x.key}`,
    ]);
    stop();
    groupsOf(b!).join("g", y);
    await turn();
    assertEquals(log.length, 5);
  });
});

test("Groups.join rejects actors of other nodes, and invalid names", async () => {
  await withCluster(2, async (testCluster, a, b) => {
    await testCluster.meet();
    const far = idle(b!);
    await b!.global.register("far", far);
    const there = a!.global.whereis("far")!;
    const near = idle(a!);
    for (const pid of [there, there]) assertThrows(() => groupsOf(a!).join("g", pid), NoProcError);
    // The remote actor has the same number as the local actor, but is not a member of the group.
    groupsOf(a!).join("g", near);
    assertEquals([there.id === near.id, groupsOf(a!).leave("g", there)], [true, false]);
    assertEquals(groupsOf(a!).leave("h", near), false);
    assertThrows(() => groupsOf(a!).monitor("g", there as Pid<GroupChange>), NoProcError);
    for (const bad of ["", "x".repeat(256), "\ud800"]) {
      assertThrows(() => groupsOf(a!).join(bad, near), ArgumentError);
      assertThrows(() => groupsOf(a!).scope(bad), ArgumentError);
    }
    a!.system.exit(near, "kill");
    assertThrows(() => groupsOf(a!).join("g", near), NoProcError);
    assertEquals([groupsOf(a!).leave("g", near), keys(a!)], [false, []]);
  });
});

test("Groups: a long list of members is sent in portions while actors join and leave", () => {
  return seeds(6, 4_000, async (random, size) => {
    await withCluster(2, async (testCluster, a, b) => {
      const pids = [idle(a!), idle(a!), idle(a!)];
      const names = ["g", "é".repeat(127), "ü".repeat(127)];
      const groups = groupsOf(a!);
      for (let i = 0; i < size * 2; i++) groups.join(pick(random, names), pick(random, pids));
      let left = 200;
      const churn = (): void => {
        for (let i = 0; i < 20; i++) {
          const [name, pid] = [pick(random, names), pick(random, pids)];
          if (random.below(3) === 0) groups.join(name, pid);
          else groups.leave(name, pid);
        }
        if (--left > 0) setTimeout(churn, 0);
      };
      a!.events.on("nodeup", churn);
      await a!.mesh.connect(b!.name);
      await until("all changes are made", () => left === 0);
      a!.system.exit(pids[2]!, "kill");
      await testCluster.settled();
      await until(
        "both nodes have the same members",
        () => names.every((name) => keys(a!, name).join() === keys(b!, name).join()),
      );
      for (const name of names) assertEquals(keys(b!, name), keys(a!, name));
      assertEquals(keys(b!, "g").includes(pids[2]!.key), false);
    });
  });
});

test("Groups: a node accepts memberships up to a limit, and accepts more after members have left", async () => {
  await withCluster(2, async (testCluster, a, b) => {
    await testCluster.meet();
    const line = a!.remote.nodeLink(b!.name)!;
    const table = new GroupTable(a!.system, 3);
    const [x, y] = [idle(a!), idle(a!)];
    for (const pid of [x, x, y]) table.join("s", "g", pid);
    assertThrows(() => table.join("s", "g", x), ArgumentError);
    table.leave("s", "g", x);
    table.join("s", "g", y);
    table.up(line);
    const row = (count: number, group = "g"): Uint8Array => {
      const writer = new Writer().u32(count);
      for (let i = 0; i < count; i++) writer.text16("s").text16(group).u64(7n);
      return writer.done();
    };
    const received = [
      table.joining(line, row(3)),
      table.leaving(line, row(1)),
      table.leaving(line, row(1, "h")),
      table.joining(line, row(1)),
    ];
    assertEquals(received, Array(4).fill(undefined));
    assertEquals([table.members("s", "g").length, table.localMembers("s", "g").length], [6, 3]);
    assertEquals(table.joining(line, row(1)), "more than 3 memberships");
    table.down(line);
    assertEquals(table.members("s", "g").length, 3);
    assertEquals(MEMBERSHIPS_MAX, 2 ** 20);
  });
});

test("Groups: messages of a closed session are ignored", async () => {
  await withCluster(2, async (testCluster, a, b) => {
    await testCluster.meet();
    const line = a!.remote.nodeLink(b!.name)!;
    const sent: number[] = [];
    line.row = (tag: number) => void sent.push(tag);
    const table = new GroupTable(a!.system);
    const row = new Writer().u32(1).text16("s").text16("g").u64(7n).done();
    const nothing = (): void => {
      assertEquals([table.joining(line, row), table.leaving(line, row)], [undefined, undefined]);
      assertEquals([table.sendMore(line), table.down(line)], [false, undefined]);
      assertEquals([table.names("s"), sent.splice(0)], [[], []]);
    };
    nothing();
    table.up(line);
    const pid = idle(a!);
    table.join("s", "own", pid);
    assertEquals([table.sendMore(line), sent.splice(0)], [false, [TAG.GROUP_JOIN]]);
    const log: GroupChange[] = [];
    const watcher = recorder<GroupChange>(a!, log);
    table.monitor("s", "own", watcher);
    table.joining(line, row);
    table.down(line);
    await turn();
    assertEquals([table.names("s"), log.length], [["own"], 1]);
    // A session that is established later receives the members at that time, once.
    table.up(line);
    assertEquals([table.sendMore(line), table.sendMore(line)], [false, false]);
    assertEquals(sent.splice(0), [TAG.GROUP_JOIN]);
    table.down(line);
    table.leave("s", "own", pid);
    nothing();
  });
});

test("GroupTable and Registry keep the entries of a session when its replaced session ends", async () => {
  await withCluster(2, async (testCluster, a, b) => {
    await testCluster.meet();
    const later = a!.remote.nodeLink(b!.name)!;
    const earlier = Object.create(later) as typeof later;
    const table = new GroupTable(a!.system);
    const registry = new Registry(a!.system, a!.events, () => 1);
    for (const one of [table, registry]) {
      one.up(earlier);
      one.up(later);
    }
    const member = new Writer().u32(1).text16("s").text16("g").u64(7n).done();
    const name = new Writer().u32(1).text16("x").u64(7n).text16(b!.name).u64(1n).done();
    assertEquals([table.joining(later, member), registry.sync(later, name)], [
      undefined,
      undefined,
    ]);
    table.down(earlier);
    registry.down(earlier);
    assertEquals([table.names("s"), registry.names()], [["g"], ["x"]]);
    table.down(later);
    registry.down(later);
    assertEquals([table.names("s"), registry.names()], [[], []]);
  });
});
