/**
 * Messages that only the runtime can create. Programs and peers cannot create or imitate them.
 *
 * @module
 */

/** The key that the constructors require. Only the runtime has access to it. */
export const RUNTIME: unique symbol = Symbol("runtime");

/**
 * Base class of the runtime's messages to actors: `Exit`, `Down`, `NodeChange`, `NameChange`,
 * `GroupChange`. `instanceof` this class or a subclass is true only for objects created by the
 * runtime: copies and objects that inherit from such an object do not count.
 *
 * @example
 * ```ts
 * import { Node, type Self } from "@firn/firn";
 * import { RuntimeMessage } from "@firn/firn/actor";
 * import { assertEquals } from "@std/assert";
 *
 * await using node = await Node.start({ logLevel: "silent" });
 * const seen: boolean[] = [];
 * const pid = node.spawn(async (self: Self<object>) => {
 *   for await (const message of self) seen.push(message instanceof RuntimeMessage);
 * });
 * node.send(pid, { type: "DOWN", reason: "a look-alike" });
 * await new Promise((later) => setTimeout(later, 10));
 * assertEquals(seen, [false]);
 * ```
 */
export abstract class RuntimeMessage {
  /** Returns whether the runtime created a message as an instance of this class. */
  static [Symbol.hasInstance](message: unknown): boolean {
    return typeof message === "object" && message !== null && #class in message &&
      (message.#class === this || this === RuntimeMessage);
  }
  readonly #class: unknown;

  /** Internal: throws if a program calls it. */
  constructor(key: symbol) {
    if (key !== RUNTIME) {
      throw new TypeError(`only the runtime creates ${new.target.name} messages`);
    }
    this.#class = new.target;
  }
}
