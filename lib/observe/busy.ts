/**
 * The time for which actors have been handling their current messages. The clock is not read per
 * message: an actor that is observed twice with the same number of handled messages was busy in
 * between.
 *
 * @module
 */
import type { Actor } from "../actor/actor.ts";
import { PendingCall } from "../actor/call.ts";

/** The number of messages that an actor had handled, and when this number was first observed. */
interface Seen {
  readonly handled: number;
  readonly at: number;
}

/** Stores which actors were observed while they were handling a message. */
export class BusyActors {
  readonly #seen = new WeakMap<Actor, Seen>();

  /**
   * Returns for how many milliseconds an actor has been handling its current message: for a call,
   * the time since it was made; for other messages, the time since the number of handled messages
   * was first observed. Undefined unless the status of the actor is "awaiting".
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
