/**
 * Tests global names and singletons on three machines (network namespaces): cut links, suspended
 * holders, clocks that are hours off, and a quorum that is lost and restored.
 */
import { assert, assertEquals } from "@std/assert";
import { atTime, hasFaketime } from "../kit/faketime.ts";
import { Machines, TwoMachines } from "../kit/netns.ts";
import { isTurnOf, type NodeProcess, PAIRS, untilWhole, withNodes } from "../kit/process.ts";
import { test, until } from "../kit/test.ts";

const CHILD = "global_child.ts";
const COOKIE = "7f3a9c1e5b8d2046e1c7a95f30d8b264";
const isPossible = TwoMachines.isPossible();

interface Setup {
  readonly machines: Machines;
  readonly nodes: readonly [NodeProcess, NodeProcess, NodeProcess];
}

/** Runs `body` with three nodes, each on its own machine. The second may have a wrong clock. */
async function withThree(
  pair: (typeof PAIRS)[number],
  body: (setup: Setup) => Promise<void>,
  clock?: string,
): Promise<void> {
  const machines = new Machines(3);
  try {
    await withNodes(async (start) => {
      const names = machines.addresses.map((address, i) => `n${i}@${address}:9100`);
      const nodes: NodeProcess[] = [];
      for (const [i, name] of names.entries()) {
        const options = {
          name,
          cookie: COOKIE,
          listen: { hostname: machines.addresses[i]! },
          seeds: names.filter((other) => other !== name),
          pingInterval: 200,
          pingTimeout: 1_000,
          joinTimeout: 1_000,
        };
        const wrap = i === 1 && clock !== undefined ? atTime(clock) : [];
        nodes.push(
          await start(pair[i % 2]!, `n${i}`, options, CHILD, machines.launch(i, ...wrap)),
        );
      }
      await untilWhole(...nodes);
      await body({ machines, nodes: nodes as unknown as Setup["nodes"] });
    });
  } finally {
    machines.remove();
  }
}

const runs = (node: NodeProcess): boolean => node.count("runs") > node.count("rests");
const peers = async (node: NodeProcess): Promise<number> =>
  (await node.ask<string[]>("peers")).length;
const spawn = (node: NodeProcess, label: string) => node.ask<string>("spawn", { label });

for (const pair of PAIRS) {
  const where = `(${pair.join(", ")})`;

  test(
    `global names ${where}: no name is registered twice while the link between two machines is cut`,
    { ignore: !isPossible, timeout: 180_000 },
    () =>
      withThree(pair, async ({ machines, nodes: [a, b, c] }) => {
        await a.ask("singleton", { name: "clock" });
        machines.cut(0, 1);
        await until("a and b are disconnected", async () =>
          await peers(a) === 1 && await peers(b) === 1);
        let granted = 0;
        for (let i = 0; i < 30; i++) {
          for (const node of [a, b]) {
            await spawn(node, "x");
          }
          const answers = await Promise.all(
            [a, b].map((node) =>
              node.ask<boolean>("register", { name: `n${i}`, label: "x" })
            ),
          );
          assert(!(answers[0] && answers[1]), `n${i} was granted to both`);
          if (answers[0] || answers[1]) granted++;
        }
        assertEquals(granted, 30);
        // One node cannot reach the holder, which remains the only holder.
        assertEquals(await b.ask("singleton", { name: "clock" }), true);
        assertEquals([runs(a), runs(b), b.count("runs")], [true, false, 0]);
        machines.heal();
        await untilWhole(a, b, c);
        await until("the singleton is found", async () => {
          const key = await b.ask<string | undefined>("whereis", { name: "clock" });
          return key?.startsWith(a.name) ?? false;
        });
      }),
  );

  test(
    `a singleton with a quorum ${where} keeps one copy when a suspended holder resumes`,
    { ignore: !isPossible, timeout: 90_000 },
    () =>
      withThree(pair, async ({ machines, nodes }) => {
        const quorum = "majority";
        await Promise.all(nodes.map((node) => node.ask("singleton", { name: "clock", quorum })));
        await until("one copy runs", () => nodes.filter(runs).length === 1);
        const first = nodes.find(runs)!;
        const rest = nodes.filter((node) => node !== first);
        first.signal("SIGSTOP");
        try {
          await until("another copy runs", () => rest.some(runs));
        } finally {
          first.signal("SIGCONT");
        }
        await until("the former holder has stopped", () => !runs(first));
        await untilWhole(...nodes);
        const second = rest.find(runs)!;
        assertEquals([second.count("runs"), nodes.filter(runs).length], [1, 1]);
        // Isolates each machine, so that no node has a quorum.
        for (const [i, j] of [[0, 1], [0, 2], [1, 2]] as const) machines.cut(i, j);
        await until("no copy runs", () => !nodes.some(runs));
        await spawn(first, "x");
        assertEquals(await first.ask("register", { name: "x", label: "x", quorum }), "noquorum");
        machines.heal();
        await until("one copy runs again", () => nodes.filter(runs).length === 1);
        const received = nodes.flatMap((node) =>
          node.received.filter(({ event }) => event === "runs")
        );
        const tokens = received.map((event) => event["token"] as number).sort((x, y) => x - y);
        const inOrder = received.sort((x, y) => x.at! - y.at!).map((event) => event["token"]);
        assertEquals(inOrder, tokens);
        assertEquals(new Set(tokens).size, tokens.length);
      }),
  );

  for (const [i, clock] of ["+10h", "-10h"].entries()) {
    if (!isTurnOf(pair, i)) continue;
    test(
      `global names ${where}: a clock that is off by ${clock} takes no name from its holder`,
      { ignore: !isPossible || !hasFaketime, timeout: 180_000 },
      () =>
        withThree(pair, async ({ machines, nodes: [a, b, c] }) => {
          const x = await spawn(a, "x");
          await spawn(b, "y");
          assertEquals(await a.ask("register", { name: "held", label: "x" }), true);
          assertEquals(await b.ask("register", { name: "held", label: "y" }), false);
          machines.cut(0, 1);
          await until("a and b are disconnected", async () =>
            await peers(a) === 1 && await peers(b) === 1);
          assertEquals(await b.ask("register", { name: "held", label: "y" }), false);
          machines.cut(1, 2);
          await until("b is isolated", async () =>
            await peers(b) === 0);
          assertEquals(await b.ask("register", { name: "held", label: "y" }), true);
          machines.heal();
          await untilWhole(a, b, c);
          await until("all nodes find the first holder", async () => {
            const found = await Promise.all(
              [a, b, c].map((node) => node.ask("whereis", { name: "held" })),
            );
            return found.every((key) => key === x);
          });
          assertEquals(b.count("nameconflict"), 1);
        }, clock),
    );
  }
}
