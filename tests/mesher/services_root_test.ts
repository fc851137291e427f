/** Tests that the tree of services is restarted and stopped, whenever it exits. */
import { assert, assertEquals } from "@std/assert";
import { Supervisor } from "../../mod.ts";
import { keepTree } from "../../mesher/services/root.ts";
import { test, until } from "../kit/test.ts";
import { onStage } from "./end_to_end_kit.ts";

test("keepTree restarts a tree that exits before its start has returned", async () => {
  await onStage(async ({ app: { mesher } }) => {
    const { node } = mesher;
    const place: { url: null; tree: Supervisor | null } = { url: null, tree: null };
    const lines: string[] = [];
    let starts = 0;
    const stop = await keepTree({ node, place, log: (_, line) => lines.push(line) }, async () => {
      const tree = await Supervisor.start(node, { children: [] });
      if (++starts <= 2) {
        node.exit(tree.pid, "kill");
        await until("the tree has exited", () => !node.isAlive(tree.pid));
      }
      return tree;
    });
    await until("the third tree runs", () => place.tree !== null && starts === 3);
    assertEquals(lines, Array(2).fill("all services have ended, and are restarted"));
    const { pid } = place.tree!;
    assert(node.isAlive(pid));
    await stop();
    assert(!node.isAlive(pid));
    assertEquals([lines.length, starts], [2, 3]);
  });
});

test("keepTree stops a tree that is being restarted", async () => {
  await onStage(async ({ app: { mesher } }) => {
    const { node } = mesher;
    const place: { url: null; tree: Supervisor | null } = { url: null, tree: null };
    const started: Supervisor[] = [];
    let mayReturn = (): void => {};
    const stop = await keepTree({ node, place, log: () => {} }, async () => {
      const tree = await Supervisor.start(node, { children: [] });
      started.push(tree);
      if (started.length === 2) await new Promise<void>((done) => mayReturn = done);
      return tree;
    });
    node.exit(started[0]!.pid, "kill");
    await until("the second tree is started", () => started.length === 2);
    const stopped = stop();
    mayReturn();
    await stopped;
    assert(!node.isAlive(started[1]!.pid));
  });
});
