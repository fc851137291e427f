/**
 * Records which actor requested the operation that has failed with an error or a rejected promise.
 * The record is a private field of the error or promise itself. A `WeakMap` is not used, because
 * one exit may cause 100,000 failures: adding them to a `WeakMap` takes longer than creating their
 * errors, and delays garbage collection.
 *
 * @module
 */
import type { ActorRef } from "./actor_ref.ts";

/** The constructor returns its argument, so that a derived class can add fields to any object. */
class Existing {
  constructor(object: object) {
    return object as Existing;
  }
}

/** A failure: the fields that are added to an error or a promise. */
class Failure extends Existing {
  #failures: Failures;
  #caller: ActorRef | undefined;

  constructor(object: object, failures: Failures, caller: ActorRef | undefined) {
    super(object);
    this.#failures = failures;
    this.#caller = caller;
  }

  static isOf(object: object, failures: Failures): boolean {
    return #caller in object && object.#failures === failures;
  }

  static callerOf(object: object): ActorRef | undefined {
    return (object as Failure).#caller;
  }

  static change(object: object, caller: ActorRef | undefined): void {
    (object as Failure).#caller = caller;
  }
}

/** The failures of one system. */
export class Failures {
  /** Failures that are frozen objects, or that another system has recorded too. */
  readonly #others = new WeakMap<object, ActorRef | undefined>();

  /** Records the actor that requested the failed operation; undefined if it is unknown. */
  set(failure: object, caller: ActorRef | undefined): void {
    if (Failure.isOf(failure, this)) return Failure.change(failure, caller);
    try {
      new Failure(failure, this, caller);
    } catch {
      this.#others.set(failure, caller);
    }
  }

  /** Returns whether an error or promise is a failure of this system. */
  has(failure: object): boolean {
    return Failure.isOf(failure, this) || this.#others.has(failure);
  }

  /** Returns the actor that requested the failed operation, if it is known. */
  get(failure: object): ActorRef | undefined {
    return Failure.isOf(failure, this) ? Failure.callerOf(failure) : this.#others.get(failure);
  }
}
