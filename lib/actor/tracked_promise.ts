/**
 * Promises that know whether they are awaited: what calls, spawns and starts return. A failure of one that
 * nothing awaits is no unhandled rejection, which would end the process. It ends the actor that forgot it.
 *
 *     rejected ─▶ handled already? ─yes─▶ as with any promise
 *                    └─no─▶ I/O has a turn ─▶ handled now? ─no─▶ its caller ends, or a crash is reported
 *
 * `await`, `then`, `catch`, `finally`, `Promise.all` and `resolve` all read the `constructor` of the promise
 * that they are given (ECMA-262, PromiseResolve and SpeciesConstructor). Here that is a getter which notes it.
 * It returns `Promise`, so that `await` takes its short way; there are no other costs per call.
 *
 * @module
 */
import type { ActorRef } from "./actor_ref.ts";

/** What a tracked promise comes from. */
export interface Origin {
  /** Something awaits the promise. */
  handled: boolean;
  /** The actor that made the call, if it is known. */
  readonly caller: ActorRef | undefined;
  readonly tracker: Tracker;
}

/** Where failures go that nothing awaits: the system. */
export interface Tracker {
  /** Remembers where a failure comes from, for code that awaits the call and is not awaited itself. */
  noted(error: unknown, caller: ActorRef | undefined): void;
  /** Checks later whether it is still not handled. */
  forgotten(origin: Origin, error: unknown): void;
  /** Runs `task` now, or after I/O has had a turn if that is due. */
  soon(task: () => void): void;
}

/** A promise that knows whether it is awaited. What is derived from it knows too. */
export class TrackedPromise<T> extends Promise<T> {
  /** Set right after it is made. */
  declare origin: Origin | undefined;

  override then<A = T, B = never>(
    resolved?: ((value: T) => A | PromiseLike<A>) | null,
    rejected?: ((reason: unknown) => B | PromiseLike<B>) | null,
  ): Promise<A | B> {
    const { origin } = this;
    const next = super.then(resolved, rejected);
    // What handles the failure too is taken to handle all: `Promise.all` does, and resolving with it.
    if (origin === undefined || typeof rejected === "function" && typeof resolved === "function") {
      return next;
    }
    return track(next, origin.tracker, origin.caller);
  }

  override finally(after?: (() => void) | null): Promise<T> {
    const { origin } = this;
    const next = super.finally(after);
    return origin === undefined ? next : track(next, origin.tracker, origin.caller);
  }
}

Object.defineProperty(TrackedPromise.prototype, "constructor", {
  configurable: true,
  get(this: TrackedPromise<unknown>) {
    if (this.origin !== undefined) this.origin.handled = true;
    return Promise;
  },
});

/** The same promise, tracked. Its failures cannot keep I/O from its turn, however often it is tried again. */
export function track<T>(
  promise: Promise<T>,
  tracker: Tracker,
  caller: ActorRef | undefined,
): Promise<T> {
  const origin: Origin = { handled: false, tracker, caller };
  const tracked: TrackedPromise<T> = new TrackedPromise<T>((resolve, reject) => {
    promise.then(resolve, (error) => {
      const settle = (): void => {
        reject(error);
        failed(tracked, origin, error);
      };
      // A dead caller tries nothing again.
      if (caller?.isAlive === false) settle();
      else tracker.soon(settle);
    });
  });
  tracked.origin = origin;
  return tracked;
}

/** A promise that has just been rejected: if nothing awaits it, the runtime is not to see that. */
export function failed(promise: Promise<unknown>, origin: Origin, error: unknown): void {
  origin.tracker.noted(error, origin.caller);
  if (origin.handled) return;
  Promise.prototype.then.call(promise, undefined, ignore);
  origin.handled = false;
  origin.tracker.forgotten(origin, error);
}

function ignore(): void {}
