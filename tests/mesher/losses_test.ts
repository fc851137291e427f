/** Tests what nodes remember about lost nodes, and how the reports of several nodes are merged. */
import { assertEquals } from "@std/assert";
import { type Loss, Losses, LOSSES_MAX, mergeLosses } from "../../mesher/cluster/losses.ts";
import { test } from "../kit/test.ts";

function loss(node: string, life: number | null, at: number, most: number | null): Loss {
  return { node, life, at, reason: "closed", most };
}

test("Losses keeps the most recent losses, and removes a node that is alive", () => {
  const losses = new Losses();
  for (let i = 0; i < LOSSES_MAX + 5; i++) losses.add(loss(`n${i}`, i, i, 16));
  assertEquals(losses.list.length, LOSSES_MAX);
  assertEquals([losses.list[0]!.node, losses.list.at(-1)!.node], ["n5", "n24"]);
  losses.lives("n24", 7);
  losses.lives("n7", 24);
  assertEquals(losses.list.length, LOSSES_MAX, "another incarnation, another node");
  losses.lives("n24", 24);
  assertEquals(losses.list.at(-1)!.node, "n23");
});

test("mergeLosses keeps the earliest time and the largest count of one loss", () => {
  const seen = [
    [loss("a", 1, 100, 16), loss("b", 5, 900_000, 0)],
    [loss("a", 1, 90, 128), loss("a", 2, 5_000, 32)],
    [],
  ];
  assertEquals(mergeLosses(seen), [
    loss("b", 5, 900_000, 0),
    loss("a", 2, 5_000, 32),
    loss("a", 1, 90, 128),
  ]);
  assertEquals(mergeLosses([]), []);
});

test("mergeLosses combines reports with and without a count of lost events", () => {
  const known = loss("a", 1, 1_000, 64);
  assertEquals(mergeLosses([[loss("a", null, 900, null)], [known]]), [{ ...known, at: 900 }]);
  assertEquals(mergeLosses([[known], [loss("a", null, 900_000, null)]]), [
    loss("a", null, 900_000, null),
    known,
  ]);
  assertEquals(mergeLosses([[loss("a", null, 10, null)], [loss("a", null, 20, null)]]), [
    loss("a", null, 10, null),
  ]);
});

test("mergeLosses returns at most as many losses as one node keeps", () => {
  const many = Array.from({ length: 3 * LOSSES_MAX }, (_, i) => loss(`n${i}`, i, i, 1));
  const all = mergeLosses([many]);
  assertEquals([all.length, all[0]!.node], [LOSSES_MAX, `n${3 * LOSSES_MAX - 1}`]);
});
