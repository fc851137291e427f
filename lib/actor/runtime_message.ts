/**
 * Messages that only the runtime makes: no program and no peer can make one, or what passes for one.
 *
 * @module
 */

/** Known to the runtime only: what a constructor has to be given. */
export const RUNTIME: unique symbol = Symbol("runtime");

/**
 * What the runtime tells an actor: `Exit`, `Down`, `NodeChange`, `NameChange`, `GroupChange`.
 * `message instanceof RuntimeMessage`, and so of each of these, is true of what the runtime made, and of
 * nothing else: not of a look-alike, a copy, or what inherits from one.
 */
export abstract class RuntimeMessage {
  /** True of each message of this class, and of no imitation. */
  static [Symbol.hasInstance](message: unknown): boolean {
    return typeof message === "object" && message !== null && #class in message &&
      (message.#class === this || this === RuntimeMessage);
  }
  readonly #class: unknown;

  /** For the runtime only: it throws for a program. */
  constructor(key: symbol) {
    if (key !== RUNTIME) throw new TypeError(`only the runtime makes ${new.target.name} messages`);
    this.#class = new.target;
  }
}
