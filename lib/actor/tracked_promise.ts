/**
 * Promises that record whether they are awaited. Calls, spawns and starts return them. If such a
 * promise rejects and is never awaited, this is not an unhandled rejection, which would end the
 * process: it ends the actor that made the call.
 *
 *     rejected ─▶ handled already? ─yes─▶ as with any promise
 *                    └─no─▶ I/O is handled ─▶ awaited now? ─no─▶ its caller ends, or a crash is reported
 *
 * `await`, `then`, `catch`, `finally`, `Promise.all` and `resolve` all read the `constructor` of
 * their promise (ECMA-262, PromiseResolve and SpeciesConstructor). In this class, `constructor` is
 * a getter that records that the promise is awaited. It returns `Promise`, so that `await` can use
 * its fast path.
 *
 * Even so, an `await` takes 10 % longer, and `Promise.all` takes three times as long on Bun. Where
 * the host reports unhandled rejections to the system alone (`RejectionClaim.isSole`), calls
 * therefore return plain promises, and the system looks up the caller when a failure is reported.
 * Tracked promises are used in simulations, in systems without a node, under `bun test`, and in Bun
 * programs that listen for rejections.
 *
 * @module
 */
import type { ActorRef } from "./actor_ref.ts";

/** The operation whose result a tracked promise represents. */
export interface Origin {
  /** Whether the promise is awaited. */
  handled: boolean;
  /** The actor that made the call, if it is known. */
  readonly caller: ActorRef | undefined;
  readonly tracker: Tracker;
}

/** The part of the system that receives rejections of promises that were not awaited. */
export interface Tracker {
  /** Whether the host reports unhandled rejections to the system. */
  readonly claimsRejections: boolean;
  /**
   * Records which actor requested an operation that has failed. `failure` is the error of a call,
   * or the rejected promise of an untracked call.
   */
  noted(failure: unknown, caller: ActorRef | undefined): void;
  /** Checks after pending I/O whether the failure has been handled in the meantime. */
  forgotten(origin: Origin, error: unknown): void;
  /** Runs `task` now, or after pending I/O if I/O is due. */
  soon(task: () => void): void;
}

/**
 * A promise that records whether it is awaited. Promises that are derived from it record this as
 * well.
 */
export class TrackedPromise<T> extends Promise<T> {
  /**
   * The operation whose result this promise represents. Set immediately after construction.
   * Undefined if the promise is not tracked.
   */
  declare origin: Origin | undefined;

  override then<A = T, B = never>(
    resolved?: ((value: T) => A | PromiseLike<A>) | null,
    rejected?: ((reason: unknown) => B | PromiseLike<B>) | null,
  ): Promise<A | B> {
    const { origin } = this;
    const next = super.then(resolved, rejected);
    // A `then` with both callbacks is assumed to handle all failures. `Promise.all` calls `then` in
    // this way, and so does a promise that is resolved with this one.
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

/**
 * Returns a tracked promise with the same result. If I/O is due, the returned promise settles after
 * pending I/O, so that a loop of retries does not starve I/O.
 */
export function track<T>(
  promise: Promise<T>,
  tracker: Tracker,
  caller: ActorRef | undefined,
): Promise<T> {
  const origin: Origin = { handled: false, tracker, caller };
  const tracked: TrackedPromise<T> = new TrackedPromise<T>((resolve, reject) => {
    // Waits for pending I/O if I/O is due, so that a loop of retries does not starve I/O. If the
    // caller has exited, settles at once, because its code cannot retry.
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

/** A tracked promise, and the functions that settle it. */
export interface Deferred<T> {
  readonly promise: Promise<T>;
  readonly resolve: (value: T) => void;
  readonly reject: (error: unknown) => void;
}

/**
 * Returns a promise that an event settles later. Cheaper than {@linkcode track}, which is for
 * operations that may settle at once.
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

/**
 * Records the failure of a promise that was just rejected, and keeps the runtime from reporting it.
 */
export function failed(promise: Promise<unknown>, origin: Origin, error: unknown): void {
  const { tracker, caller } = origin;
  tracker.noted(error, caller);
  const isTracked = promise instanceof TrackedPromise;
  if (origin.handled) return;
  // If a caller exits, its failed calls must not become unhandled rejections.
  if (!isTracked && tracker.claimsRejections && caller?.isAlive !== false) {
    return tracker.noted(promise, caller);
  }
  Promise.prototype.then.call(promise, undefined, ignore);
  if (!isTracked) return;
  origin.handled = false;
  tracker.forgotten(origin, error);
}

function ignore(): void {}
