/**
 * Starts an actor and waits until it has started. Services and supervisors use it.
 *
 * A failed start only rejects: the starter receives no exit signal, and no crash is reported.
 *
 * @module
 */
import type { Call, CallOptions } from "../actor/call.ts";
import { ActorExitError } from "../actor/errors.ts";
import type { Exit } from "../actor/exit.ts";
import { trackedFor } from "../actor/behind.ts";
import type { ActorFunction, Self } from "../actor/self.ts";
import { type System, systemOf } from "../actor/system.ts";
import type { ExitReason } from "../term/exit.ts";
import type { Pid } from "../term/pid.ts";

/**
 * A node or an actor that starts services and supervisors. If it is an actor, they are linked with
 * it.
 */
export interface Starter {
  /** Spawns an actor that runs `body`. */
  spawn<M, A extends unknown[]>(body: ActorFunction<M, A>, ...args: A): Pid<M>;
  /** Spawns an actor and links with it. Only actors have this method. */
  spawnLink?<M, A extends unknown[]>(body: ActorFunction<M, A>, ...args: A): Pid<M>;
  /** The pid of the starter, if it is an actor. */
  readonly pid?: Pid<never>;
  /** Sends a request and resolves with the reply. */
  call<Q, R>(to: Pid<Call<Q, R>>, request: Q, options?: CallOptions): Promise<R>;
}

/** Receives the result of the start of an actor. Only the first call has an effect. */
export interface Starting {
  /** The actor that started this one. Undefined if a node started it. */
  readonly parent: Pid<never> | undefined;
  /** Reports that the actor has started. */
  done(): void;
  /** Reports that the actor could not start, and ends it. */
  failed(reason: unknown): void;
}

/**
 * Returns whether an exit signal must end an actor that traps exits: it came from the actor that
 * started it, or from outside of actors, on any node.
 */
export function isOrder(system: System, parent: Pid<never> | undefined, { from }: Exit): boolean {
  return from === parent || from.id === system.pid.id;
}

/**
 * Spawns an actor, and waits until it reports that it has started. If an actor starts it, it is
 * linked with that actor. `kind` is its name in reports: "supervisor", or the name of a service.
 * Rejects with the cause of a failure: the `Error` itself, or an `ActorExitError` with the exit
 * reason.
 */
export function startAndWait<M>(
  from: Starter,
  kind: string,
  body: (self: Self<M>, starting: Starting) => ReturnType<ActorFunction<M>>,
): Promise<Pid<M>> {
  return trackedFor(from, () =>
    new Promise<Pid<M>>((resolve, reject) => {
      // The name of this function appears in crash reports.
      const { [kind]: run } = {
        [kind]: (self: Self<M>): ReturnType<ActorFunction<M>> => {
          const failed = (reason: unknown): void => {
            reject(reason);
            if (!systemOf(self.pid).isAlive(self.pid)) return;
            if (from.pid !== undefined) self.unlink(from.pid);
            endSelf(self, { shutdown: reason });
          };
          return body(self, { parent: from.pid, done: () => resolve(self.pid), failed });
        },
      };
      const pid = from.spawnLink === undefined ? from.spawn(run!) : from.spawnLink(run!);
      // If the actor exits before it has started, its exit reason is the cause.
      systemOf(pid).whenEnded(pid).then((reason) => {
        reject(reason instanceof Error ? reason : new ActorExitError(pid as Pid, reason));
      });
    }));
}

/** Ends an actor as its own code does with `self.exit`, but does not throw. */
export function endSelf(self: { exit(reason: ExitReason): unknown }, reason: ExitReason): void {
  try {
    self.exit(reason);
  } catch {
    // `self.exit` throws in order to stop the code that follows. Here, no code follows.
  }
}
