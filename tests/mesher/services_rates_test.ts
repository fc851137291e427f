/** Tests which node counts the events of a project. */
import { assert, assertEquals } from "@std/assert";
import { ownerOf } from "../../mesher/services/rates.ts";
import { test } from "../kit/test.ts";

const NODES = ["a@h:1", "b@h:1", "c@h:1"];
const projects = Array.from({ length: 300 }, (_, i) => `project-${i}`);

test("ownerOf does not depend on the order of the nodes", () => {
  for (const project of projects) {
    assertEquals(ownerOf(project, NODES), ownerOf(project, NODES.toReversed()));
  }
});

test("ownerOf assigns a share to every node", () => {
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
