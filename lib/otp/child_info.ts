/**
 * Requests that all supervisors accept, the replies, and reports about children. Deterministic.
 *
 * @module
 */
import { reasonLine, reasonText } from "../actor/exit.ts";
import { type Crash, crashText, type Restarting, supervisorText } from "../actor/report.ts";
import type { Pid } from "../term/pid.ts";
import type { Child } from "./child.ts";
import type { AnyPid } from "./service_definition.ts";
import { isNodeName } from "./placement.ts";

/**
 * The reason why a supervisor rejected a request, in OTP's terms.
 *
 * - `"already_started"`: a child with that id runs, or is being restarted;
 * - `"already_present"`: a child with that id is listed, but does not run;
 * - `"not_found"`: the child is not listed;
 * - `"running"`: the child runs, so it cannot be deleted or restarted;
 * - `"restarting"`: the child is being restarted;
 * - `"refused"`: the request came from another node, which may not start children here;
 * - `"max_children"`: the maximum number of children is reached;
 * - `"start_failed"`: the start function failed with `cause`.
 */
export type SupervisorFault =
  | "already_started"
  | "already_present"
  | "not_found"
  | "running"
  | "restarting"
  | "refused"
  | "max_children"
  | "start_failed";

/**
 * A supervisor rejected a request, or could not start.
 *
 * @example
 * ```ts
 * import { Node, Supervisor } from "@firn/firn";
 * import { SupervisorError } from "@firn/firn/otp";
 * import { assertEquals, assertRejects } from "@std/assert";
 *
 * await using node = await Node.start({ logLevel: "silent" });
 * const tree = await Supervisor.start(node, {
 *   children: [{ id: "worker", start: (self) => self.spawnLink(() => () => {}) }],
 * });
 * const again = () => tree.startChild({ id: "worker", start: (self) => self.spawnLink(() => () => {}) });
 * const error = await assertRejects(again, SupervisorError);
 * const [child] = await tree.whichChildren();
 * assertEquals([error.code, error.pid], ["already_started", child!.pid]);
 * ```
 */
export class SupervisorError extends Error {
  /** Name of the error class. */
  override readonly name = "SupervisorError";
  /** Stable code of the reason. */
  readonly code: SupervisorFault;
  /**
   * For the code "already_started": the pid of the running child. Undefined while the child waits
   * for its restart.
   */
  readonly pid: Pid | undefined;

  /** Internal: created by the runtime. */
  constructor(code: SupervisorFault, message: string, cause?: unknown, pid?: Pid) {
    super(message, { cause });
    this.code = code;
    this.pid = pid;
  }
}

/** A child, as `whichChildren` returns it. */
export interface ChildInfo {
  /** The name of the child among its siblings. */
  readonly id: string;
  /** The pid of the child, while it runs. */
  readonly pid: AnyPid | undefined;
  /**
   * The child's state. "restarting": it has exited and will be restarted. "waiting": it will be
   * restarted when a suitable node is connected. "stopped": it is not restarted automatically.
   */
  readonly state: "running" | "restarting" | "waiting" | "stopped";
  /** Whether the child is a worker or a supervisor. */
  readonly type: "worker" | "supervisor";
  /**
   * For a remote child: the node where it runs or last ran, or the node named in its spec if it has
   * never run.
   */
  readonly node?: string | undefined;
}

/** The numbers of a supervisor's children, by kind. */
export interface ChildCount {
  /** Number of children in the list, running or not. */
  readonly specs: number;
  /** Number of running children. */
  readonly active: number;
  /** Number of listed children that are supervisors. */
  readonly supervisors: number;
  /** Number of listed children that are workers. */
  readonly workers: number;
}

/** Returns the information about a child that `whichChildren` returns. */
export function childInfo(child: Child): ChildInfo {
  const { spec: { id, type, remote }, restarting, waiting } = child;
  const pid = restarting ? undefined : child.pid as AnyPid | undefined;
  const state = restarting
    ? waiting ? "waiting" : "restarting"
    : pid === undefined
    ? "stopped"
    : "running";
  if (remote === undefined) return { id, pid, state, type };
  const named = isNodeName(remote.node) ? remote.node : undefined;
  return { id, pid, state, type, node: child.node ?? named };
}

/** Counts the children by kind. */
export function countChildren(children: readonly Child[]): ChildCount {
  const supervisors = children.filter(({ spec }) => spec.type === "supervisor").length;
  return {
    specs: children.length,
    active: children.filter(({ pid }) => pid !== undefined).length,
    supervisors,
    workers: children.length - supervisors,
  };
}

/** Returns the error of a failed start function. */
export function startFailed(child: Child, error: unknown): SupervisorError {
  const id = JSON.stringify(child.spec.id);
  const words = `child ${id} could not be started: ${reasonLine(error as string)}`;
  return new SupervisorError("start_failed", words, error);
}

/**
 * Returns the report of a child's exit as text: the child, the reason, its last message if it
 * crashed, the number of restarts, and the supervisor's next step.
 *
 *     child "counter" <0.4> of supervisor <0.3> ended: Error: no connection
 *         at …
 *       body: counter, registered as counters
 *       last message: { by: 3 }
 *       restarts: 2
 *       next: restarts
 */
export function restartText(end: Restarting, crash?: Crash): string {
  const { supervisor, supervisorName, child, pid, reason, restarts, next } = end;
  const by = supervisorText(supervisor, supervisorName);
  const did = pid === undefined ? "could not be started" : "ended";
  const who = [`child ${JSON.stringify(child)}`, ...pid === undefined ? [] : [pid]].join(" ");
  const lines = [`${who} of ${by} ${did}: ${reasonText(reason)}`];
  // Adds the crash report without its first part, which would repeat the child and the reason.
  if (crash !== undefined) lines.push(...crashText({ ...crash, reason: "" }).split("\n").slice(1));
  if (crash !== undefined) {
    const names = crash.names.length === 0 ? "" : `, registered as ${crash.names.join(" ")}`;
    lines.splice(1, 0, `  body: ${crash.body}${names}`);
  }
  return [...lines, `  restarts: ${restarts}`, `  next: ${next}`].join("\n");
}
