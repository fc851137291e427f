/**
 * Named events: listeners are called synchronously, in the order in which they were added. Emitting
 * allocates nothing when there are no listeners.
 *
 * @module
 */

/**
 * Options of `on`: when the listener is removed. By default, it stays until the returned function
 * is called.
 */
export interface ListenOptions {
  /** Removes the listener when this signal aborts. Default: none. */
  readonly signal?: AbortSignal | undefined;
  /** Removes the listener after its first event. Default: false. */
  readonly once?: boolean | undefined;
}

/**
 * Calls the listeners of named events. `Events` maps each event name to the type of what its
 * listeners receive.
 */
export class Emitter<Events extends object> {
  readonly #listeners = new Map<PropertyKey, Set<(event: never) => unknown>>();
  readonly #failed: (name: keyof Events, error: unknown) => void;

  /**
   * `failed` is called with the error of a listener that has thrown, or whose promise has rejected.
   * By default, the error is dropped.
   */
  constructor(failed: (name: keyof Events, error: unknown) => void = () => {}) {
    this.#failed = failed;
  }

  /** Adds a listener. Returns a function that removes it. */
  on<Name extends keyof Events>(
    name: Name,
    listener: (event: Events[Name]) => unknown,
    { signal, once = false }: ListenOptions = {},
  ): () => void {
    if (signal?.aborted) return () => {};
    let listeners = this.#listeners.get(name);
    if (listeners === undefined) this.#listeners.set(name, listeners = new Set());
    // Creates a new function for each call, so that a listener added twice is called twice.
    const added = (event: Events[Name]): unknown => {
      if (once) remove();
      return listener(event);
    };
    const remove = (): void => {
      listeners.delete(added);
      signal?.removeEventListener("abort", remove);
    };
    signal?.addEventListener("abort", remove, { once: true });
    listeners.add(added);
    return remove;
  }

  /**
   * Returns whether an event has listeners. If it has none, a caller need not create the event
   * object.
   */
  has(name: keyof Events): boolean {
    const listeners = this.#listeners.get(name);
    return listeners !== undefined && listeners.size > 0;
  }

  /**
   * Calls the listeners. If one of them throws, its error is reported, and the others are still
   * called.
   */
  emit<Name extends keyof Events>(name: Name, event: Events[Name]): void {
    const listeners = this.#listeners.get(name);
    if (listeners === undefined) return;
    for (const listener of [...listeners]) {
      try {
        const result = (listener as (event: Events[Name]) => unknown)(event);
        if (result instanceof Promise) result.catch((error) => this.#failed(name, error));
      } catch (error) {
        this.#failed(name, error);
      }
    }
  }
}
