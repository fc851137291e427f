/**
 * Messages that only the runtime can create: neither programs nor peers can create or imitate them.
 *
 * @module
 */

/** The key that the constructors require. Known to the runtime only. */
export const RUNTIME: unique symbol = Symbol("runtime");

/**
 * Base class of the runtime's messages to actors: `Exit`, `Down`, `NodeChange`, `NameChange`,
 * `GroupChange`. `instanceof` this class or a subclass is true for objects that the runtime created
 * only: not for look-alikes, copies, or objects that inherit from one.
 */
export abstract class RuntimeMessage {
  /** Whether a message was created by the runtime as an instance of this class. */
  static [Symbol.hasInstance](message: unknown): boolean {
    return typeof message === "object" && message !== null && #class in message &&
      (message.#class === this || this === RuntimeMessage);
  }
  readonly #class: unknown;

  /** Internal: throws if a program calls it. */
  constructor(key: symbol) {
    if (key !== RUNTIME) throw new TypeError(`only the runtime makes ${new.target.name} messages`);
    this.#class = new.target;
  }
}
