/**
 * Tests the upper limit of held events that each node announces to its peers, in the simulator,
 * with nodes killed at any time.
 */
import { assert, assertEquals } from "@std/assert";
import process from "node:process";
import type { Pid } from "../../mod.ts";
import { ceilingOf, Held, type Holding } from "../../mesher/cluster/held.ts";
import { NODE_MONITOR } from "../../mesher/services/node_monitor.ts";
import { cards, registries, REGISTRY } from "../../mesher/services/registry.ts";
import { isOwnHalf, test } from "../kit/test.ts";
import { eventWith } from "./event.ts";
import { NAMES, onSimStage, type SimStage } from "./sim_stage.ts";

test("ceilingOf rounds up to a power of two of at least 16, and returns 0 for 0", () => {
  const grid = [[0, 0], [1, 16], [16, 16], [17, 32], [100, 128], [128, 128], [22_000, 32_768]];
  for (const [held, ceiling] of grid) assertEquals(ceilingOf(held!), ceiling);
});

test("Held raises its ceiling once for all events that wait above it", async () => {
  let held = 0;
  const received: Holding[] = [];
  let observed = (): void => {};
  const ceiling = new Held(7, () => held, (holding) => {
    received.push(holding);
    return new Promise((resolve) => observed = resolve);
  });
  assert(ceiling.fits(0));
  assert(!ceiling.fits(1));
  const raised = Promise.all([ceiling.raise(10), ceiling.raise(3)]);
  assertEquals(received, [{ life: 7, turn: 1, most: 16 }]);
  assert(!ceiling.fits(10), "the peers have not confirmed yet");
  assertEquals(ceiling.holding.most, 16, "the reported ceiling is the next one");
  observed();
  await raised;
  assert(ceiling.fits(10));
  held = 10;
  assert(ceiling.fits(6));
  assert(!ceiling.fits(7));
});

test("Held lowers its ceiling after a tick with less demand", async () => {
  let held = 0;
  const received: number[] = [];
  const ceiling = new Held(1, () => held, ({ most }) => (received.push(most), Promise.resolve()));
  await ceiling.raise(1_000);
  ceiling.fits(1_000);
  held = 100;
  await ceiling.lower();
  assertEquals(received, [1_024], "that many events were held since the last tick");
  await ceiling.lower();
  await ceiling.lower();
  assertEquals(received, [1_024, 128]);
  held = 0;
  await ceiling.lowerToCount();
  assertEquals(received, [1_024, 128, 0]);
});

/** The number of seeds, half of them on each runtime. With FIRN_LONG=1 the test takes some minutes. */
const SEEDS = process.env["FIRN_LONG"] === "1" ? 500 : 20;

/** Returns how many events a node reported as possibly lost with another node. */
function reported({ lines }: SimStage, by: string, lost: string): number | undefined {
  const line = lines.get(by)!.find((text) => text.startsWith(`nodedown ${lost}@`));
  const [, most] = /: (?:at most (\d+) events|all )/.exec(line ?? "") ?? [];
  return line === undefined || /had not said/.test(line) ? undefined : Number(most ?? 0);
}

test("A peer reports at least as many lost events as a killed node held", async () => {
  const missed: number[] = [];
  for (let seed = 1; seed <= SEEDS; seed++) {
    if (!isOwnHalf(seed)) continue;
    await onSimStage(async (stage) => {
      const { sim, nodes, storage, party } = stage;
      const { random } = sim;
      for (const other of ["b", "c"]) {
        sim.link("a", other, { delay: 1 + random.below(30), jitter: 5 });
      }
      let accepted = 0;
      let isQuiet = false;
      const client = async (): Promise<void> => {
        while (!isQuiet && sim.node("a") !== undefined) {
          const count = 1 + random.below(100);
          await stage.take("a", ...Array.from({ length: count }, () => eventWith()));
          // Events accepted after the crash are not counted, because the client has received no
          // response.
          if (sim.node("a") !== undefined) accepted += count;
          await sim.run(random.below(40));
        }
      };
      const clients = [client(), client()];
      const end = sim.now + random.below(3_000);
      while (sim.now < end) {
        await sim.run(random.below(150));
        if (random.below(5) === 0) stage.isAway = !stage.isAway;
        // Kills a monitor. When restarted, it keeps what was reported to it, and requests what is
        // missing.
        const watcher = sim.node(["b", "c"][random.below(2)]!)!;
        const pid = watcher.whereis(NODE_MONITOR);
        if (random.below(2) === 0 && pid !== undefined) watcher.exit(pid, "kill");
      }
      // In some runs, all events are stored before node a ends.
      if (Math.floor(seed / 2) % 4 === 0) {
        isQuiet = true;
        stage.isAway = false;
        await sim.run(1_000);
        const { inbox, outbox } = nodes.get("a")!;
        await sim.until("all events are stored", () => inbox.size + outbox.size === 0);
      } else stage.isAway = random.below(2) === 0;
      // Ends the node with or without a notification of its peers.
      if (random.below(2) === 0) sim.crash("a");
      else sim.kill("a");
      stage.isAway = false;
      void clients;
      await sim.run(25_000);
      const missing = accepted - await storage.eventCount(party.project.id, 0);
      missed.push(missing);
      const { inbox, outbox } = nodes.get("a")!;
      assert(missing <= inbox.size + outbox.size, "the killed node held the missing events");
      for (const by of ["b", "c"]) {
        const most = reported(stage, by, "a");
        assert(most !== undefined, `${by} reports`);
        assert(missing <= most, `${missing} are missing, ${by} reports ${most}`);
      }
    }, seed);
  }
  assert(missed.some((count) => count > 500) && missed.some((count) => count < 100), `${missed}`);
});

test("An idle node announces that it holds no events, so that its end is not reported as a loss", async () => {
  await onSimStage(async (stage) => {
    const { sim, nodes } = stage;
    await stage.take("a", ...Array.from({ length: 40 }, () => eventWith()));
    await sim.run(2_000);
    assertEquals(NAMES.map((name) => nodes.get(name)!.held.holding.most), [0, 0, 0]);
    sim.kill("a");
    await sim.run(1_000);
    assertEquals([reported(stage, "b", "a"), reported(stage, "c", "a")], [0, 0]);
    await stage.start("a");
    await sim.run(1_000);
    const name = [...sim.node("b")!.peers()].find((peer) => peer.startsWith("a@"));
    assert(stage.lines.get("b")!.includes(`nodeup ${name}`));
  });
});

test("A reported loss is shown on the cluster page until the node returns alive", async () => {
  await onSimStage(async (stage) => {
    const { sim, nodes } = stage;
    const seen = (by: string): [string, number | null][] =>
      nodes.get(by)!.losses.list.map(({ node, most }) => [node.slice(0, node.indexOf("@")), most]);
    stage.isAway = true;
    await stage.take("a", ...Array.from({ length: 40 }, () => eventWith()));
    sim.cut("a", "b");
    await sim.until("b has lost a", () => seen("b").length === 1);
    assertEquals([seen("b"), seen("c")], [[["a", 64]], []]);
    sim.heal();
    await sim.until("the losses are removed", () => seen("a").length + seen("b").length === 0);
    sim.crash("a");
    await sim.until(
      "both nodes have reported the loss",
      () => seen("b").length + seen("c").length === 2,
    );
    assertEquals([seen("b"), seen("c")], [[["a", 64]], [["a", 64]]]);
    stage.isAway = false;
  });
});

test("Messages that a node dropped for a peer that did not read are counted on the node's card", async () => {
  await onSimStage(async ({ sim, nodes }) => {
    const dropped = async (name: string): Promise<number | undefined> =>
      (await cards(nodes.get(name)!)).find((card) => card.node.startsWith(`${name}@`))?.dropped;
    assertEquals([await dropped("a"), await dropped("b")], [0, 0]);
    const node = sim.node("a")!;
    const [peer] = [...registries(nodes.get("a")!)].find(([name]) => name.startsWith("b@"))!;
    const { limit } = node.pressure(peer)!;
    const to = node.global.whereis(`${REGISTRY}@${peer}`) as Pid<unknown>;
    sim.pause("b");
    const piece = new Uint8Array(limit / 8);
    for (let i = 0; i < 10; i++) node.send(to, piece);
    const count = node.pressure(peer)!.dropped;
    assert(count > 0);
    assertEquals(await dropped("a"), count);
    sim.resume("b");
  });
});

test("A peer that does not respond delays the first events, but no later events", async () => {
  await onSimStage(async (stage) => {
    const { sim } = stage;
    const take = async (count: number): Promise<number> => {
      const began = sim.now;
      await stage.take("a", ...Array.from({ length: count }, () => eventWith()));
      return sim.now - began;
    };
    assert(await take(10) < 100);
    stage.isAway = true;
    sim.pause("b");
    const first = await take(100);
    // The first events wait for the paused peer, and once more if it is also the node that counts
    // for the project.
    assert(first >= 1_000 && first < 2_100, `${first} ms`);
    // Accepts more events than ever before, so that the peers must be notified again.
    for (const count of [300, 600, 1_200]) assert(await take(count) < 100, `${count}`);
    sim.resume("b");
    await sim.until(
      "the peer has received the new ceiling",
      () => stage.nodes.get("b")!.holdings.get(sim.node("a")!.name)?.most === 4_096,
    );
    stage.isAway = false;
  });
});
