/**
 * Subscriptions of actors to changes of a node, a name or a group. An actor's subscriptions end
 * when the actor exits.
 *
 * @module
 */
import { type ActorRef, attach, type Chained, detach } from "./actor_ref.ts";

/** The subscription of an actor, attached to that actor. */
class Watch implements Chained {
  following: Chained | undefined = undefined;
  preceding: Chained | undefined = undefined;
  readonly #ended: () => void;

  constructor(ended: () => void) {
    this.#ended = ended;
  }

  drop(): void {
    this.#ended();
  }
}

/** Maximum number of subscribers that all receive a message in the turn in which it is sent. */
const AT_ONCE = 512;

/** Number of subscribers that receive a message in one step. */
const STEP_COUNT = 64;

/** Sends messages to the actors that have subscribed to a key. */
export class Watchers {
  readonly #byKey = new Map<string, Map<ActorRef, Watch>>();
  readonly #inPortions: (steps: Iterator<number, void>) => void;
  /** Number of messages that have not reached all their subscribers yet. */
  #sending = 0;

  /** `inPortions` runs steps in order, with pauses in between: see `Signals`. */
  constructor(inPortions: (steps: Iterator<number, void>) => void) {
    this.#inPortions = inPortions;
  }

  /** Subscribes an actor. A repeated subscription has no effect. */
  add(key: string, actor: ActorRef): void {
    let watches = this.#byKey.get(key);
    if (watches === undefined) this.#byKey.set(key, watches = new Map());
    if (watches.has(actor)) return;
    const watch = new Watch(() => this.#forget(key, actor));
    watches.set(actor, watch);
    attach(watch, actor);
  }

  /** Unsubscribes an actor. Returns whether it was subscribed. */
  remove(key: string, actor: ActorRef): boolean {
    const watch = this.#byKey.get(key)?.get(actor);
    if (watch === undefined) return false;
    detach(watch, actor);
    this.#forget(key, actor);
    return true;
  }

  /** Returns whether a key has subscribers. */
  has(key: string): boolean {
    return this.#byKey.has(key);
  }

  /** Sends a message to all subscribers of a key, in portions if there are many. */
  notify(key: string, message: unknown): void {
    const watches = this.#byKey.get(key);
    if (watches === undefined) return;
    if (watches.size > AT_ONCE || this.#sending > 0) {
      this.#sending++;
      return this.#inPortions(this.#sendTo(key, [...watches], message));
    }
    for (const actor of [...watches.keys()]) actor.deliver(message);
  }

  /** Sends a message to the actors that are still subscribed. */
  *#sendTo(
    key: string,
    watches: readonly [ActorRef, Watch][],
    message: unknown,
  ): Generator<number, void> {
    let count = 0;
    for (const [actor, watch] of watches) {
      if (this.#byKey.get(key)?.get(actor) === watch) actor.deliver(message);
      if (++count % STEP_COUNT === 0) yield STEP_COUNT;
    }
    this.#sending--;
  }

  #forget(key: string, actor: ActorRef): void {
    const watches = this.#byKey.get(key);
    watches?.delete(actor);
    if (watches?.size === 0) this.#byKey.delete(key);
  }
}
