/**
 * Passes the messages of a node's actors to observers: measurements, message traces, spans. Without
 * observers, this costs only one test of a field per turn.
 *
 * @module
 */
import type { Actor } from "../actor/actor.ts";
import type { Probe, Runnable } from "../actor/scheduler.ts";
import type { System } from "../actor/system.ts";

/** Observes messages. All methods are optional. */
export interface MessageObserver {
  /**
   * Called when a handler has returned or thrown after `ms` milliseconds, excluding time awaited.
   */
  handled?(actor: Actor, message: unknown, ms: number): void;
  /** Called when an async body has taken a message. */
  taken?(actor: Actor, message: unknown): void;
  /** Called when the running code sends a message. */
  sent?(message: unknown): void;
  /** Called before an actor sends a message. */
  sending?(actor: object): void;
  /** Runs a handler, for example in an async context. At most one observer may have this method. */
  run?(actor: Actor, handler: (message: never) => unknown, message: unknown): unknown;
}

/** Passes the messages of one node to all of its observers. */
export class Probes implements Probe {
  readonly #system: System;
  readonly #now: () => number;
  #observers: readonly MessageObserver[] = [];
  #runner: MessageObserver | undefined;

  constructor(system: System, now: () => number) {
    this.#system = system;
    this.#now = now;
  }

  /** Adds an observer. Returns a function that removes it. */
  add(observer: MessageObserver): () => void {
    this.#set([...this.#observers, observer]);
    return () => this.#set(this.#observers.filter((other) => other !== observer));
  }

  #set(observers: readonly MessageObserver[]): void {
    this.#observers = observers;
    this.#runner = observers.find(({ run }) => run !== undefined);
    this.#system.observe(observers.length > 0 ? this : undefined);
  }

  handle(actor: Runnable, handler: (message: never) => unknown, message: unknown): unknown {
    const began = this.#now();
    try {
      if (this.#runner === undefined) return handler(message as never);
      return this.#runner.run!(actor as Actor, handler, message);
    } finally {
      const ms = this.#now() - began;
      for (const observer of this.#observers) observer.handled?.(actor as Actor, message, ms);
    }
  }

  taken(actor: Runnable, message: unknown): void {
    for (const observer of this.#observers) observer.taken?.(actor as Actor, message);
  }

  sending(actor: Runnable): void {
    for (const observer of this.#observers) observer.sending?.(actor);
  }

  sent(message: unknown): void {
    for (const observer of this.#observers) observer.sent?.(message);
  }
}
