/**
 * Measures messages and handler time by actor, on demand.
 *
 * @module
 */
import type { Actor } from "../actor/actor.ts";
import type { MessageObserver, Probes } from "./probes.ts";

/** Maximum number of actors that are measured at the same time. Further ones are not measured. */
const ACTORS_MAX = 10_000;

/** The measurements of one actor. */
export interface Usage {
  messages: number;
  /** Milliseconds that the actor's handlers ran, without the time that they awaited. */
  ms: number;
}

/** Counts messages and measures handler time of each actor, while it is in use. */
export class Profile implements MessageObserver {
  readonly #probes: Probes;
  readonly #usage = new Map<Actor, Usage>();
  #users = 0;
  #stop: (() => void) | undefined;

  constructor(probes: Probes) {
    this.#probes = probes;
  }

  /** Starts to measure, until the returned function is called. Several uses may overlap. */
  use(): () => void {
    if (this.#users++ === 0) this.#stop = this.#probes.add(this);
    let used = true;
    return () => {
      if (!used) return;
      used = false;
      if (--this.#users > 0) return;
      this.#stop?.();
      this.#usage.clear();
    };
  }

  /** Returns the measurements of an actor, if there are any. */
  of(actor: Actor): Usage | undefined {
    return this.#usage.get(actor);
  }

  /** Returns a copy of all measurements. */
  copy(): Map<Actor, Usage> {
    return new Map([...this.#usage].map(([actor, usage]) => [actor, { ...usage }]));
  }

  handled(actor: Actor, _message: unknown, ms: number): void {
    const usage = this.#of(actor);
    if (usage === undefined) return;
    usage.messages++;
    usage.ms += ms;
  }

  taken(actor: Actor): void {
    const usage = this.#of(actor);
    if (usage !== undefined) usage.messages++;
  }

  #of(actor: Actor): Usage | undefined {
    let usage = this.#usage.get(actor);
    if (usage !== undefined) return usage;
    if (this.#usage.size >= ACTORS_MAX) {
      for (const known of this.#usage.keys()) if (!known.isAlive) this.#usage.delete(known);
      if (this.#usage.size >= ACTORS_MAX) return undefined;
    }
    this.#usage.set(actor, usage = { messages: 0, ms: 0 });
    return usage;
  }
}
