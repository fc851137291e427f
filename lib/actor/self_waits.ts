/**
 * Waits of an actor for itself, which would last until their timeout. They are found where the runtime knows
 * which actor's code runs: in a turn, up to the first `await`, and in handlers that are run by `within`.
 *
 * @module
 */
import { AsyncLocalStorage } from "node:async_hooks";
import type { ActorRef } from "./actor_ref.ts";

/** A wait of the running actor for itself. */
export interface SelfWait {
  readonly caller: ActorRef | undefined;
  /** Fails with `CallingSelfError`: the actor waits, and cannot answer. */
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

/** The waits of one system's actors for themselves. */
export class SelfWaits<A extends ActorRef> {
  /** Those of the running actor, until it is known whether it waits. */
  readonly #waits: SelfWait[] = [];
  /** Made when first used: it slows down promises. */
  #runs: AsyncLocalStorage<Run<A> | undefined> | undefined = undefined;

  add(wait: SelfWait): void {
    this.#waits.push(wait);
  }

  /** The actor starts to wait, so that its new waits for itself fail. */
  fail(actor: ActorRef): void {
    for (const wait of this.#waits.splice(0)) {
      if (wait.caller === actor) wait.callsSelf();
    }
  }

  /** The running actor does not wait: what it has sent itself is an ordinary message. */
  allow(): void {
    if (this.#waits.length > 0) this.#waits.length = 0;
  }

  /** Runs an async handler of an actor. {@linkcode actor} is that actor, also after its first `await`. */
  within<T>(actor: A, handler: () => Promise<T>): Promise<T> {
    const run = new Run(actor);
    const done = (this.#runs ??= new AsyncLocalStorage()).run(run, handler);
    const end = (): void => {
      run.isOver = true;
    };
    done.then(end, end);
    return done;
  }

  /** The live actor whose handler has led to the code that runs, and has not returned. */
  get actor(): A | undefined {
    const run = this.#runs?.getStore();
    return run === undefined || run.isOver || !run.actor.isAlive ? undefined : run.actor;
  }

  /** Runs what belongs to no handler, though one may have caused it. */
  outside(task: () => void): void {
    if (this.#runs?.getStore() === undefined) task();
    else this.#runs.run(undefined, task);
  }
}
