/**
 * Tests supervised children on other nodes, between processes: what happens when a child crashes,
 * and when its node or its supervisor's node is killed, stopped, suspended, or returns.
 */
import { assert, assertEquals, assertNotEquals } from "@std/assert";
import type { RemoteChildSpec } from "../../lib/otp/child.ts";
import type { SupervisorOptions } from "../../lib/otp/supervisor_actor.ts";
import {
  isTurnOf,
  type NodeProcess,
  PAIRS,
  pairsInTurn,
  type Runtime,
  testsInTurn,
  untilWhole,
  withNodes,
} from "../kit/process.ts";
import type { Manner } from "../otp/remote_workers.ts";
import { test, until } from "../kit/test.ts";

/** A live worker, or a child that the supervisor knows. */
interface Known {
  readonly id: string;
  readonly pid?: string;
  readonly node?: string;
}

/** Options with a ping timeout of one second. */
const SHORT_TIMEOUT = { pingInterval: 200, pingTimeout: 1000 };

/** Runs `body` with a supervising node on one runtime, and other nodes on the other. */
async function withCluster(
  [one, other]: readonly [Runtime, Runtime],
  body: (
    a: NodeProcess,
    start: (short: string, ...seeds: NodeProcess[]) => Promise<NodeProcess>,
  ) => Promise<void>,
): Promise<void> {
  await withNodes(async (startNode) => {
    const a = await startNode(one, "a", SHORT_TIMEOUT, "remote_children_child.ts");
    await body(a, async (short, ...seeds) => {
      const name = short.includes("@") ? { name: short } : {};
      const options = { ...SHORT_TIMEOUT, ...name, seeds: [a, ...seeds].map(({ name }) => name) };
      const node = await startNode(other, short, options, "remote_children_child.ts");
      await node.ask("expose");
      await untilWhole(node, a, ...seeds);
      await until("a knows the exposed functions", async () => {
        return (await a.ask<string[]>("exposed", { name: node.name })).includes("worker");
      });
      return node;
    });
  });
}

const child = (
  id: string,
  node: string,
  spec: Partial<RemoteChildSpec> & { manner?: Manner } = {},
) => {
  const { manner = "atOnce", ...rest } = spec;
  return { id, node, fn: "worker", args: [id, manner], ...rest };
};

const supervise = (a: NodeProcess, options: SupervisorOptions): Promise<void> =>
  a.ask("supervise", options as Record<string, unknown>);

const which = (a: NodeProcess): Promise<Known[]> => a.ask("which");

async function living(...nodes: NodeProcess[]): Promise<Known[]> {
  return (await Promise.all(nodes.map((node) => node.ask<Known[]>("living")))).flat();
}

/** Waits until the first child waits for its node, or runs on the given node. */
async function untilFirst(a: NodeProcess, what: "waiting" | NodeProcess): Promise<void> {
  await until(`the child is ${typeof what === "string" ? what : `on ${what.name}`}`, async () => {
    const [{ pid } = {}] = await which(a);
    return typeof what === "string" ? pid === what : String(pid).startsWith(`${what.name} `);
  });
}

const starts = (node: NodeProcess): number => node.count("start");

for (const pair of PAIRS) {
  const on = pair.join(", ");
  const testInTurn = testsInTurn(pair);

  testInTurn(`a remote child (${on}) that crashes is restarted on its node`, async () => {
    await withCluster(pair, async (a, start) => {
      const b = await start("b");
      await supervise(a, { children: [child("w", b.name)] });
      const [before] = await which(a);
      assertEquals(await living(b), [{ id: "w", pid: before!.pid! }]);
      for (let round = 1; round <= 3; round++) {
        await b.ask("crash", { worker: "w" });
        await until("the child has been restarted", () => starts(b) === round + 1);
      }
      await until("the new pid is known", async () => {
        return (await which(a))[0]!.pid === (await living(b))[0]!.pid;
      });
      const [after] = await which(a);
      assertNotEquals(after!.pid, before!.pid);
      assertEquals(after!.node, b.name);
      assert(after!.pid!.startsWith(`${b.name} `), after!.pid);
      assertEquals((await living(b)).length, 1);
    });
  });

  testInTurn(
    `onNodeDown fail (${on}) counts kill -9 of the node and each failed start of the child as restarts`,
    async () => {
      await withCluster(pair, async (a, start) => {
        const b = await start("b");
        const c = await start("c", b);
        await supervise(a, { intensity: 2, children: [child("v", c.name), child("w", b.name)] });
        await b.kill();
        await until("the supervisor has ended", () => a.count("over", undefined, "shutdown") === 1);
        assertEquals(a.count("restart"), 3);
        await until("the other child has been stopped", () => c.count("end") === 1);
        assertEquals(await living(c), []);
      });
    },
  );

  testInTurn(
    `onNodeDown wait (${on}) starts the child again when its node returns after kill -9`,
    async () => {
      await withCluster(pair, async (a, start) => {
        const b = await start("b");
        const c = await start("c", b);
        await supervise(a, {
          intensity: 0,
          children: [child("w", b.name, { onNodeDown: "wait" }), child("x", c.name)],
        });
        const [before] = await which(a);
        await b.kill();
        await untilFirst(a, "waiting");
        assertEquals((await which(a))[0]!.node, b.name);
        const again = await start(b.name, c);
        await untilFirst(a, again);
        const [after] = await which(a);
        assertNotEquals(after!.pid, before!.pid);
        assertEquals(await living(again), [{ id: "w", pid: after!.pid! }]);
        // The other child, on c, and the supervisor are unaffected.
        assertEquals([c.count("end"), starts(c), a.count("over")], [0, 1, 0]);
      });
    },
  );

  testInTurn(
    `onNodeDown failover (${on}) starts the child on another node after kill -9 of its node`,
    async () => {
      await withCluster(pair, async (a, start) => {
        const b = await start("b");
        await supervise(a, {
          intensity: 0,
          children: [child("w", "least_loaded", { onNodeDown: "failover" })],
        });
        const c = await start("c", b);
        await b.kill();
        await untilFirst(a, c);
        assertEquals((await living(c)).length, 1);
        const gone = a.received.find(({ event }) => event === "nodedown")!.at!;
        const begun = c.received.find(({ event }) => event === "start")!.at!;
        assert(begun - gone < 1000, `${begun - gone} ms later`);
        // The child stays on the other node when the first node is back.
        const again = await start(b.name, c);
        await untilWhole(a, again, c);
        assertEquals([starts(again), starts(c), a.count("over")], [0, 1, 0]);
      });
    },
  );
}

for (const pair of pairsInTurn(0)) {
  test(`remote children (${pair.join(", ")}) end when their supervisor's node is killed with -9`, async () => {
    await withCluster(pair, async (a, start) => {
      const b = await start("b");
      const c = await start("c", b);
      await supervise(a, {
        children: [
          child("v", b.name),
          child("w", c.name),
          child("x", b.name, { manner: "late" }),
          child("y", c.name, { manner: "ignores" }),
        ],
      });
      assertEquals((await living(b, c)).length, 4);
      await a.kill();
      await until("all children have exited", async () => (await living(b, c)).length === 0);
      assertEquals(b.count("end", undefined, "noconnection"), 1);
      assertEquals(c.count("end", undefined, "noconnection"), 1);
    });
  });
}

for (const pair of PAIRS) {
  const on = pair.join(", ");

  test(`Supervisor.stop (${on}) stops remote children in reverse order, one after the other`, async () => {
    await withCluster(pair, async (a, start) => {
      const b = await start("b");
      const c = await start("c", b);
      await supervise(a, {
        children: [
          child("v", b.name),
          child("w", c.name, { manner: "late" }),
          child("x", b.name, { manner: "never", shutdown: 100 }),
          child("y", c.name, { manner: "late" }),
        ],
      });
      await a.ask("stop");
      const ends = [...b.received, ...c.received].filter(({ event }) => event === "end")
        .sort((one, other) => one.at! - other.at!);
      assertEquals(ends.map(({ id, reason }) => `${id} ${reason}`), [
        "y normal",
        "x killed",
        "w normal",
        "v shutdown",
      ]);
      assert(ends[1]!.at! - ends[0]!.at! > 90, "x had its shutdown time");
      await until("the end of the supervisor is reported", () => a.count("over") === 1);
      assert(a.received.find(({ event }) => event === "over")!.at! >= ends.at(-1)!.at!);
    });
  });

  for (const [i, onNodeDown] of (["wait", "failover"] as const).entries()) {
    for (const [j, manner] of (["atOnce", "ignores"] as const).entries()) {
      if (!isTurnOf(pair, i + j)) continue;
      const subject = manner === "ignores" ? "a child that traps exits" : "a child";
      test(`onNodeDown ${onNodeDown} (${on}) leaves one running instance of ${subject} after its node was suspended and resumed`, async () => {
        await withCluster(pair, async (a, start) => {
          const b = await start("b");
          await supervise(a, {
            intensity: 0,
            children: [child("w", b.name, { onNodeDown, manner })],
          });
          const c = await start("c", b);
          b.signal("SIGSTOP");
          await until(
            "the suspended node is disconnected",
            () => a.count("nodedown", b.name, "timeout") === 1,
          );
          await untilFirst(a, onNodeDown === "wait" ? "waiting" : c);
          b.signal("SIGCONT");
          await untilWhole(a, b, c);
          const where = onNodeDown === "wait" ? b : c;
          await untilFirst(a, where);
          await until("exactly one child is alive", async () => (await living(b, c)).length === 1);
          const [{ pid }] = await which(a) as [Known];
          assertEquals(await living(where), [{ id: "w", pid: pid! }]);
          assertEquals([b.count("end"), a.count("over")], [1, 0]);
        });
      });
    }
  }
}

for (const pair of pairsInTurn(1)) {
  test(`remote children (${pair.join(", ")}) have one running instance each after their supervisor's node was suspended and resumed`, async () => {
    await withCluster(pair, async (a, start) => {
      const b = await start("b");
      const c = await start("c", b);
      await supervise(a, {
        intensity: 0,
        children: [
          child("w", b.name, { onNodeDown: "wait" }),
          child("x", c.name, { onNodeDown: "wait", manner: "ignores" }),
        ],
      });
      a.signal("SIGSTOP");
      await until(
        "both nodes have lost the supervisor's node",
        () => b.count("nodedown") + c.count("nodedown") === 2,
      );
      assertEquals((await living(b, c)).map(({ id }) => id), ["x"]);
      a.signal("SIGCONT");
      await untilWhole(a, b, c);
      await until("both children have been restarted", () => starts(b) === 2 && starts(c) === 2);
      await until("each child is alive once", async () => {
        const pids = (await which(a)).map(({ id, pid }) => ({ id, pid }));
        return JSON.stringify(pids) === JSON.stringify(await living(b, c));
      });
      assertEquals(a.count("over"), 0);
    });
  });
}
