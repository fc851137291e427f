/**
 * Global names and groups on real nodes of one process, over loopback TLS.
 */
import { assertEquals } from "@std/assert";
import type { Self } from "../../lib/actor/self.ts";
import { Exit } from "../../lib/actor/exit.ts";
import { NameChange } from "../../lib/cluster/changes.ts";
import type { Pid } from "../../lib/term/pid.ts";
import { cluster, type TestNode, withNodes } from "../kit/mesh.ts";
import { test, until } from "../kit/test.ts";

function idle(node: TestNode): Pid {
  return node.system.spawn(undefined, undefined, () => () => {}, []) as Pid;
}

const found = (nodes: readonly TestNode[], name: string) =>
  nodes.map(({ global }) => global.whereis(name)?.key);

test("Global.register: found everywhere when it resolves, and gone with its actor", async () => {
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
    await until("it is gone", () => found(nodes, "cart").every((key) => key === undefined));
    assertEquals(await b.global.register("cart", idle(b)), true);
    await b.mesh.stop();
    await until("it went with its node", () => found([a, c], "cart").every((key) => !key));
  });
});

test("Global: two nodes register one name at once, and one has it", async () => {
  await withNodes(async (start) => {
    const nodes = await cluster(start, 3);
    for (let i = 0; i < 50; i++) {
      const answers = await Promise.all(
        nodes.map((node) => node.global.register(`n${i}`, idle(node))),
      );
      assertEquals(answers.filter(Boolean).length, 1);
      const keys = found(nodes, `n${i}`);
      await until("all agree", () => new Set(found(nodes, `n${i}`)).size === 1);
      const owner = answers.indexOf(true);
      assertEquals(nodes[owner]!.global.whereis(`n${i}`)?.node, nodes[owner]!.name, `${keys}`);
    }
  });
});

test("Global: after a partition the later one loses the name, and ends", async () => {
  await withNodes(async (start) => {
    const a = await start("a");
    const b = await start("b");
    const log: unknown[] = [];
    const first = idle(a);
    const second = b.system.spawn(undefined, undefined, async (self: Self) => {
      self.trapExit = true;
      log.push(await self.receive());
    }, []) as Pid;
    assertEquals(await a.global.register("cart", first), true);
    assertEquals(await b.global.register("cart", second), true);
    await b.mesh.connect(a.name);
    await until("both agree", () => new Set(found([a, b], "cart")).size === 1);
    assertEquals(b.global.whereis("cart")?.equals(first), true);
    await until("the loser was told", () => log.length === 1);
    const exit = log[0] as Exit;
    assertEquals(exit instanceof Exit, true);
    const { nameConflict, winner } = exit.reason as { nameConflict: string; winner: Pid };
    assertEquals([nameConflict, winner.equals(first)], ["cart", true]);
  });
});

test("Global.monitor: tells of a name that appears, moves and goes", async () => {
  await withNodes(async (start) => {
    const [a, b] = await cluster(start, 2) as [TestNode, TestNode];
    const log: (string | undefined)[] = [];
    const watcher = b.system.spawn(undefined, undefined, () => (message: unknown) => {
      if (message instanceof NameChange) log.push(message.pid?.key);
    }, []) as Pid<NameChange>;
    b.global.monitor("cart", watcher);
    const pid = idle(a);
    await a.global.register("cart", pid);
    a.global.unregister("cart");
    await until("three", () => log.length === 3);
    assertEquals(log, [undefined, pid.key, undefined]);
  });
});

test("Groups: members of all nodes, as often as they joined, and gone with their end", async () => {
  await withNodes(async (start) => {
    const [a, b] = await cluster(start, 2) as [TestNode, TestNode];
    const [x, y] = [idle(a), idle(b)];
    a.groups.join("s", "g", x);
    a.groups.join("s", "g", x);
    b.groups.join("s", "g", y);
    const keys = (node: TestNode) => node.groups.members("s", "g").map((pid) => pid.key).sort();
    const all = [x.key, x.key, y.key].sort();
    await until("both know", () => keys(a).length === 3 && keys(b).length === 3);
    assertEquals([keys(a), keys(b)], [all, all]);
    assertEquals(b.groups.localMembers("s", "g").length, 1);
    assertEquals(a.groups.leave("s", "g", x), true);
    a.system.exit(x, "kill");
    await until("only one is left", () => keys(b).length === 1);
    assertEquals(keys(a), [y.key]);
    assertEquals(a.groups.names("s"), ["g"]);
    await b.mesh.stop();
    await until("none is left", () => keys(a).length === 0);
    assertEquals(a.groups.names("s"), []);
  });
});
