/**
 * What actors and their callers are told by way of errors. Each has a `code` that stays.
 *
 * @module
 */
import type { ExitReason } from "../term/exit.ts";
import { describe } from "./describe.ts";
import type { Pid } from "../term/pid.ts";

/** An argument that cannot be: a time that is none, a mailbox for no message. */
export class ArgumentError extends RangeError {
  /** Tells the class of the error. */
  override readonly name = "ArgumentError";
  /** Stable code: `"badarg"`. */
  readonly code = "badarg";
}

/** A handler or a body returned a value that its kind must not return. OTP's `bad_return_value`. */
export class BadReturnError extends TypeError {
  /** The class of the error. */
  override readonly name = "BadReturnError";
  /** Stable code: `"bad_return_value"`. */
  readonly code = "bad_return_value";
}

/** A call was not answered in time. */
export class CallTimeoutError extends Error {
  /** Tells the class of the error. */
  override readonly name = "CallTimeoutError";
  /** Stable code: `"timeout"`. */
  readonly code = "timeout";
  /** For the runtime. */
  constructor(callee: Pid | string, ms: number, which = "") {
    super(`no answer from ${callee} in ${ms} ms${which}`);
  }
}

/** An actor has called itself, and would wait for itself until the time is over. */
export class CallingSelfError extends Error {
  /** Tells the class of the error. */
  override readonly name = "CallingSelfError";
  /** Stable code: `"calling_self"`. */
  readonly code = "calling_self";
  /** For the runtime. */
  constructor(callee: Pid | string, which = "") {
    super(`${callee} calls itself, and cannot answer while it waits${which}`);
  }
}

/** The node has been stopped: nothing can be spawned, sent or called any more. */
export class NodeStoppedError extends Error {
  /** Tells the class of the error. */
  override readonly name = "NodeStoppedError";
  /** Stable code: `"stopped"`. */
  readonly code = "stopped";
  /** For the runtime. */
  constructor(node: string, what: string) {
    super(`${node} has been stopped: ${what}`);
  }
}

/** The request was dropped: the mailbox of the actor that was called is full. */
export class MailboxFullError extends Error {
  /** Tells the class of the error. */
  override readonly name = "MailboxFullError";
  /** Stable code: `"mailboxfull"`. */
  readonly code = "mailboxfull";
  /** For the runtime. */
  constructor(callee: Pid | string, which = "") {
    super(`the mailbox of ${callee} is full${which}`);
  }
}

/** The request was dropped: too much waits already for the node of the actor that was called. */
export class QueueFullError extends Error {
  /** Tells the class of the error. */
  override readonly name = "QueueFullError";
  /** Stable code: `"queuefull"`. */
  readonly code = "queuefull";
  /** For the runtime. */
  constructor(node: string, which = "") {
    super(`too much waits for ${node}: see node.pressure and node.drained${which}`);
  }
}

/** There is no such actor, or not any more. */
export class NoProcError extends Error {
  /** Tells the class of the error. */
  override readonly name = "NoProcError";
  /** Stable code: `"noproc"`. */
  readonly code = "noproc";
  /** For the runtime. */
  constructor(target: Pid<never> | string, which = "") {
    super(`no such actor: ${target}${which}`);
  }
}

/** There is no session with the node of an actor, or it was lost before the answer. */
export class NoConnectionError extends Error {
  /** Tells the class of the error. */
  override readonly name = "NoConnectionError";
  /** Stable code: `"noconnection"`. */
  readonly code = "noconnection";
  /** For the runtime. */
  constructor(target: Pid<never> | string, which = "") {
    super(`no connection to the node of ${target}${which}`);
  }
}

/** The actor that was called ended before it answered; `reason` says why. */
export class CallExitError extends Error {
  /** Tells the class of the error. */
  override readonly name = "CallExitError";
  /** Stable code: `"exit"`. */
  readonly code = "exit";
  /** Why it ended. */
  readonly reason: ExitReason;
  /** For the runtime. */
  constructor(callee: Pid | string, reason: ExitReason, which = "") {
    super(`${callee} ended before it answered: ${describe(reason)}${which}`);
    this.reason = reason;
  }
}

/** What an actor's `self` throws, and what it waits for rejects with, once the actor is dead. */
export class ActorExitError extends Error {
  /** Tells the class of the error. */
  override readonly name = "ActorExitError";
  /** Stable code: `"exit"`. */
  readonly code = "exit";
  /** Why the actor ended. */
  readonly reason: ExitReason;
  /** For the runtime. */
  constructor(pid: Pid, reason: ExitReason, which = "") {
    super(`${pid} has ended: ${describe(reason)}${which}`);
    this.reason = reason;
  }
}

/** A name that is held by another actor, or is none. */
export class NameError extends Error {
  /** Tells the class of the error. */
  override readonly name = "NameError";
  /** `"taken"`: another holds it; `"badname"`: it is empty. */
  readonly code: "taken" | "badname";
  /** Who holds it. */
  readonly holder: Pid | undefined;
  /** For the runtime. */
  constructor(code: "taken" | "badname", message: string, holder?: Pid) {
    super(message);
    this.code = code;
    this.holder = holder;
  }
}
