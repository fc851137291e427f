/**
 * Finds the actor that is responsible for an unhandled failure: a tracked promise that was not
 * awaited, or an unhandled rejection that the host reports.
 *
 * @module
 */
import type { Claims, RejectionClaim } from "../base/rejections.ts";
import type { ActorRef } from "./actor_ref.ts";
import { Failures } from "./failures.ts";
import type { Origin } from "./tracked_promise.ts";

/** The part of the system that unhandled failures use. */
export interface FailureHost {
  /** Runs a task after pending I/O and timers have been handled. */
  yieldToIo(task: () => void): void;
  /** Ends the caller, or reports the failure if there is no caller. */
  unhandled(error: unknown, caller: ActorRef | undefined): void;
}

/** The failures of one system that may turn out to be unhandled. */
export class UnhandledFailures {
  readonly #system: FailureHost;
  /** Failures whose promises were not awaited yet, with their origins. */
  readonly #forgotten: [origin: Origin, error: unknown][] = [];
  /**
   * The actors that requested operations which failed recently, by the error or the rejected
   * promise.
   */
  readonly #failures = new Failures();
  /**
   * The same as `#failures`, for errors that are not objects. Cleared after pending I/O was
   * handled.
   */
  readonly #values = new Map<unknown, ActorRef | undefined>();
  /**
   * The claim by which the host reports unhandled rejections to this system. Undefined if the host
   * does not report them.
   */
  #claim: RejectionClaim | undefined = undefined;

  constructor(system: FailureHost) {
    this.#system = system;
  }

  /** Records which actor requested an operation that has failed. */
  noted(failure: unknown, caller: ActorRef | undefined): void {
    if (isObject(failure)) this.#failures.set(failure, caller);
    else if (this.#claim !== undefined) {
      this.#values.set(failure, caller);
      if (this.#values.size === 1) this.#system.yieldToIo(() => this.#values.clear());
    }
  }

  /**
   * Receives unhandled rejections from the host, if the host can report them, until the system is
   * stopped.
   */
  claimRejections(host: { claimRejections?(claims: Claims): RejectionClaim }): void {
    this.#claim = host.claimRejections?.((reason, promise) => this.#claims(reason, promise));
  }

  /** Whether {@linkcode claimRejections} is in effect. */
  get claimsRejections(): boolean {
    return this.#claim !== undefined;
  }

  /** Whether the host reports all unhandled rejections of the process to this system alone. */
  get isSole(): boolean {
    return this.#claim?.isSole === true;
  }

  /**
   * Returns whether an unhandled rejection is a failure of this system: of a call, or of a function
   * that awaited a call and was not awaited itself. If so, ends the caller. An error whose `cause`
   * is such a failure counts too.
   */
  #claims(reason: unknown, promise: Promise<unknown>): boolean {
    const cause = causeOf(reason);
    const failure = this.#failures.has(promise)
      ? promise
      : cause !== undefined && this.#failures.has(cause)
      ? cause
      : reason;
    const failures = isObject(failure) ? this.#failures : this.#values;
    if (!failures.has(failure as object)) return false;
    this.#system.unhandled(reason, failures.get(failure as object));
    return true;
  }

  /** Ends {@linkcode claimRejections} after pending I/O has been handled. */
  release(): void {
    if (this.#claim !== undefined) this.#system.yieldToIo(this.#release);
  }

  readonly #release = (): void => {
    this.#claim?.release();
    this.#claim = undefined;
  };

  /** Records a failure whose promise has not been awaited so far. */
  forgotten(origin: Origin, error: unknown): void {
    this.#forgotten.push([origin, error]);
    if (this.#forgotten.length === 1) this.#system.yieldToIo(this.#check);
  }

  readonly #check = (): void => {
    for (const [{ handled, caller }, error] of this.#forgotten.splice(0)) {
      if (!handled) this.#system.unhandled(error, caller);
    }
  };
}

/** Returns the cause of an error, if it is an object that can be read. */
function causeOf(error: unknown): object | undefined {
  try {
    return error instanceof Error && isObject(error.cause) ? error.cause : undefined;
  } catch {
    return undefined;
  }
}

function isObject(value: unknown): value is object {
  return typeof value === "object" && value !== null;
}
