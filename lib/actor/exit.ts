/**
 * Why an actor ends, and what tells others of it.
 *
 * @module
 */
import type { Pid, Ref } from "../term/pid.ts";

/**
 * Why an actor ended. `"normal"`, `"shutdown"` and `{ shutdown }` are ends in order; `"killed"` is
 * what `"kill"` becomes; `"noproc"` and `"noconnection"` are given for actors and nodes that are not
 * there; an `Error` is a crash. Any other term is the program's own.
 */
export type ExitReason =
  | "normal"
  | "shutdown"
  | { readonly shutdown: unknown }
  | "kill"
  | "killed"
  | "noproc"
  | "noconnection"
  | Error
  // deno-lint-ignore ban-types -- any other term, without losing the words above in an editor
  | (unknown & {});

/** A linked actor has ended: what an actor that traps exits gets in its mailbox. */
export class Exit {
  /** Always `"EXIT"`. */
  readonly type = "EXIT";
  /** Who ended, or who sent the signal. */
  readonly from: Pid;
  /** Why. */
  readonly reason: ExitReason;

  /** For the runtime: what a program makes is not believed by anyone. */
  constructor(from: Pid, reason: ExitReason) {
    this.from = from;
    this.reason = reason;
  }
}

/** A monitored actor has ended, or was not there. */
export class Down {
  /** Always `"DOWN"`. */
  readonly type = "DOWN";
  /** What `monitor` gave. */
  readonly ref: Ref;
  /** Who ended. */
  readonly pid: Pid;
  /** Why. */
  readonly reason: ExitReason;

  /** For the runtime: what a program makes is not believed by anyone. */
  constructor(ref: Ref, pid: Pid, reason: ExitReason) {
    this.ref = ref;
    this.pid = pid;
    this.reason = reason;
  }
}

/** Whether an end is in order: no crash, nothing to report. */
export function isOrderly(reason: ExitReason): boolean {
  return reason === "normal" || reason === "shutdown" ||
    (typeof reason === "object" && reason !== null && Object.hasOwn(reason, "shutdown") &&
      !(reason instanceof Error));
}

/** A reason in words, for a log. */
export function reasonText(reason: ExitReason): string {
  if (typeof reason === "string") return reason;
  if (reason instanceof Error) return reason.stack ?? `${reason.name}: ${reason.message}`;
  try {
    return JSON.stringify(reason) ?? String(reason);
  } catch {
    return String(reason);
  }
}
