/**
 * Tests the copies of a topic's history in the simulator: on which nodes the topic's home keeps
 * them, and how long messages wait until they are copied.
 */
import { assert, assertEquals } from "@std/assert";
import { channel } from "@firn/firn/channels";
import type { Node } from "../../lib/node.ts";
import { simulate, type Simulation } from "../../lib/simulate.ts";
import { test } from "../kit/test.ts";

const log = channel("log:*", { history: { size: 100, copies: 2 } });
const other = channel("other:*", { history: { size: 100, copies: 1 } });

/** Starts connected nodes, of which each defines one channel. */
async function withChannels(sim: Simulation, ...channels: (typeof log)[]): Promise<Node[]> {
  const nodes: Node[] = [];
  for (const [i, each] of channels.entries()) {
    const node = await sim.start(`n${i}`, i === 0 ? {} : { seeds: ["n0"] });
    node.channels.define(each);
    nodes.push(node);
  }
  await sim.until(
    "all nodes are connected",
    () => nodes.every((node) => node.peers().length === nodes.length - 1),
  );
  await sim.run(1_000);
  return nodes;
}

test("channel with history does not wait for nodes that do not define the channel", async () => {
  await simulate({ seed: 1 }, async (sim) => {
    const [node] = await withChannels(sim, log, other);
    for (let i = 0; i < 10; i++) {
      const from = sim.now;
      await node!.channels.broadcast(`log:${i}`, "added", i);
      assert(sim.now - from < 1_000, `the broadcast took ${sim.now - from} ms`);
    }
  });
});

test("channel with history acknowledges a message after the other node has stored it or is lost", async () => {
  await simulate({ seed: 1 }, async (sim) => {
    const [node] = await withChannels(sim, log, log);
    const topics = Array.from({ length: 10 }, (_, i) => `log:${i}`);
    await Promise.all(topics.map((topic) => node!.channels.broadcast(topic, "added", 0)));
    sim.pause("n1");
    let acknowledged = 0;
    for (const topic of topics) {
      node!.channels.broadcast(topic, "added", 1).then(() => acknowledged++, () => {});
    }
    // The paused node counts as connected until its pingTimeout of 15 s has passed.
    await sim.run(10_000);
    assertEquals([acknowledged, node!.peers().length], [0, 1]);
    await sim.until("the node is lost", () => node!.peers().length === 0);
    await node!.channels.broadcast("log:0", "added", 2);
  });
});

test("channel with history chooses another node for its copy if a node does not acknowledge", async () => {
  await simulate({ seed: 1 }, async (sim) => {
    const [node] = await withChannels(sim, log, log, log);
    const topics = Array.from({ length: 20 }, (_, i) => `log:${i}`);
    await Promise.all(topics.map((topic) => node!.channels.broadcast(topic, "added", 0)));
    sim.pause("n1");
    let acknowledged = 0;
    for (const topic of topics) {
      node!.channels.broadcast(topic, "added", 1).then(() => acknowledged++, () => {});
    }
    await sim.run(4_500);
    // Broadcasts to topics whose home is the paused node are not acknowledged.
    assert(acknowledged >= 8, `${acknowledged} of 20 acknowledged`);
  });
});
