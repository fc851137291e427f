/**
 * What tells others that an actor has ended.
 *
 * @module
 */
import type { ExitReason } from "../term/exit.ts";
import type { Pid, Ref } from "../term/pid.ts";

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
