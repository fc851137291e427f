/**
 * Promises that know whether they are awaited: what calls, spawns and starts return. A failure of one that
 * nothing awaits is no unhandled rejection, which would end the process. It ends the actor that forgot it.
 *
 *     rejected ─▶ handled already? ─yes─▶ as with any promise
 *                    └─no─▶ I/O has a turn ─▶ handled now? ─no─▶ its caller ends, or a crash is reported
 *
 * `await`, `then`, `catch`, `finally`, `Promise.all` and `resolve` all read the `constructor` of the promise
 * that they are given (ECMA-262, PromiseResolve and SpeciesConstructor). Here that is a getter which notes it.
 * It returns `Promise`, so that `await` takes its short way.
 *
 * Even so an `await` takes a tenth longer, and `Promise.all` on Bun three times as long.
 * So where the host reports unhandled rejections to the system alone (`RejectionClaim.isSole`), calls
 * return plain promises; when a failure is reported, the system looks up its caller. Simulations, systems without a node,
 * `bun test` and, on Bun, programs that listen for rejections have tracked ones.
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
  /** The host reports rejections that nothing has handled. */
  readonly claimsRejections: boolean;
  /** Remembers where a failure comes from: the error of a call, or the promise of one that is not tracked. */
  noted(failure: unknown, caller: ActorRef | undefined): void;
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

/** The same promise, tracked. Its result cannot keep I/O from its turn, however often it is tried again. */
export function track<T>(
  promise: Promise<T>,
  tracker: Tracker,
  caller: ActorRef | undefined,
): Promise<T> {
  const origin: Origin = { handled: false, tracker, caller };
  const tracked: TrackedPromise<T> = new TrackedPromise<T>((resolve, reject) => {
    // A dead caller tries nothing again.
    const settle = (task: () => void): void =>
      caller?.isAlive === false ? task() : tracker.soon(task);
    const refuse = (error: unknown): void => {
      reject(error);
      failed(tracked, origin, error);
    };
    promise.then(
      (value) => settle(() => resolve(value)),
      (error) => settle(() => refuse(error)),
    );
  });
  tracked.origin = origin;
  return tracked;
}

/** A tracked promise, and what settles it. */
export interface Deferred<T> {
  readonly promise: Promise<T>;
  readonly resolve: (value: T) => void;
  readonly reject: (error: unknown) => void;
}

/**
 * Returns a promise that an event will settle. Costs less than {@linkcode track}, which an operation that may
 * be over at once needs.
 */
export function deferred<T>(
  tracker: Tracker,
  caller: ActorRef | undefined,
  isPlain: boolean,
): Deferred<T> {
  const origin: Origin = { handled: false, tracker, caller };
  let resolve!: (value: T) => void;
  let refuse!: (error: unknown) => void;
  const settlers = (yes: typeof resolve, no: typeof refuse): void => {
    resolve = yes;
    refuse = no;
  };
  const promise = isPlain ? new Promise<T>(settlers) : new TrackedPromise<T>(settlers);
  if (promise instanceof TrackedPromise) promise.origin = origin;
  const reject = (error: unknown): void => {
    refuse(error);
    failed(promise, origin, error);
  };
  return { promise, resolve, reject };
}

/** A promise that has just been rejected: if nothing awaits it, the runtime is not to see that. */
export function failed(promise: Promise<unknown>, origin: Origin, error: unknown): void {
  const { tracker, caller } = origin;
  tracker.noted(error, caller);
  const isTracked = promise instanceof TrackedPromise;
  if (origin.handled) return;
  // The end of a caller is no unhandled rejection of its calls.
  if (!isTracked && tracker.claimsRejections && caller?.isAlive !== false) {
    return tracker.noted(promise, caller);
  }
  Promise.prototype.then.call(promise, undefined, ignore);
  if (!isTracked) return;
  origin.handled = false;
  tracker.forgotten(origin, error);
}

function ignore(): void {}
