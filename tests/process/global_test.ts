/** Tests global names, groups and singletons on three nodes in separate processes. */
import { assert, assertEquals } from "@std/assert";
import {
  type NodeProcess,
  PAIRS,
  pairsInTurn,
  type Runtime,
  testsInTurn,
  untilWhole,
  withNodes,
} from "../kit/process.ts";
import { test, until } from "../kit/test.ts";

const CHILD = "global_child.ts";
const hasty = { pingInterval: 200, pingTimeout: 1_000 };

function whereis(node: NodeProcess, name: string): Promise<string | undefined> {
  return node.ask<string | undefined>("whereis", { name });
}

function spawn(node: NodeProcess, label: string, sum = 0): Promise<string> {
  return node.ask<string>("spawn", { label, sum });
}

/**
 * Waits until all nodes find this actor under a name. `undefined` waits until they find no actor.
 */
function untilFound(nodes: NodeProcess[], name: string, key: string | undefined): Promise<void> {
  return until(`all nodes find ${key} under ${name}`, async () => {
    const found = await Promise.all(nodes.map((node) => whereis(node, name)));
    return found.every((one) => one === key);
  });
}

/** Starts three nodes that know each other, the second on the other runtime. */
async function startThree(
  start: typeof NodeProcess.start,
  one: Runtime,
  other: Runtime,
): Promise<[NodeProcess, NodeProcess, NodeProcess]> {
  const a = await start(one, "a", {}, CHILD);
  const b = await start(other, "b", { seeds: [a.name] }, CHILD);
  const c = await start(one, "c", { seeds: [a.name] }, CHILD);
  await untilWhole(a, b, c);
  return [a, b, c];
}

for (const pair of PAIRS) {
  const [one, other] = pair;
  const where = `(${one}, ${other})`;
  const testInTurn = testsInTurn(pair);

  testInTurn(
    `global names ${where} are found on all nodes until their actor or node ends`,
    async () => {
      await withNodes(async (start) => {
        const [a, b, c] = await startThree(start, one, other);
        const all = [a, b, c];
        const [x, y, z] = [await spawn(a, "x", 40), await spawn(b, "y"), await spawn(b, "z")];
        assertEquals(await a.ask("register", { name: "cart", label: "x" }), true);
        assertEquals(await Promise.all(all.map((node) => whereis(node, "cart"))), [x, x, x]);
        assertEquals(await c.ask("sum", { name: "cart" }), 40);
        assertEquals(await b.ask("register", { name: "cart", label: "y" }), false);
        assertEquals(await b.ask("unregister", { name: "cart" }), false);
        assertEquals(await b.ask("register", { name: "till", label: "y" }), true);
        assertEquals(await b.ask("register", { name: "shop", label: "z" }), true);
        await b.ask("join", { name: "g", label: "y" });
        await b.ask("join", { name: "g", label: "y" });
        await a.ask("join", { name: "g", label: "x" });
        const members = (node: NodeProcess) => node.ask<string[]>("members", { name: "g" });
        await until("all nodes see all members", async () => (await members(c)).length === 3);
        for (const node of all) assertEquals(await node.ask("names"), ["cart", "shop", "till"]);

        assertEquals(await a.ask("unregister", { name: "cart" }), true);
        await untilFound(all, "cart", undefined);
        assertEquals(
          await c.ask("register", { name: "cart", label: "none" }).catch(() => "none"),
          "none",
        );
        await spawn(c, "w");
        assertEquals(await c.ask("register", { name: "cart", label: "w" }), true);
        await b.ask("exit", { label: "z" });
        await untilFound(all, "shop", undefined);
        assertEquals(await whereis(a, "till"), y);

        await b.kill();
        await untilFound([a, c], "till", undefined);
        for (const node of [a, c]) assertEquals(await node.ask("names"), ["cart"]);
        for (const node of [a, c]) assertEquals(await members(node), [x]);
        // Each node removed the name of the lost node by itself, without a message from another node.
        for (const node of [a, c]) {
          const received = node.received.filter(({ event, name }) =>
            event === "name" && name === "till"
          );
          assertEquals(received.map(({ key }) => key), [y, undefined]);
        }
        assert(z !== y);

        // The next incarnation learns the current names, and has none of the names of the former.
        const again = await start(other, "b", { name: b.name, seeds: [a.name] }, CHILD);
        await untilWhole(a, again, c);
        await until(
          "the new node knows the names",
          async () => (await again.ask<string[]>("names")).length === 1,
        );
        const fresh = await spawn(again, "y");
        assert(fresh !== y);
        assertEquals(await again.ask("register", { name: "till", label: "y" }), true);
        await untilFound([a, again, c], "till", fresh);
      });
    },
  );

  testInTurn(
    `global names ${where}: one node gets a name that many nodes register at the same time`,
    async () => {
      await withNodes(async (start) => {
        const [a, b, c] = await startThree(start, one, other);
        const all = [a, b, c];
        for (const node of all) await spawn(node, "x");
        for (let i = 0; i < 40; i++) {
          const name = `n${i}`;
          const answers = await Promise.all(
            all.map((node) => node.ask<boolean>("register", { name, label: "x" })),
          );
          assertEquals(answers.filter(Boolean).length, 1);
          const holder = all[answers.indexOf(true)]!;
          await untilFound(all, name, await whereis(holder, name));
          assert((await whereis(a, name))!.startsWith(holder.name));
        }
      });
    },
  );

  testInTurn(
    `global names ${where}: the later of two holders loses the name when a suspended node resumes`,
    async () => {
      await withNodes(async (start) => {
        const a = await start(one, "a", hasty, CHILD);
        const b = await start(other, "b", { ...hasty, seeds: [a.name] }, CHILD);
        const c = await start(one, "c", { ...hasty, seeds: [a.name] }, CHILD);
        await untilWhole(a, b, c);
        const all = [a, b, c];
        const keys = new Map<string, string>();
        for (const kind of ["exit", "keep", "merge"]) {
          keys.set(`b ${kind}`, await spawn(b, kind, 2));
          assertEquals(
            await b.ask("register", { name: kind, label: kind, onConflict: "merge" }),
            true,
          );
        }
        await spawn(b, "alone");
        await b.ask("register", { name: "alone", label: "alone" });
        b.signal("SIGSTOP");
        try {
          // While node b does not answer, a request to register a name waits until the session with b
          // has ended.
          await spawn(a, "patient");
          assertEquals(await a.ask("register", { name: "patient", label: "patient" }), true);
          for (const name of ["exit", "keep", "merge", "alone"]) {
            await untilFound([a, c], name, undefined);
          }
          for (const kind of ["exit", "keep", "merge"]) {
            keys.set(`c ${kind}`, await spawn(c, kind, 40));
            const details = { name: kind, label: kind, onConflict: kind };
            assertEquals(await c.ask("register", details), true);
          }
        } finally {
          b.signal("SIGCONT");
        }
        await untilWhole(a, b, c);
        for (const kind of ["exit", "keep", "merge"]) {
          await untilFound(all, kind, keys.get(`b ${kind}`));
        }
        await until("all nodes know the same names", async () => {
          const names = await Promise.all(all.map((node) => node.ask<string[]>("names")));
          return names.every((some) => some.join() === "alone,exit,keep,merge,patient");
        });
        // The actors of `c` are the later holders: one has exited, one is alive, and one has handed
        // over its state.
        await until("two actors have exited", () => c.count("ended") === 2);
        const ended = c.received.filter(({ event }) => event === "ended");
        for (const kind of ["exit", "merge"]) {
          const { conflict, by } = ended.find((received) => received["label"] === kind)!;
          assertEquals([conflict, by], [kind, keys.get(`b ${kind}`)]);
        }
        // `c` sends the state and `a` the request, so either may arrive first.
        await until(
          "the states are merged",
          async () => await a.ask<number>("sum", { name: "merge" }) === 42,
        );
        assertEquals(await a.ask("sum", { name: "exit" }), 2);
        const conflicts = c.received.filter(({ event }) => event === "nameconflict");
        assertEquals(conflicts.map(({ name }) => name).sort(), ["exit", "keep", "merge"]);
        for (const { name, loser, winner } of conflicts) {
          assertEquals([loser, winner], [keys.get(`c ${name}`), keys.get(`b ${name}`)]);
        }
        assertEquals([a.count("nameconflict"), b.count("nameconflict"), b.count("ended")], [
          0,
          0,
          0,
        ]);
        // The actor that was kept alive may register another name.
        assertEquals(await c.ask("register", { name: "kept", label: "keep" }), true);
        await untilFound(all, "kept", keys.get("c keep"));
      });
    },
  );

  testInTurn(
    `global names ${where}: a lost connection between two nodes removes no names on a third node`,
    async () => {
      await withNodes(async (start) => {
        const [a, b, c] = await startThree(start, one, other);
        const x = await spawn(b, "x");
        await b.ask("register", { name: "x", label: "x" });
        await untilFound([a, b, c], "x", x);
        await a.ask("disconnect", { node: b.name });
        await untilFound([a], "x", undefined);
        // `a` learns from the third node that the name is still in use.
        await spawn(a, "y");
        assertEquals(await a.ask("register", { name: "x", label: "y" }), false);
        assertEquals([await whereis(b, "x"), await whereis(c, "x")], [x, x]);
        assertEquals(await a.ask("connect", { node: b.name }), "up");
        await untilFound([a, b, c], "x", x);
      });
    },
  );
}

for (const [one, other] of pairsInTurn(0)) {
  test(`global names (${one}, ${other}): a hundred thousand names are sent to a node that joins without stopping heartbeats`, async () => {
    await withNodes(async (start) => {
      const brisk = { pingInterval: 1_000, pingTimeout: 8_000 };
      const a = await start(one, "a", brisk, CHILD);
      await spawn(a, "x");
      await a.ask("fill", { name: "user", label: "x", sum: 100_000 });
      const b = await start(other, "b", { ...brisk, seeds: [a.name] }, CHILD);
      await until("all names are known", async () => await b.ask("count") === 100_000);
      await a.ask("exit", { label: "x" });
      await until("all names are removed", async () => await b.ask("count") === 0);
      assertEquals([a.count("nodedown"), b.count("nodedown")], [0, 0]);
    });
  });
}

for (const [one, other] of pairsInTurn(1)) {
  test(`a singleton (${one}, ${other}) moves to another node when its node is killed or suspended`, async () => {
    await withNodes(async (start) => {
      const a = await start(one, "a", hasty, CHILD);
      const b = await start(other, "b", { ...hasty, seeds: [a.name] }, CHILD);
      const c = await start(one, "c", { ...hasty, seeds: [a.name] }, CHILD);
      await untilWhole(a, b, c);
      const all = [a, b, c];
      await Promise.all(all.map((node) => node.ask("singleton", { name: "clock" })));
      const running = (nodes: NodeProcess[]) =>
        nodes.filter((node) => node.count("runs") > node.count("rests"));
      const untilOne = async (nodes: NodeProcess[]): Promise<NodeProcess> => {
        await until("exactly one runs, and all nodes find it", async () => {
          const [holder, ...rest] = running(nodes);
          if (holder === undefined || rest.length > 0) return false;
          const found = await Promise.all(nodes.map((node) => whereis(node, "clock")));
          return found.every((key) => key?.startsWith(`${holder.name} `) && key === found[0]);
        });
        return running(nodes)[0]!;
      };
      const first = await untilOne(all);
      assertEquals(all.reduce((sum, node) => sum + node.count("runs"), 0), 1);
      await first.kill();
      const two = all.filter((node) => node !== first);
      const second = await untilOne(two);
      second.signal("SIGSTOP");
      const third = two.find((node) => node !== second)!;
      await untilOne([third]);
      assertEquals([second.count("rests"), third.count("runs")], [0, 1]);
      second.signal("SIGCONT");
      await untilWhole(second, third);
      // The copy that was suspended exits, and its replacement continues to run.
      assertEquals(await untilOne(two), third);
      assertEquals([second.count("rests"), third.count("rests")], [1, 0]);
    });
  });
}
