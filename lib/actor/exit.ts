/**
 * What tells others that an actor has ended.
 *
 * @module
 */
import type { ExitReason } from "../term/exit.ts";
import type { Pid, Ref } from "../term/pid.ts";
import { describeFully } from "./describe.ts";
import { NodeChange } from "./node_change.ts";
import { RUNTIME, RuntimeMessage } from "./runtime_message.ts";

/** Makes an {@linkcode Exit}. */
export function exitMessage(from: Pid, reason: ExitReason): Exit {
  return new Exit(RUNTIME, from, reason);
}

/** Makes a {@linkcode Down}. */
export function downMessage(ref: Ref, pid: Pid, reason: ExitReason): Down {
  return new Down(RUNTIME, ref, pid, reason);
}

/** Whether it is from the runtime, and not a message that looks so. */
export function isSystemMessage(message: unknown): message is Exit | Down | NodeChange {
  return message instanceof Exit || message instanceof Down || message instanceof NodeChange;
}

/**
 * A linked actor has ended, or somebody has sent an exit signal: what an actor that traps exits gets
 * in its mailbox.
 */
export class Exit extends RuntimeMessage {
  /** Always `"EXIT"`. */
  readonly type = "EXIT";
  /** Who ended, or who sent the signal. */
  readonly from: Pid;
  /** Why. */
  readonly reason: ExitReason;

  /** For the runtime only: it throws for a program. */
  constructor(key: symbol, from: Pid, reason: ExitReason) {
    super(key);
    this.from = from;
    this.reason = reason;
  }
}

/**
 * A monitored actor has ended, or was not there.
 */
export class Down extends RuntimeMessage {
  /** Always `"DOWN"`. */
  readonly type = "DOWN";
  /** What `monitor` gave. */
  readonly ref: Ref;
  /** Who ended. */
  readonly pid: Pid;
  /** Why. */
  readonly reason: ExitReason;

  /** For the runtime only: it throws for a program. */
  constructor(key: symbol, ref: Ref, pid: Pid, reason: ExitReason) {
    super(key);
    this.ref = ref;
    this.pid = pid;
    this.reason = reason;
  }
}

/** A reason in words, for a log: an error with its stack. */
export function reasonText(reason: ExitReason): string {
  return describeFully(reason);
}

/** A reason in one line, for the message of an error: an `Error` without its stack. */
export function reasonLine(reason: ExitReason): string {
  return reason instanceof Error ? `${reason.name}: ${reason.message}` : reasonText(reason);
}
