/**
 * What a service or a supervisor refuses with, when it comes from another node: an `Error` that has its
 * name, its message and its cause, and has lost its class on the way. Quiet.
 *
 * @module
 */
import { UnknownCallError } from "./unknown_call.ts";

/** The same promise, with errors of another node in the classes of this one. */
export function revive<T>(answer: Promise<unknown>): Promise<T> {
  return answer.then((value) => value as T, (error) => {
    throw revived(error);
  });
}

function revived(error: unknown): unknown {
  if (!(error instanceof Error) || error instanceof UnknownCallError) return error;
  if (error.name === "UnknownCallError") {
    return new UnknownCallError(error.message, { cause: error });
  }
  return error;
}
