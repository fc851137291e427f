/** Tests that nodes that start and stop at random leave no sessions, actors or names. */
import process from "node:process";
import { assert, assertEquals } from "@std/assert";
import { SeededRandom } from "../../lib/base/random.ts";
import { type NodeProcess, pairsInTurn, untilWhole, withNodes } from "../kit/process.ts";
import { test, until } from "../kit/test.ts";

/** The number of times that a node stops. With FIRN_LONG=1 the test takes some minutes. */
const ROUNDS = process.env["FIRN_LONG"] === "1" ? 150 : 8;

for (const [one, other] of pairsInTurn(0)) {
  test(`a mesh with constant restarts (${one}, ${other}) keeps no stale session, name or actor`, {
    timeout: 600_000,
  }, async () => {
    await withNodes(async (start) => {
      const seed = 20_261_121;
      const random = new SeededRandom(seed);
      const hasty = { pingInterval: 200, pingTimeout: 1_500 };
      const a = await start(one, "a", hasty, "api_child.ts");
      await a.ask("counter", { name: "hub" });
      const alive = await a.ask<number>("actors");
      const others: NodeProcess[] = [];
      const join = async (name?: string): Promise<void> => {
        const runtime = random.next() < 0.5 ? one : other;
        const options = { ...hasty, seeds: [a.name], ...(name === undefined ? {} : { name }) };
        const node = await start(runtime, "n", options, "api_child.ts");
        others.push(node);
        // Links an actor of the new node with the hub when the nodes are connected. The actor also
        // monitors the hub and its node.
        await until(
          "the node is connected to the hub's node",
          async () => (await node.ask<string[]>("peers")).length > 0,
        );
        await node.ask("watch", { name: "hub", node: a.name }).catch(() => {});
        await node.ask("register", { name: `name-${others.length}` });
      };
      for (let i = 0; i < 3; i++) await join();
      for (let round = 0; round < ROUNDS; round++) {
        const [node] = others.splice(Math.floor(random.next() * others.length), 1);
        const dice = random.next();
        if (dice < 0.4) await node!.kill();
        else if (dice < 0.7) {
          await node!.ask("stop");
          await node!.kill();
        } else {
          node!.signal("SIGSTOP");
          await until(
            "the lost node is disconnected",
            async () => !(await a.ask<string[]>("peers")).includes(node!.name),
          );
          await node!.kill();
        }
        // The hub exits with the first linked actor of the lost node, so it is spawned again.
        await a.ask("counter", { name: "hub" }).catch(() => {});
        await join(random.next() < 0.5 ? node!.name : undefined);
        assert(others.length === 3, `seed ${seed}, round ${round}`);
      }
      await untilWhole(a, ...others);
      assertEquals((await a.ask<string[]>("peers")).length, 3);
      for (const node of others.splice(0)) await node.kill();
      await until(
        "all nodes are disconnected",
        async () => (await a.ask<string[]>("peers")).length === 0,
      );
      await until(
        "all actors for them have exited",
        async () => (await a.ask<number>("actors")) <= alive,
      );
      assertEquals(await a.ask("names"), []);
    });
  });
}
