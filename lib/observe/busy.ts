/**
 * For how long actors have been handling their current messages. No clock is read when a message is taken:
 * an actor that is seen twice with the same number of handled messages has been busy in between.
 *
 * @module
 */
import type { Actor } from "../actor/actor.ts";
import { PendingCall } from "../actor/call.ts";

/** When an actor was first seen with this number of handled messages. */
interface Seen {
  readonly handled: number;
  readonly at: number;
}

/** Actors that were seen while they awaited something. */
export class BusyActors {
  readonly #seen = new WeakMap<Actor, Seen>();

  /** Returns for how long an actor has been handling its message; undefined if it handles none. */
  ms(actor: Actor, now: number): number | undefined {
    const { current, handled } = actor;
    if (actor.status !== "awaiting" || current === undefined) return undefined;
    if (current instanceof PendingCall) {
      const age = current.age(now);
      if (age !== undefined) return age;
    }
    const seen = this.#seen.get(actor);
    if (seen?.handled === handled) return now - seen.at;
    this.#seen.set(actor, { handled, at: now });
    return 0;
  }
}
