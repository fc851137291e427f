/**
 * What tells others that an actor has ended.
 *
 * @module
 */
import type { ExitReason } from "../term/exit.ts";
import type { Pid, Ref } from "../term/pid.ts";
import { describeFully } from "./describe.ts";
import { NodeChange } from "./node_change.ts";

/** Known to this file only: by it the classes tell the runtime from a program that imitates it. */
const KEY: unique symbol = Symbol("runtime");

/** Makes an {@linkcode Exit}. */
export function exitMessage(from: Pid, reason: ExitReason): Exit {
  return new Exit(KEY, from, reason);
}

/** Makes a {@linkcode Down}. */
export function downMessage(ref: Ref, pid: Pid, reason: ExitReason): Down {
  return new Down(KEY, ref, pid, reason);
}

/** Whether it is from the runtime, and not a message that looks so. */
export function isSystemMessage(message: unknown): message is Exit | Down | NodeChange {
  return message instanceof Exit || message instanceof Down || message instanceof NodeChange;
}

function assertRuntime(key: symbol, kind: string): void {
  if (key !== KEY) throw new TypeError(`only the runtime makes ${kind} messages`);
}

/**
 * A linked actor has ended, or somebody has sent an exit signal: what an actor that traps exits gets
 * in its mailbox. `message instanceof Exit` is true of what the runtime made, and of nothing else.
 */
export class Exit {
  /** True of each message of this class, and of no imitation. */
  static [Symbol.hasInstance](message: unknown): boolean {
    return typeof message === "object" && message !== null && #genuine in message;
  }
  readonly #genuine = true;
  /** Always `"EXIT"`. */
  readonly type = "EXIT";
  /** Who ended, or who sent the signal. */
  readonly from: Pid;
  /** Why. */
  readonly reason: ExitReason;

  /** For the runtime only: it throws for a program. */
  constructor(key: symbol, from: Pid, reason: ExitReason) {
    assertRuntime(key, "Exit");
    this.from = from;
    this.reason = reason;
  }
}

/**
 * A monitored actor has ended, or was not there. `message instanceof Down` is true of what the
 * runtime made, and of nothing else.
 */
export class Down {
  /** True of each message of this class, and of no imitation. */
  static [Symbol.hasInstance](message: unknown): boolean {
    return typeof message === "object" && message !== null && #genuine in message;
  }
  readonly #genuine = true;
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
    assertRuntime(key, "Down");
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
