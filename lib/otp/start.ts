/**
 * Starting an actor and waiting until it has started: what services and supervisors share.
 *
 * A start that fails is told by its rejection and by nothing else: no exit signal to who started it,
 * no report of a crash.
 *
 * @module
 */
import type { Call, CallOptions } from "../actor/call.ts";
import { ActorExitError } from "../actor/errors.ts";
import { actorOf, never } from "../actor/actor.ts";
import type { ActorFunction, Self } from "../actor/self.ts";
import { type System, systemOf } from "../actor/system.ts";
import { track } from "../actor/tracked_promise.ts";
import type { ExitReason } from "../term/exit.ts";
import type { Pid } from "../term/pid.ts";

/** Who may start things: a node, or an actor, which is linked with what it starts. */
export interface Starter {
  /** Spawns. */
  spawn<M, A extends unknown[]>(body: ActorFunction<M, A>, ...args: A): Pid<M>;
  /** Spawns and links, if it is an actor. */
  spawnLink?<M, A extends unknown[]>(body: ActorFunction<M, A>, ...args: A): Pid<M>;
  /** Its pid, if it is an actor. */
  readonly pid?: Pid<never>;
  /** Asks. */
  call<Q, R>(to: Pid<Call<Q, R>>, request: Q, options?: CallOptions): Promise<R>;
}

/** Tells the one who waits for a start how it went. Only the first word counts. */
export interface Starting {
  /** Who started it, if that is an actor. */
  readonly parent: Pid<never> | undefined;
  /** It has started. */
  done(): void;
  /** It could not, and ends. */
  failed(reason: unknown): void;
}

/**
 * Spawns an actor, linked if an actor starts it, and waits until it says that it has started. `kind` is what
 * reports call it: "supervisor", or the name of a service. Rejects
 * with why it could not: with the `Error` itself, or with an `ActorExitError` that has the reason.
 */
export function startAndWait<M>(
  from: Starter,
  kind: string,
  body: (self: Self<M>, starting: Starting) => ReturnType<ActorFunction<M>>,
): Promise<Pid<M>> {
  const caller = actorOf(from);
  if (caller?.isAlive === false) return never();
  let tracker: System | undefined = caller && systemOf(caller.pid);
  const started = new Promise<Pid<M>>((resolve, reject) => {
    // The function's name is what the report of a crash calls it.
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
    const system = tracker = systemOf(pid);
    // Whatever ends it before it has started is why it could not be.
    system.whenEnded(pid).then((reason) => {
      reject(reason instanceof Error ? reason : new ActorExitError(pid as Pid, reason));
    });
  });
  // Without one, the spawn itself has failed.
  return tracker === undefined ? started : track(started, tracker, caller ?? tracker.running);
}

/** Ends an actor from within, without the throw of `self.exit`. */
export function endSelf(self: { exit(reason: ExitReason): unknown }, reason: ExitReason): void {
  try {
    self.exit(reason);
  } catch {
    // That is how `self.exit` stops the code behind it; there is none here.
  }
}
