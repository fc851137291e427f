/**
 * Detects actors that wait for themselves, which would last until the timeout. This works where the
 * runtime knows the actor whose code runs: in a turn up to the first `await`, and in handlers run
 * by `within`.
 *
 * @module
 */
import { AsyncLocalStorage } from "node:async_hooks";
import type { ActorRef } from "./actor_ref.ts";

/** An operation, such as a call, by which the running actor waits for itself. */
export interface SelfWait {
  readonly caller: ActorRef | undefined;
  /** Rejects with `CallingSelfError`: the actor waits, and therefore cannot answer. */
  callsSelf(): void;
}

/** A run of an async handler. */
class Run<A> {
  readonly actor: A;
  isOver = false;

  constructor(actor: A) {
    this.actor = actor;
  }
}

/** Records and rejects the waits of actors for themselves, in one system. */
export class SelfWaits<A extends ActorRef> {
  /** Waits of the running actor for itself, until it is known whether the actor awaits them. */
  readonly #waits: SelfWait[] = [];
  /** The async contexts of handlers. Created on first use, because it slows down promises. */
  #runs: AsyncLocalStorage<Run<A> | undefined> | undefined = undefined;

  add(wait: SelfWait): void {
    this.#waits.push(wait);
  }

  /**
   * Called when an actor starts to wait: rejects its recorded waits for itself, and clears the
   * list.
   */
  fail(actor: ActorRef): void {
    for (const wait of this.#waits.splice(0)) {
      if (wait.caller === actor) wait.callsSelf();
    }
  }

  /**
   * Called when the running actor does not wait. Its messages to itself are then ordinary messages.
   */
  allow(): void {
    if (this.#waits.length > 0) this.#waits.length = 0;
  }

  /**
   * Runs an async handler of an actor. {@linkcode actor} returns that actor, even after its first
   * `await`.
   */
  within<T>(actor: A, handler: () => Promise<T>): Promise<T> {
    const run = new Run(actor);
    const done = (this.#runs ??= new AsyncLocalStorage()).run(run, handler);
    const end = (): void => {
      run.isOver = true;
    };
    done.then(end, end);
    return done;
  }

  /** Returns the live actor whose unfinished handler led to the running code. */
  get actor(): A | undefined {
    const run = this.#runs?.getStore();
    return run === undefined || run.isOver || !run.actor.isAlive ? undefined : run.actor;
  }

  /** Runs `task` outside of any handler's context, even if a handler started it. */
  outside(task: () => void): void {
    if (this.#runs?.getStore() === undefined) task();
    else this.#runs.run(undefined, task);
  }
}
