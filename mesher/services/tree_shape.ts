/**
 * A supervision tree as plain data, so that a node can show the trees of other nodes.
 *
 * @module
 */
import { Supervisor } from "@firn/firn";

/** A child and its descendants. */
export interface TreeShape {
  readonly id: string;
  readonly type: "worker" | "supervisor";
  readonly pid: string | null;
  readonly state: "running" | "restarting" | "waiting" | "stopped";
  readonly children: readonly TreeShape[];
}

/** Returns the tree below a supervisor. */
export async function treeShape(id: string, top: Supervisor): Promise<TreeShape> {
  const children = await Promise.all(
    (await top.whichChildren()).map(async (child): Promise<TreeShape> => {
      const { id, pid, state, type } = child;
      if (pid === undefined) return { id, type, pid: null, state, children: [] };
      if (type === "supervisor") return await treeShape(id, new Supervisor(pid));
      return { id, type, pid: `${pid}`, state, children: [] };
    }),
  );
  return { id, type: "supervisor", pid: `${top.pid}`, state: "running", children };
}
