/**
 * The time for which actors have been handling their current messages. The clock is not read per
 * message: an actor that is observed twice with the same number of handled messages was busy in
 * between.
 *
 * @module
 */
import type { Actor } from "../actor/actor.ts";
import { PendingCall } from "../actor/call.ts";

/** When an actor was first observed with the current number of handled messages. */
interface Seen {
  readonly handled: number;
  readonly at: number;
}

/** Actors that were observed while handling a message. */
export class BusyActors {
  readonly #seen = new WeakMap<Actor, Seen>();

  /**
   * Returns the time for which an actor has been handling its message, or running without one since
   * its start. Undefined if it waits for a message.
   */
  ms(actor: Actor, now: number): number | undefined {
    const { current, handled } = actor;
    if (actor.status !== "awaiting") return undefined;
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
