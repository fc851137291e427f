/**
 * Which actors want to be told of what: of a node, a name, a group. Who ends is forgotten.
 *
 * @module
 */
import { type ActorRef, attach, type Chained, detach } from "./actor_ref.ts";

/** An actor wants to know of something. It hangs on the actor. */
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

/** Actors by what they want to know of. */
export class Watchers {
  readonly #byKey = new Map<string, Map<ActorRef, Watch>>();

  /** Adds an actor; again is the same as once. */
  add(key: string, actor: ActorRef): void {
    let watches = this.#byKey.get(key);
    if (watches === undefined) this.#byKey.set(key, watches = new Map());
    if (watches.has(actor)) return;
    const watch = new Watch(() => this.#forget(key, actor));
    watches.set(actor, watch);
    attach(watch, actor);
  }

  /** Takes an actor out. Whether it was in. */
  remove(key: string, actor: ActorRef): boolean {
    const watch = this.#byKey.get(key)?.get(actor);
    if (watch === undefined) return false;
    detach(watch, actor);
    this.#forget(key, actor);
    return true;
  }

  /** Whether anybody wants to know. */
  has(key: string): boolean {
    return this.#byKey.has(key);
  }

  /** Tells all who want to know. */
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
