/**
 * Errors of services and supervisors that are sent to another node. A sent `Error` keeps its name,
 * message and cause, but loses its class and its other properties. The other properties are
 * therefore sent in the cause, and the class is restored by the name. Deterministic.
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
 * Throws if a call came from another node. A supervisor spawns children with the permissions of its
 * own node, which the caller's node may not have.
 */
export function assertNear(call: Call): void {
  if (call instanceof PendingCall) return;
  throw new SupervisorError("refused", "children are started by the supervisor's own node only");
}

/**
 * Rejects a call with an error, in the form that keeps its class if the caller is on another node.
 */
export function refuse(call: Call, error: unknown): void {
  call.refuse(call instanceof PendingCall ? error : packed(error));
}

/** Calls a service or a supervisor on any node. Rejects with errors of their original classes. */
export function ask<T>(pid: Pid<never>, request: unknown, options?: CallOptions): Promise<T> {
  const to = pid as unknown as Pid<Call<unknown, T>>;
  const system = systemOf(to);
  const answer = system.call(to, request, options);
  // The promise must be tracked again, because `revive` returns a new one.
  return to.home.local ? answer : system.tracked(() => revive(answer));
}

/** Resolves and rejects as `answer` does, with the classes of errors from other nodes restored. */
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
  // An error that was created on this node already has its class.
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
