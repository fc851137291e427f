/**
 * Named events: whoever wants to know is called, in the order of asking, within the call that tells.
 * Nothing is made when nobody listens.
 *
 * @module
 */

/** Listeners by event name. `Events` maps each name to what its listeners are given. */
export class Emitter<Events extends object> {
  readonly #listeners = new Map<PropertyKey, Set<(event: never) => void>>();

  /** Calls `listener` at each event of that name; gives back what stops that. */
  on<Name extends keyof Events>(name: Name, listener: (event: Events[Name]) => void): () => void {
    let listeners = this.#listeners.get(name);
    if (listeners === undefined) this.#listeners.set(name, listeners = new Set());
    listeners.add(listener);
    return () => void listeners.delete(listener);
  }

  /** Whether anybody listens: ask before making what would be told. */
  has(name: keyof Events): boolean {
    const listeners = this.#listeners.get(name);
    return listeners !== undefined && listeners.size > 0;
  }

  /** Tells. A listener that throws is the user's bug: it surfaces, and the others are told all the same. */
  emit<Name extends keyof Events>(name: Name, event: Events[Name]): void {
    const listeners = this.#listeners.get(name);
    if (listeners === undefined) return;
    for (const listener of [...listeners]) {
      try {
        (listener as (event: Events[Name]) => void)(event);
      } catch (error) {
        queueMicrotask(() => {
          throw error;
        });
      }
    }
  }
}
