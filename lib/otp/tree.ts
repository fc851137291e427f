/**
 * A supervision tree as a person reads it.
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

/** The tree below a supervisor, as lines of text. */
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
  // A pid names its node.
  const where = node === undefined || pid !== undefined ? "" : ` on ${node}`;
  return `${id} ${pid ?? state}${where}${type === "supervisor" ? " supervisor" : ""}`;
}
