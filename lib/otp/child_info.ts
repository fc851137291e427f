/**
 * What supervisors of both kinds are asked, what they answer, and what they tell of a child. Quiet.
 *
 * @module
 */
import { reasonLine, reasonText } from "../actor/exit.ts";
import { type Crash, crashText, type Restarting, supervisorText } from "../actor/report.ts";
import type { Pid } from "../term/pid.ts";
import type { Child } from "./child.ts";
import type { AnyPid } from "./service_definition.ts";
import { isNodeName } from "./placement.ts";

/** Why a supervisor did not do what it was asked, in OTP's words. */
export type SupervisorFault =
  | "already_started" // a child of that id runs, or is about to
  | "already_present" // a child of that id is there, and does not run
  | "not_found" // there is no such child
  | "running" // it runs, so it cannot be deleted or restarted
  | "restarting" // it is about to be started again
  | "refused" // another node may not have children started: it would do so in this one's name
  | "max_children" // there are as many as there may be
  | "start_failed"; // its start function failed; `cause` says why

/** A supervisor did not do what it was asked, or could not start. */
export class SupervisorError extends Error {
  /** Tells the class of the error. */
  override readonly name = "SupervisorError";
  /** Which of the reasons. */
  readonly code: SupervisorFault;
  /** With "already_started": the child that runs; undefined while it waits for its restart. */
  readonly pid: Pid | undefined;

  /** For the runtime. */
  constructor(code: SupervisorFault, message: string, cause?: unknown, pid?: Pid) {
    super(message, { cause });
    this.code = code;
    this.pid = pid;
  }
}

/** A child, as `whichChildren` returns it. */
export interface ChildInfo {
  /** Its name among its siblings. */
  readonly id: string;
  /** Its pid, while it runs. */
  readonly pid: AnyPid | undefined;
  /**
   * Whether it runs. "restarting": it ended, and will be started again. "waiting": no node is connected that
   * it may run on. "stopped": it will not be started again by itself.
   */
  readonly state: "running" | "restarting" | "waiting" | "stopped";
  /** What it is. */
  readonly type: "worker" | "supervisor";
  /** Of a remote child: the node where it runs, ran last, or is to run if that is named. */
  readonly node?: string | undefined;
}

/** How many children there are. */
export interface ChildCount {
  /** All that are known. */
  readonly specs: number;
  /** Those that run. */
  readonly active: number;
  /** Supervisors among all. */
  readonly supervisors: number;
  /** Workers among all. */
  readonly workers: number;
}

/** Describes a child. */
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

/** How many there are. */
export function countChildren(children: readonly Child[]): ChildCount {
  const supervisors = children.filter(({ spec }) => spec.type === "supervisor").length;
  return {
    specs: children.length,
    active: children.filter(({ pid }) => pid !== undefined).length,
    supervisors,
    workers: children.length - supervisors,
  };
}

/** The failure of a start function. */
export function startFailed(child: Child, error: unknown): SupervisorError {
  const id = JSON.stringify(child.spec.id);
  const words = `child ${id} could not be started: ${reasonLine(error as string)}`;
  return new SupervisorError("start_failed", words, error);
}

/**
 * A child's end as lines that a person can read: who and why, what it was doing if it crashed, how
 * many restarts there were, and what happens next.
 *
 *     child "counter" <0.4> of supervisor <0.3> ended: Error: as told
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
  // What the crash says, without its first part, which says who and why.
  if (crash !== undefined) lines.push(...crashText({ ...crash, reason: "" }).split("\n").slice(1));
  if (crash !== undefined) {
    const names = crash.names.length === 0 ? "" : `, registered as ${crash.names.join(" ")}`;
    lines.splice(1, 0, `  body: ${crash.body}${names}`);
  }
  return [...lines, `  restarts: ${restarts}`, `  next: ${next}`].join("\n");
}
