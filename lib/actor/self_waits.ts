/**
 * Detects actors that wait for themselves, and would otherwise do so until the timeout. This works
 * where the runtime can determine the actor whose code runs: in a turn up to the first `await`, and
 * in handlers that `within` runs.
 *
 * @module
 */
import { AsyncLocalStorage } from "node:async_hooks";
import type { ActorRef } from "./actor_ref.ts";

/** An operation, such as a call, by which the running actor waits for itself. */
export interface SelfWait {
  readonly caller: ActorRef | undefined;
  /** Rejects with `CallingSelfError`, because an actor that waits cannot answer. */
  callsSelf(): void;
}

/** One run of an async handler. */
class Run<A> {
  readonly actor: A;
  isOver = false;

  constructor(actor: A) {
    this.actor = actor;
  }
}

/**
 * Records the operations by which an actor may wait for itself. Rejects them when the actor starts
 * to wait.
 */
export class SelfWaits<A extends ActorRef> {
  /**
   * Operations by which the running actor may wait for itself. It is not yet known whether the
   * actor awaits them.
   */
  readonly #waits: SelfWait[] = [];
  /**
   * Stores which handler the running code belongs to. Created on first use, because an
   * `AsyncLocalStorage` slows down promises.
   */
  #runs: AsyncLocalStorage<Run<A> | undefined> | undefined = undefined;

  add(wait: SelfWait): void {
    this.#waits.push(wait);
  }

  /** Called when an actor starts to wait: rejects its recorded operations, and clears the list. */
  fail(actor: ActorRef): void {
    for (const wait of this.#waits.splice(0)) {
      if (wait.caller === actor) wait.callsSelf();
    }
  }

  /**
   * Called when the running actor has not started to wait. Its messages to itself are then ordinary
   * messages.
   */
  allow(): void {
    if (this.#waits.length > 0) this.#waits.length = 0;
  }

  /**
   * Runs an async handler of an actor. Even after the handler's first `await`, {@linkcode actor}
   * then returns that actor.
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

  /** Returns the live actor whose async handler started the running code. */
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
