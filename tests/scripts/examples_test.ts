/** Tests that the programs in `scripts/examples` work as documented, and are short. */
import { assert, assertEquals } from "@std/assert";
import { readdirSync, readFileSync } from "node:fs";
import { countVisits } from "../../scripts/examples/counter.ts";
import { runJobs } from "../../scripts/examples/jobs.ts";
import { failoverTime } from "../../scripts/examples/simulation.ts";
import { takeTickets } from "../../scripts/examples/singleton.ts";
import { test } from "../kit/test.ts";

const FOLDER = new URL("../../scripts/examples/", import.meta.url);

test("examples/jobs runs jobs on remote workers, and continues after a job that crashes a worker", async () => {
  assertEquals(await runJobs(["a", "bird", "", "in the hand"]), [1, 4, "failed twice", 11]);
});

test("examples/singleton continues with its state on another node", async () => {
  const { taken, nodes } = await takeTickets();
  assertEquals(taken, [1, 2, 3]);
  assertEquals(nodes.map((node) => node[0]), ["a", "a", "b"]);
});

test("examples/counter continues to count when a node leaves", async () => {
  assertEquals(await countVisits(["/", "/about"]), { "/": 3, "/about": 3 });
});

test("examples/simulation elects another leader within the ping timeout", async () => {
  const first = await failoverTime(7);
  assert(first.ms > 0 && first.ms < 20_000, `${first.ms} ms`);
  assertEquals(await failoverTime(7), first);
});

test("each example has fewer than 80 lines", () => {
  for (const name of readdirSync(FOLDER).filter((name) => name.endsWith(".ts"))) {
    const lines = readFileSync(new URL(name, FOLDER), "utf8").split("\n").length;
    assert(lines < 80, `${name}: ${lines} lines`);
  }
});
