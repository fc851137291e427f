/**
 * Starting an actor and waiting until it has started: what services, tasks and supervisors share.
 *
 * @module
 */
import type { Call, CallOptions } from "../actor/call.ts";
import type { ActorFunction, Self } from "../actor/self.ts";
import type { Pid } from "../term/pid.ts";

/** Who may start things: a node, or an actor, which is linked with what it starts. */
export interface Starter {
  /** Spawns. */
  spawn<M, A extends unknown[]>(body: ActorFunction<M, A>, ...args: A): Pid<M>;
  /** Spawns and links, if it is an actor. */
  spawnLink?<M, A extends unknown[]>(body: ActorFunction<M, A>, ...args: A): Pid<M>;
  /** Asks. */
  call<Q, R>(to: Pid<Call<Q, R>>, request: Q, options?: CallOptions): Promise<R>;
}

/** Tells the one who waits for a start how it went. */
export interface Starting {
  done(): void;
  failed(reason: unknown): void;
}

/** Spawns an actor, linked if an actor starts it, and waits until it says that it has started. */
export function startAndWait<M>(
  from: Starter,
  body: (self: Self<M>, starting: Starting) => ReturnType<ActorFunction<M>>,
): Promise<Pid<M>> {
  return new Promise((resolve, reject) => {
    const run = (self: Self<M>): ReturnType<ActorFunction<M>> => {
      // Whatever ends it before it has started is why it could not be.
      self.signal.addEventListener("abort", () => reject(self.signal.reason), { once: true });
      return body(self, { done: () => resolve(self.pid), failed: reject });
    };
    if (from.spawnLink === undefined) from.spawn(run);
    else from.spawnLink(run);
  });
}
