/**
 * Subscriptions of actors to changes of a node, a name or a group. An actor's subscriptions end
 * when it exits.
 *
 * @module
 */
import { type ActorRef, attach, type Chained, detach } from "./actor_ref.ts";

/** A subscription, attached to its actor. */
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

/** Sends messages to the actors that have subscribed to a key. */
export class Watchers {
  readonly #byKey = new Map<string, Map<ActorRef, Watch>>();

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

  /** Whether a key has subscribers. */
  has(key: string): boolean {
    return this.#byKey.has(key);
  }

  /** Sends a message to all subscribers of a key. */
  tell(key: string, message: unknown): void {
    const watches = this.#byKey.get(key);
    if (watches === undefined) return;
    for (const actor of [...watches.keys()]) actor.deliver(message);
  }

  #forget(key: string, actor: ActorRef): void {
    const watches = this.#byKey.get(key);
    watches?.delete(actor);
    if (watches?.size === 0) this.#byKey.delete(key);
  }
}
