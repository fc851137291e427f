/**
 * Formats a supervision tree for people.
 *
 *     <0.3> supervisor
 *     ├─ counter <0.4>
 *     └─ pool <0.5> supervisor
 *        ├─ dynamic_1 <b@10.0.0.2:9101 6.3>
 *        └─ dynamic_2 restarting
 *
 * @module
 */
import type { DynamicSupervisor } from "./dynamic_supervisor.ts";
import type { ChildInfo } from "./child_info.ts";
import { Supervisor } from "./supervisor.ts";

/**
 * Draws the tree below a supervisor, as lines of text.
 *
 * @example
 * ```ts
 * import { Node, type Self, Supervisor, treeText } from "@firn/firn";
 * import { assertEquals } from "@std/assert";
 *
 * await using node = await Node.start({ logLevel: "silent" });
 * const worker = (_self: Self<string>) => () => {};
 * const tree = await Supervisor.start(node, {
 *   children: [{ id: "w", start: (self) => self.spawnLink(worker) }],
 * });
 * const [child] = await tree.whichChildren();
 * assertEquals(await treeText(tree), `${tree.pid} supervisor\n└─ w ${child!.pid}`);
 * ```
 */
export async function treeText(top: Supervisor | DynamicSupervisor): Promise<string> {
  return [`${top.pid} supervisor`, ...await branches(top)].join("\n");
}

async function branches(of: Supervisor | DynamicSupervisor): Promise<string[]> {
  const children = await of.whichChildren();
  const lines: string[] = [];
  for (const [index, child] of children.entries()) {
    const last = index === children.length - 1;
    lines.push(`${last ? "└─" : "├─"} ${line(child)}`);
    if (child.type !== "supervisor" || child.pid === undefined) continue;
    const below = await branches(new Supervisor(child.pid));
    lines.push(...below.map((each) => `${last ? "   " : "│  "}${each}`));
  }
  return lines;
}

function line({ id, pid, state, type, node }: ChildInfo): string {
  // The node is shown only without a pid, because a pid of another node contains the node's name.
  const where = node === undefined || pid !== undefined ? "" : ` on ${node}`;
  return `${id} ${pid ?? state}${where}${type === "supervisor" ? " supervisor" : ""}`;
}
