/**
 * Waits until an actor on another node has started, as `startAndWait` does on this node. The
 * starter sends a request, which is answered when the start has succeeded or failed.
 *
 *     here   spawn, linked ─▶ "ready?" ────────────────────────────────▶ the pid, or the error
 *                 │              │                                         ▲
 *     there       └─▶ init ──────┴──▶ done: true · failed: refused with the error, and it ends
 *
 * An actor that failed to start waits for the request, so that it can report the error. It waits
 * only for a short time, because the starter may not send a request.
 *
 * @module
 */
import { Call, type CallOptions } from "../actor/call.ts";
import { actorRefOf } from "../actor/actor_ref.ts";
import { Exit } from "../actor/exit.ts";
import type { Self } from "../actor/self.ts";
import { systemOf } from "../actor/system.ts";
import type { Pid } from "../term/pid.ts";
import { refuse } from "./remote_errors.ts";
import { endSelf, type Starting } from "./start.ts";

/**
 * Maximum time for which an actor that failed to start waits for the starter's request, in
 * milliseconds.
 */
export const REQUEST_MS = 2_000;

/** The request with which a starter asks an actor whether its start has succeeded. */
const READY: { readonly $ready: true } = { $ready: true };

/** The actor or node that starts an actor on another node. */
export interface ReadyCaller {
  call<Q, R>(to: Pid<Call<Q, R>>, request: Q, options?: CallOptions): Promise<R>;
}

/** Resolves when the actor has started. Rejects with the cause if it could not start. */
export function untilReady(caller: ReadyCaller, pid: Pid<never>): Promise<true> {
  const to = pid as unknown as Pid<Call<typeof READY, true>>;
  return caller.call(to, READY, { timeout: Infinity });
}

/** Returns whether a call requests the result of the start. */
export function isReadyRequest({ request }: Call): boolean {
  return (request as { $ready?: unknown } | null | undefined)?.$ready === true;
}

/** The message of a timer: the starter has not requested the result in time. */
class NotRequested {}

/** Reports to the starter on another node whether an actor on this node has started. */
export class Readiness implements Starting {
  readonly parent: Pid<never> | undefined;
  readonly #self: Self;
  readonly #askers: Call[] = [];
  #state: "starting" | "ready" | { readonly failed: unknown } = "starting";

  /** The constructor must be called in the first turn of the actor. */
  constructor(self: Self) {
    this.#self = self;
    // At this time, the only link is the one to the actor that spawned this one, because a linked
    // spawn is atomic.
    [this.parent] = actorRefOf(self.pid)?.links ?? [];
  }

  done(): void {
    this.#state = "ready";
    for (const call of this.#askers.splice(0)) call.reply(true);
  }

  failed(reason: unknown): void {
    const { pid } = this.#self;
    if (!systemOf(pid).isAlive(pid)) return;
    this.#state = { failed: reason };
    if (this.#askers.length > 0) this.#end(reason);
    else systemOf(pid).sendAfter(pid, new NotRequested(), REQUEST_MS);
  }

  /** Whether the start failed, and the actor waits only to report the reason. */
  get hasFailed(): boolean {
    return typeof this.#state === "object";
  }

  /**
   * Wraps a message handler. The result answers requests for the result of the start, and ignores
   * all other messages after a failed start.
   */
  guard(handler: (message: unknown) => unknown): (message: unknown) => unknown {
    return (message) => {
      const isAsking = message instanceof Call && isReadyRequest(message);
      if (isAsking) this.#askers.push(message);
      if (typeof this.#state === "object") {
        const isOver = isAsking || message instanceof NotRequested || message instanceof Exit;
        return isOver ? this.#end(this.#state.failed) : undefined;
      }
      if (!isAsking) return handler(message);
      if (this.#state === "ready") this.done();
      return undefined;
    };
  }

  #end(reason: unknown): void {
    for (const call of this.#askers) refuse(call, reason);
    if (this.parent !== undefined) this.#self.unlink(this.parent);
    endSelf(this.#self, { shutdown: reason });
  }
}
