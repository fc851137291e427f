/** Tests singletons on real nodes of one process. */
import { assertEquals, assertRejects } from "@std/assert";
import { Call } from "../../lib/actor/call.ts";
import { NameError } from "../../lib/actor/errors.ts";
import type { Self } from "../../lib/actor/self.ts";
import type { Singleton } from "../../lib/cluster/singleton.ts";
import type { LocalChildSpec } from "../../lib/otp/child.ts";
import { TAG } from "../../lib/mesh/message.ts";
import type { Pid } from "../../lib/term/pid.ts";
import { MemoryNetwork } from "../kit/memory_host.ts";
import { cluster, type Start, type TestNode, untilWhole, withNodes } from "../kit/mesh.ts";
import { seeds } from "../kit/seeds.ts";
import { test, until } from "../kit/test.ts";
import { idle, turn, withCluster } from "./test_cluster.ts";

/** Counts the running copies of all nodes. */
class Census {
  readonly live = new Set<string>();
  /** The maximum number of concurrent copies. */
  most = 0;
  started = 0;

  child(node: TestNode): LocalChildSpec {
    return {
      id: "clock",
      start: (self) =>
        self.spawnLink((self: Self<unknown>) => {
          this.live.add(node.name);
          this.started++;
          this.most = Math.max(this.most, this.live.size);
          self.signal.addEventListener("abort", () => this.live.delete(node.name));
          return (message: unknown) => {
            if (message === "crash") throw new Error("crash requested");
            if (message instanceof Call) message.reply(node.name);
          };
        }),
    };
  }
}

/** Waits until one copy runs and all nodes find it. Returns its node. */
async function untilOne(nodes: readonly TestNode[], census: Census): Promise<string> {
  await until("exactly one copy runs, and all nodes find it", () => {
    const [where] = census.live;
    return census.live.size === 1 &&
      nodes.every((node) => node.global.whereis("clock")?.node === where);
  });
  return [...census.live][0]!;
}

const quiet = { logLevel: "silent" } as const;

async function three(start: Start): Promise<[TestNode, TestNode, TestNode]> {
  const net = new MemoryNetwork();
  const a = await start("a", quiet, net.host());
  const b = await start("b", { ...quiet, seeds: [a.name] }, net.host());
  const c = await start("c", { ...quiet, seeds: [a.name] }, net.host());
  await untilWhole([a, b, c]);
  return [a, b, c];
}

test("Global.singleton runs one child, and starts it on another node when its node is lost", async () => {
  await withNodes(async (start) => {
    const nodes = await three(start);
    const census = new Census();
    await Promise.all(
      nodes.map((node) => node.global.singleton("clock", census.child(node))),
    );
    const first = await untilOne(nodes, census);
    assertEquals(census.started, 1);
    assertEquals(nodes.map(({ global }) => global.names()), Array(3).fill(["clock"]));
    const holder = nodes.find(({ name }) => name === first)!;
    const rest = nodes.filter((node) => node !== holder);
    await holder.mesh.stop();
    holder.system.stop();
    const second = await untilOne(rest, census);
    assertEquals(second !== first, true);
    assertEquals(census.started, 2);
  });
});

test("Global.singleton restarts the child on its node, and moves it after too many restarts", async () => {
  await withNodes(async (start) => {
    const nodes = await three(start);
    const census = new Census();
    for (const node of nodes) {
      await node.global.singleton("clock", census.child(node), { intensity: 1, period: 60_000 });
    }
    const [a] = nodes;
    assertEquals(await untilOne(nodes, census), a.name);
    const before = a.global.whereis("clock") as Pid<string>;
    a.system.send(before, "crash");
    await until("the child has been restarted", () => census.started === 2);
    assertEquals(await untilOne(nodes, census), a.name);
    assertEquals(a.global.whereis("clock")!.equals(before), false);
    a.system.send(a.global.whereis("clock") as Pid<string>, "crash");
    await until("the child has been started on another node", () => census.started === 3);
    assertEquals(await untilOne(nodes, census) !== a.name, true);
  });
});

test("Singleton.stop ends the child before another node starts it", async () => {
  await withNodes(async (start) => {
    const nodes = await three(start);
    const census = new Census();
    const parts = [];
    for (const node of nodes) {
      parts.push(await node.global.singleton("clock", census.child(node)));
    }
    assertEquals(parts.map((part) => part.isHere), [true, false, false]);
    await assertRejects(
      () => nodes[0].global.singleton("clock", census.child(nodes[0])),
      NameError,
    );
    for (const at of [0, 1]) {
      const here = parts.find((part) => part.isHere)!;
      const before = await untilOne(nodes, census);
      await here.stop();
      assertEquals(census.live.has(before), false);
      const after = await untilOne(nodes, census);
      assertEquals(after !== before, true, `${at}`);
    }
    await parts.find((part) => part.isHere)!.stop();
    await until("no copy runs", () => {
      return census.live.size === 0 && nodes.every(({ global }) => !global.whereis("clock"));
    });
    assertEquals(census.most, 1);
    // A node that has stopped taking part may do so again.
    await nodes[0].global.singleton("clock", census.child(nodes[0]));
    assertEquals(await untilOne(nodes, census), nodes[0].name);
  });
});

test("Global.singleton: one of two children ends when the two sides of a partition connect", async () => {
  await withNodes(async (start) => {
    const census = new Census();
    const a = await start("a", quiet);
    const b = await start("b", quiet);
    const first = await a.global.singleton("clock", census.child(a));
    const second = await b.global.singleton("clock", census.child(b));
    // The restarted child is the newest, but belongs to the earlier lock: the age of the lock
    // decides.
    a.system.send(a.global.whereis("clock") as Pid<string>, "crash");
    await until("a's child has been restarted", () => census.started === 3);
    assertEquals([first.isHere, second.isHere], [true, true]);
    await b.mesh.connect(a.name);
    assertEquals(await untilOne([a, b], census), a.name);
    assertEquals([first.isHere, second.isHere], [true, false]);
    assertEquals(census.started, 3);
    await first.stop();
    assertEquals(await untilOne([a, b], census), b.name);
  });
});

test("Global.singleton starts the child on another node if the child cannot start on the first node", async () => {
  await withNodes(async (start) => {
    const [a, b] = await cluster(start, 2) as [TestNode, TestNode];
    const census = new Census();
    const start_ = (): never => {
      throw new Error("cannot start here");
    };
    const broken = a.global.singleton("clock", { id: "clock", start: start_ });
    await b.global.singleton("clock", census.child(b));
    assertEquals(await untilOne([a, b], census), b.name);
    await broken;
  });
});

test(
  "Global.singleton: exactly one child runs after random faults of the network, nodes and children",
  {
    timeout: 300_000,
  },
  async () => {
    await seeds(25, 40, async (random, size) => {
      await withCluster(4, async (testCluster, ...nodes) => {
        await testCluster.meet();
        const census = new Census();
        const options = { intensity: 1, period: 60_000 };
        const parts = new Map<TestNode, Singleton>();
        const join = (node: TestNode): void => {
          if (parts.has(node)) return;
          node.global.singleton("clock", census.child(node), options).then(
            (part) => parts.set(node, part),
            () => {},
          );
        };
        for (const node of nodes) join(node);
        testCluster.faults.isHeld = true;
        for (let i = 0; i < size; i++) {
          const at = random.below(4);
          const other = (at + 1 + random.below(3)) % 4;
          const node = nodes[at]!;
          switch (random.below(10)) {
            case 0:
              testCluster.cut(at, other);
              break;
            case 1:
              testCluster.heal(at, other);
              node.mesh.connect(nodes[other]!.name).catch(() => {});
              break;
            case 2: {
              const child = node.global.whereis("clock");
              if (child !== undefined) node.system.send(child as Pid<string>, "crash");
              break;
            }
            case 3: {
              // At least two nodes continue to take part: if no node took part, no node would run
              // the child at the end.
              const part = parts.get(node);
              if (part === undefined || parts.size < 3) break;
              parts.delete(node);
              void part.stop();
              break;
            }
            case 4:
              join(node);
              break;
            default:
              for (let n = random.below(6); n >= 0; n--) {
                if (!testCluster.faults.pass((count) => random.below(count))) await turn();
              }
          }
          if (random.below(3) === 0) await turn();
        }
        testCluster.faults.clear();
        for (const one of nodes) {
          for (const two of nodes) testCluster.heal(nodes.indexOf(one), nodes.indexOf(two));
        }
        await until("all nodes are connected", async () => {
          let isWhole = true;
          for (const one of nodes) {
            for (const two of nodes) {
              if (one === two || one.mesh.session(two.name) !== undefined) continue;
              isWhole = false;
              one.mesh.connect(two.name).catch(() => {});
            }
          }
          await turn();
          return isWhole;
        });
        await untilOne(nodes, census);
        // The same copy still runs some turns later.
        for (let i = 0; i < 20; i++) await turn();
        await untilOne(nodes, census);
      });
    });
  },
);

test("Global.singleton repeats the start of its child while another actor has the child's name", async () => {
  await withCluster(2, async (testCluster, ...nodes) => {
    await testCluster.meet();
    const [a, b] = nodes as [TestNode, TestNode];
    const other = idle(b);
    assertEquals(await b.global.register("clock", other), true);
    const census = new Census();
    for (const node of nodes) {
      await node.global.singleton("clock", census.child(node), { intensity: 1, period: 60_000 });
    }
    await until("several starts were attempted", () => census.started > 1);
    assertEquals(a.global.whereis("clock")?.equals(other), true);
    assertEquals(b.system.isAlive(other), true);
    b.global.unregister("clock");
    await untilOne(nodes, census);
    assertEquals(a.global.whereis("clock")?.equals(other), false);
  });
});

test("Global.singleton resolves if its node stops while the child is starting", async () => {
  await withCluster(1, async (_cluster, a) => {
    const never = (): Promise<Pid> => new Promise(() => {});
    const part = a!.global.singleton("clock", { id: "clock", start: never });
    await until("the child is starting", () => a!.system.size > 1);
    a!.system.stop();
    assertEquals((await part).name, "clock");
    assertEquals((await part).isHere, false);
  });
});

test("Global.singleton does not restart a transient child that has exited normally", async () => {
  await withCluster(2, async (testCluster, ...nodes) => {
    await testCluster.meet();
    const census = new Census();
    for (const node of nodes) {
      const start = (self: Self) => {
        census.started++;
        return self.spawnLink(() => {});
      };
      const child: LocalChildSpec = { id: "clock", restart: "transient", start };
      let isSettled = false;
      node.global.singleton("clock", child).then(() => isSettled = true);
      await until("the promise has resolved", () => isSettled);
    }
    assertEquals(census.started, 1);
    assertEquals(nodes.map(({ global }) => global.whereis("clock")), [undefined, undefined]);
  });
});

test("Global.singleton does not resolve until a child that starts slowly on another node is registered", async () => {
  await withCluster(2, async (testCluster, ...nodes) => {
    await testCluster.meet();
    const [a, b] = nodes as [TestNode, TestNode];
    const census = new Census();
    const { start } = census.child(a);
    let open!: () => void;
    const opened = new Promise<void>((resolve) => open = resolve);
    const slow = (self: Self) => opened.then(() => start(self));
    const first = a.global.singleton("clock", { id: "clock", start: slow });
    let isSettled = false;
    const second = b.global.singleton("clock", census.child(b));
    second.then(() => isSettled = true);
    for (let i = 0; i < 20; i++) await turn();
    assertEquals([isSettled, census.started], [false, 0]);
    open();
    await second;
    assertEquals(b.global.whereis("clock")?.node, a.name);
    assertEquals((await first).whereis()?.node, a.name);
    assertEquals((await second).name, "clock");
  });
});

test("Global.singleton retries at intervals while another node still knows an unreachable holder", async () => {
  await withCluster(3, async (testCluster, ...nodes) => {
    await testCluster.meet();
    const [a, b, c] = nodes as [TestNode, TestNode, TestNode];
    const census = new Census();
    await a.global.singleton("clock", census.child(a));
    await b.global.singleton("clock", census.child(b));
    const line = b.remote.nodeLink(c.name)!;
    const { row } = line;
    let asked = 0;
    line.row = (tag: number, body: Uint8Array) => {
      if (tag === TAG.GLOBAL_REGISTER) asked++;
      row.call(line, tag, body);
    };
    // Cuts b off from the holder. The third node is still connected to the holder, so the child
    // does not start on b.
    testCluster.cut(0, 1);
    await until("b has requested the name", () => asked > 0);
    for (let i = 0; i < 50; i++) await turn();
    assertEquals([asked <= 2, census.started], [true, 1]);
    // When the third node has lost the holder too, the child starts on that side.
    testCluster.cut(0, 2);
    await until("a copy also runs on the other side", () => census.started === 2);
  });
});

test("Global.singleton retries a child that fails to start, and resolves after it has started", async () => {
  await withCluster(1, async (_cluster, node) => {
    const census = new Census();
    const { start } = census.child(node!);
    let failures = 2;
    const late = (self: Self) => {
      if (failures-- > 0) throw new Error("not yet");
      return start(self);
    };
    let where: string | undefined = "not settled";
    node!.global.singleton("clock", { id: "clock", start: late }).then((part) => {
      where = part.whereis()?.node;
    });
    await until("the child runs", () => census.started === 1 && where !== "not settled");
    assertEquals(where, node!.name);
  });
});
