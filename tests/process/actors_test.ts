import { conform, prepareStage } from "../actor/conformance.ts";
import { type TestNode, withNodes as withMesh } from "../kit/mesh.ts";
import { type NodeProcess, PAIRS, type Runtime, withNodes } from "../kit/process.ts";
import { runtime, until } from "../kit/test.ts";

/** The program of the process on the other side. */
const CHILD = "actors_child.ts";

/** The runtimes of the other side; this side runs in this process. */
const OTHERS: readonly Runtime[] = PAIRS.filter(([one]) => one === runtime).map(([, other]) =>
  other
);

/** Waits until the local node and a node in another process have a session with each other. */
export async function untilMet(near: TestNode, far: NodeProcess): Promise<void> {
  await until("both nodes have the session", async () => {
    return near.mesh.session(far.name) !== undefined &&
      (await far.ask<string[]>("peers")).includes(near.name);
  });
}

for (const other of OTHERS) {
  conform(`between two processes (${runtime}, ${other})`, async (body) => {
    await withMesh(async (startHere) => {
      await withNodes(async (startThere) => {
        const near = await startHere("near", { logLevel: "info" });
        prepareStage(near);
        const far = await startThere(other, "far", { seeds: [near.name] }, CHILD);
        await untilMet(near, far);
        try {
          await body({ system: near.system, nodes: [near.name, far.name] });
        } catch (error) {
          const lines = [...near.lines, ...far.received].map(({ line }) => line).join("\n");
          throw new Error(`${(error as Error).message}\n${lines}`, { cause: error });
        }
      });
    });
  });
}
