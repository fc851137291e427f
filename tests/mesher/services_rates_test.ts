/** Tests which node counts the events of a project, and what a request costs. */
import { assert, assertEquals } from "@std/assert";
import { ownerOf, Rates } from "../../mesher/services/rates.ts";
import { heapBytes } from "../kit/heap.ts";
import { startCheaply } from "../kit/keys.ts";
import { test } from "../kit/test.ts";

const NODES = ["a@h:1", "b@h:1", "c@h:1"];
const projects = Array.from({ length: 300 }, (_, i) => `project-${i}`);

test("ownerOf does not depend on the order of the nodes", () => {
  for (const project of projects) {
    assertEquals(ownerOf(project, NODES), ownerOf(project, NODES.toReversed()));
  }
});

test("ownerOf assigns a share of the projects to every node", () => {
  for (const node of NODES) {
    const part = projects.filter((project) => ownerOf(project, NODES) === node).length;
    assert(part > 60 && part < 140, `${node} has ${part}`);
  }
});

test("ownerOf moves only the projects of a lost node", () => {
  const [lost, ...left] = NODES;
  for (const project of projects) {
    const before = ownerOf(project, NODES);
    if (before !== lost) assertEquals(ownerOf(project, left), before);
  }
});

test("Rates keeps no state of answered requests while a project is always busy", async () => {
  await using node = await startCheaply({ logLevel: "silent" });
  // No limiter runs on this node, so all events are allowed.
  const rates = new Rates(node, Date.now);
  let pending = rates.take("p", 1);
  const take = async (count: number): Promise<void> => {
    for (let i = 0; i < count; i++) {
      const next = rates.take("p", 1);
      assertEquals((await pending).granted, 1);
      pending = next;
    }
  };
  await take(2_000);
  const before = heapBytes();
  await take(10_000);
  const grown = heapBytes() - before;
  assert(grown < 2_000_000, `${grown} bytes`);
  await pending;
});
