/**
 * What an operator sees of nodes in other processes.
 */
import { assert, assertEquals } from "@std/assert";
import { Node } from "../../lib/node.ts";
import { COOKIE } from "../kit/keys.ts";
import { PAIRS, untilWhole, withNodes } from "../kit/process.ts";
import { test } from "../kit/test.ts";

const CHILD = "observe_child.ts";

for (const [one, other] of PAIRS) {
  test(`node.info, top, tree and stats (${one}, ${other}) show the actors of other processes`, async () => {
    await withNodes(async (start) => {
      const a = await start(one, "a", { observe: "control" }, CHILD);
      const b = await start(other, "b", { seeds: [a.name] }, CHILD);
      await untilWhole(a, b);
      await using node = await Node.start({ cookie: COOKIE, seeds: [a.name], logLevel: "silent" });
      await node.connect(b.name);
      await a.ask("fill", { messages: 3000 });
      for (const { name } of [a, b]) {
        const [tree] = await node.tree({ node: name });
        assertEquals(tree!.children!.map(({ id, state }) => [id, state]), [["hits", "running"]]);
        const info = await node.info(tree!.children![0]!.pid!);
        assertEquals([info.node, info.names, info.child], [name, ["hits"], "hits"]);
      }
      const [full] = await node.top({ node: a.name });
      assertEquals([full!.names, full!.mailbox], [["full"], 3000]);
      const stats = await node.stats({ node: b.name });
      assertEquals(stats.runtime, other);
      assertEquals(stats.sessions.map((each) => each.node).sort(), [a.name, node.name].sort());
      assert(stats.sessions.every(({ roundTripMs }) => roundTripMs! > 0));
      await node.sys.exit(full!.pid);
      assertEquals(await node.top({ node: a.name }), []);
    });
  });
}
