/**
 * What services and supervisors refuse with, over to another node and back. An `Error` keeps its name,
 * its message and its cause on the way, and loses its class and all else: so what it has to say beside
 * them goes into the cause, and its name gives it its class back. Quiet.
 *
 * @module
 */
import { type Call, type CallOptions, PendingCall } from "../actor/call.ts";
import { NameError, NoConnectionError } from "../actor/errors.ts";
import { systemOf } from "../actor/system.ts";
import type { Pid } from "../term/pid.ts";
import { SupervisorError, type SupervisorFault } from "./child_info.ts";
import { UnknownCallError } from "./unknown_call.ts";

/**
 * Throws unless a call is of this node. What a supervisor starts on other nodes it starts in the name of
 * its own, which may be allowed what the caller's is not.
 */
export function assertNear(call: Call): void {
  if (call instanceof PendingCall) return;
  throw new SupervisorError("refused", "children are started by the supervisor's own node only");
}

/** Refuses a call, which may have come from another node. */
export function refuse(call: Call, error: unknown): void {
  call.refuse(call instanceof PendingCall ? error : packed(error));
}

/** Asks a service or a supervisor, wherever it is. */
export function ask<T>(pid: Pid<never>, request: unknown, options?: CallOptions): Promise<T> {
  const to = pid as unknown as Pid<Call<unknown, T>>;
  const system = systemOf(to);
  const answer = system.call(to, request, options);
  // Tracked again: the error may be another one than the call failed with.
  return to.home.local ? answer : system.tracked(revive(answer));
}

/** The same promise, with the errors of another node in the classes of this one. */
export function revive<T>(answer: Promise<unknown>): Promise<T> {
  return answer.then((value) => value as T, (error) => {
    throw revived(error);
  });
}

function packed(error: unknown): unknown {
  if (error instanceof SupervisorError) return plain(error, [error.code, error.cause, error.pid]);
  if (error instanceof NameError) return plain(error, [error.code, error.holder]);
  return error;
}

function plain({ name, message, stack }: Error, cause: unknown[]): Error {
  const error = new Error(message, { cause });
  error.name = name;
  error.stack = stack ?? "";
  return error;
}

function revived(error: unknown): unknown {
  // One that was made here has its class, and its constructor's words.
  if (!(error instanceof Error) || error.constructor !== Error) return error;
  const { name, message, cause } = error;
  const packed = Array.isArray(cause) ? cause : [];
  switch (name) {
    case "UnknownCallError":
      return new UnknownCallError(message, { cause: error });
    case "SupervisorError":
      return new SupervisorError(
        packed[0] as SupervisorFault,
        message,
        packed[1],
        packed[2] as Pid | undefined,
      );
    case "NameError":
      return new NameError(packed[0] as NameError["code"], message, packed[1] as Pid | undefined);
    case "NoConnectionError":
      return new NoConnectionError(message.replace(/^no connection to the node of /, ""));
    default:
      return error;
  }
}
