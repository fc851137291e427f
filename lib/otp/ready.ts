/**
 * Waiting until something that was spawned on another node has started: it is asked, and answers when it
 * has. Services do; see `Service.body`.
 *
 * @module
 */
import type { Call, CallOptions } from "../actor/call.ts";
import { CallExitError } from "../actor/errors.ts";
import { isShutdown } from "../term/exit.ts";
import type { Pid } from "../term/pid.ts";

/** What is asked. */
export const READY: { readonly $ready: true } = { $ready: true };

/** Who asks. */
export interface Asker {
  call<Q, R>(to: Pid<Call<Q, R>>, request: Q, options?: CallOptions): Promise<R>;
}

/** Resolves when it has started; rejects with why it could not. */
export function untilReady(asker: Asker, pid: Pid<never>): Promise<void> {
  const to = pid as unknown as Pid<Call<typeof READY, true>>;
  return asker.call(to, READY, { timeout: Infinity }).then(() => {}, (error) => {
    // That is how a service ends whose `init` failed.
    if (!(error instanceof CallExitError) || !isShutdown(error.reason)) throw error;
    const { shutdown: why } = error.reason;
    throw why instanceof Error ? why : error;
  });
}

/** Whether that is what a call asks. */
export function asksReady(request: unknown): boolean {
  return (request as { $ready?: unknown } | null | undefined)?.$ready === true;
}
