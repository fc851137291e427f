/**
 * Reads a node's supervision trees without calls to the supervisors, so that it also works while
 * they are busy.
 *
 * @module
 */
import { listOf } from "../actor/names.ts";
import type { System } from "../actor/system.ts";
import type { Pid } from "../term/pid.ts";

/** Maximum number of entries of all trees of a node together. */
export const TREE_ENTRIES_MAX = 10_000;

/** Maximum depth of a tree. */
const TREE_DEPTH_MAX = 32;

/** An actor in a supervision tree. */
export interface TreeEntry {
  /** The id of the actor as a child. For a top-level supervisor, its pid as text. */
  readonly id: string;
  /** The actor's pid, while it runs. */
  readonly pid: Pid | undefined;
  /** The actor's registered names. */
  readonly names: readonly string[];
  /** Whether the actor is a supervisor or a worker. */
  readonly type: "supervisor" | "worker";
  /** The actor's state, as in `ChildInfo`. */
  readonly state: "running" | "restarting" | "waiting" | "stopped";
  /** Number of times that the actor was restarted. */
  readonly restarts: number;
  /** Number of messages in the actor's mailbox. 0 if the actor is on another node. */
  readonly mailbox: number;
  /**
   * The actor's children. Undefined for a worker, for a supervisor on another node, and beyond the
   * maximum depth.
   */
  readonly children: readonly TreeEntry[] | undefined;
  /**
   * Whether children are missing from `children`, because the trees of the node have more than
   * 10000 entries together, or because this tree is too deep.
   */
  readonly isCut: boolean;
}

/** Returns the trees of all top-level supervisors. */
export function trees(system: System): TreeEntry[] {
  const budget = { left: TREE_ENTRIES_MAX };
  return system.supervisors.top().map((pid) =>
    entry(
      system,
      pid,
      { id: `${pid}`, type: "supervisor", state: "running", restarts: 0 },
      budget,
      0,
    )
  );
}

function entry(
  system: System,
  pid: Pid<never> | undefined,
  child: Pick<TreeEntry, "id" | "type" | "state" | "restarts">,
  budget: { left: number },
  depth: number,
): TreeEntry {
  budget.left--;
  const { id, type, state, restarts } = child;
  const actor = pid && system.actorOf(pid);
  const listed = pid && system.supervisors.childrenOf(pid as Pid);
  const children = listed && depth < TREE_DEPTH_MAX
    ? listed.slice(0, Math.max(0, budget.left))
      .map((one) => entry(system, one.pid, one, budget, depth + 1))
    : undefined;
  return {
    id,
    pid: pid as Pid | undefined,
    names: listOf(actor?.names),
    type,
    state,
    restarts,
    mailbox: actor?.length ?? 0,
    children,
    isCut: listed !== undefined && (children?.length ?? 0) < listed.length,
  };
}
