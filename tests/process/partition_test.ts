/**
 * Tests a network that silently drops packets and is healed, between two machines (network
 * namespaces).
 */
import process from "node:process";
import { isDeepStrictEqual } from "node:util";
import { assertEquals } from "@std/assert";
import { TwoMachines } from "../kit/netns.ts";
import { type NodeProcess, PAIRS, untilWhole, withNodes } from "../kit/process.ts";
import { test, until } from "../kit/test.ts";

/**
 * The duration of the partition: 30 seconds with FIRN_LONG=1, otherwise long enough for both ping
 * timeouts.
 */
const CUT_MS = process.env["FIRN_LONG"] === "1" ? 30_000 : 4_000;

const observed = (node: NodeProcess, tag: string) =>
  node.received.filter((received) => received.event === "received" && received["tag"] === tag)
    .map((received) => received["what"]);

for (const [one, other] of PAIRS) {
  const name =
    `a partition (${one}, ${other}) is reported once on both sides, and both nodes reconnect when it ends`;
  // Requires root, `ip` and `iptables`.
  test(name, { ignore: !TwoMachines.isPossible() }, async () => {
    const machines = new TwoMachines();
    try {
      await withNodes(async (start) => {
        const cookie = "5b1e0c97d24fa86d3379c0e15a8f42bd";
        const options = (machine: 0 | 1) => ({
          name: `n${machine}@${machines.addresses[machine]}:9100`,
          listen: { hostname: machines.addresses[machine] },
          cookie,
          pingInterval: 300,
          pingTimeout: 1500,
        });
        const a = await start(one, "a", options(0), "api_child.ts", machines.launch(0));
        const seeds = [a.name];
        const b = await start(
          other,
          "b",
          { ...options(1), seeds },
          "api_child.ts",
          machines.launch(1),
        );
        await untilWhole(a, b);
        await a.ask("counter", { name: "of-a" });
        await b.ask("counter", { name: "of-b" });
        await b.ask("counter", { name: "free" });
        await a.ask("watch", { name: "of-b", node: b.name });
        await b.ask("watch", { name: "of-a", node: a.name });
        assertEquals(await a.ask("register", { name: "mine" }), true);
        assertEquals(await b.ask("spawn", { node: a.name }), "ok");
        const actors = (node: NodeProcess) => node.ask<number>("actors");

        machines.cut();
        await until(
          "both nodes have ended the session",
          () => a.count("nodedown") === 1 && b.count("nodedown") === 1,
        );
        const loss = ["EXIT noconnection", "DOWN noconnection", "nodedown"];
        await until(
          "the actors of both nodes are notified",
          () => observed(a, "of-b").length === 3 && observed(b, "of-a").length === 3,
        );
        assertEquals([observed(a, "of-b"), observed(b, "of-a")], [loss, loss]);
        assertEquals(observed(b, "spawned"), loss);
        assertEquals(await a.ask("count", { name: "of-b", node: b.name }), "noconnection");
        assertEquals(await b.ask("spawn", { node: a.name }), "noconnection");
        assertEquals(await b.ask("whereis", { name: "mine" }), undefined);
        const alive = [await actors(a), await actors(b)] as const;
        // Both sides of the partition register the same name.
        assertEquals(await b.ask("register", { name: "torn" }), true);
        assertEquals(await a.ask("register", { name: "torn" }), true);
        await new Promise((wake) => setTimeout(wake, CUT_MS));
        assertEquals([a.count("nodeup"), b.count("nodeup")], [1, 1]);

        machines.heal();
        await untilWhole(a, b);
        assertEquals([a.count("nodedown"), b.count("nodedown")], [1, 1]);
        assertEquals(await a.ask("count", { name: "free", node: b.name }), 0);
        // Actors that were linked across the partition have exited.
        assertEquals(await a.ask("count", { name: "of-b", node: b.name }), "noproc");
        assertEquals(await b.ask("count", { name: "of-a", node: a.name }), "noproc");
        const where = (node: NodeProcess, what: string) => node.ask("whereis", { name: what });
        await until(
          "both nodes find the same actors",
          async () =>
            (await where(a, "torn")) === (await where(b, "torn")) &&
            (await where(a, "mine")) === (await where(b, "mine")),
        );
        // One actor keeps the name and the other has exited. Which of them depends on milliseconds.
        const keepsA = String(await where(a, "torn")).startsWith(a.name);
        const expected = keepsA ? [alive[0] + 1, alive[1]] : [alive[0], alive[1] + 1];
        await until(
          "the later holder has exited",
          async () => isDeepStrictEqual([await actors(a), await actors(b)], expected),
        );
        assertEquals([observed(a, "of-b").at(-1), observed(b, "of-a").at(-1)], [
          "nodeup",
          "nodeup",
        ]);
      });
    } finally {
      machines.remove();
    }
  });
}
