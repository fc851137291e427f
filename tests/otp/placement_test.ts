import { assertEquals } from "@std/assert";
import { isNoChoice, isNodeName, PLACEMENTS, Placer } from "../../lib/otp/placement.ts";
import { test } from "../kit/test.ts";

const NODES = ["a@h:1", "b@h:1", "c@h:1"];

test("isNodeName accepts names of nodes, and isNoChoice accepts values that name no node", () => {
  assertEquals(isNodeName("a@h:1"), true);
  for (const placement of PLACEMENTS) assertEquals(isNodeName(placement), false);
  for (const choice of ["a@h:1", ...PLACEMENTS, () => "a@h:1"]) {
    assertEquals(isNoChoice(choice), false, String(choice));
  }
  for (const choice of ["", "a", "most_loaded", undefined, null, 1, {}]) {
    assertEquals(isNoChoice(choice), true, String(choice));
  }
});

test("Placer.choose with any returns a uniformly random node", () => {
  const placer = new Placer();
  const choose = (chance: number) => placer.choose("any", "f", NODES, chance);
  assertEquals([0, 0.33, 0.34, 0.66, 0.67, 0.999].map(choose), [
    "a@h:1",
    "a@h:1",
    "b@h:1",
    "b@h:1",
    "c@h:1",
    "c@h:1",
  ]);
  for (const placement of PLACEMENTS) {
    assertEquals(placer.choose(placement, "f", [], 0), undefined, placement);
  }
  assertEquals(placer.choose(() => "x@h:1", "f", [], 0), undefined);
});

test("Placer.choose with round_robin has one rotation per function while nodes join and leave", () => {
  const placer = new Placer();
  const choose = (fn: string, nodes = NODES) => placer.choose("round_robin", fn, nodes, 0);
  assertEquals([1, 2, 3, 4].map(() => choose("f")), ["a@h:1", "b@h:1", "c@h:1", "a@h:1"]);
  assertEquals(choose("g"), "a@h:1");
  // "b", which would be next, has left; then the new node "d" takes part in the rotation.
  assertEquals(choose("f", ["a@h:1", "c@h:1"]), "c@h:1");
  assertEquals(choose("f", ["b@h:1", "c@h:1", "d@h:1"]), "d@h:1");
  assertEquals(choose("f", ["b@h:1"]), "b@h:1");
});

test("Placer.choose with least_loaded returns the first of the nodes with the fewest children", () => {
  const placer = new Placer();
  const choose = () => placer.choose("least_loaded", "f", NODES, 0);
  assertEquals(choose(), "a@h:1");
  placer.arrived("a@h:1");
  assertEquals(choose(), "b@h:1");
  placer.arrived("b@h:1");
  placer.arrived("c@h:1");
  assertEquals(choose(), "a@h:1");
  placer.arrived("a@h:1");
  placer.left("c@h:1");
  assertEquals(choose(), "c@h:1");
});

test("Placer.choose with a function passes the nodes and the number of children of each", () => {
  const placer = new Placer();
  placer.arrived("b@h:1");
  placer.arrived("b@h:1");
  let received: unknown;
  const chosen = placer.choose(
    (candidates) => {
      received = candidates;
      return candidates.at(-1)!.node;
    },
    "f",
    NODES,
    0,
  );
  assertEquals(chosen, "c@h:1");
  assertEquals(received, [
    { node: "a@h:1", children: 0 },
    { node: "b@h:1", children: 2 },
    { node: "c@h:1", children: 0 },
  ]);
});
