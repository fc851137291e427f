/**
 * Stores: where the states of services are kept so that they outlive their actors. Any database that can
 * compare and set one row can be one.
 *
 * @module
 */

/** What a store has under a key. */
export interface Stored {
  /** The encoded value. */
  readonly value: Uint8Array;
  /** Its version, a positive safe integer: each save stores another one. */
  readonly version: number;
}

/**
 * Keeps values by keys, with versions. `save` and `remove` compare and set: an actor whose state another has
 * replaced since it was loaded cannot overwrite it, whatever it was cut off from, and for how long.
 *
 * Several nodes may use one store at a time; then it must be a database that all of them reach. All functions may
 * return promises. A rejection ends the actor that waits for it.
 */
export interface Store {
  /** Returns what is stored under a key, or `undefined`. */
  load(key: string): Stored | undefined | Promise<Stored | undefined>;
  /**
   * Stores a value as `version` if the stored version is `previous`; `undefined`: if nothing is stored. Returns
   * whether it did. When it has returned true, the value must outlive the process.
   */
  save(
    key: string,
    value: Uint8Array,
    version: number,
    previous: number | undefined,
  ): boolean | Promise<boolean>;
  /** Removes a value if its version is `version`. Returns whether it did. */
  remove(key: string, version: number): boolean | Promise<boolean>;
  /** Returns the keys that begin with `prefix`, in any order. Only durable pools need it. */
  keys?(prefix: string): readonly string[] | Promise<readonly string[]>;
}

/** How the state of a service is stored. */
export interface PersistOptions {
  /** Where. */
  readonly store: Store;
  /**
   * Milliseconds within which a change is stored. Default 0: before a call is answered, and before the next message
   * is handled; no answered call is lost. More: fewer writes, and the changes of that time may be lost
   * when the process dies. A service that ends in order stores its state first.
   */
  readonly within?: number | undefined;
}

/**
 * The stored state was replaced by another actor since this one loaded it: this one ends, and the operation is not
 * answered. `code` is "stale".
 *
 * @example
 * ```ts
 * import { StaleStateError } from "@firn/firn/otp";
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals(new StaleStateError("cart/7").code, "stale");
 * ```
 */
export class StaleStateError extends Error {
  /** Name of the error class. */
  override readonly name = "StaleStateError";
  /** Stable code: `"stale"`. */
  readonly code = "stale";
  /** Internal. */
  constructor(key: string) {
    super(
      `the stored state of ${
        JSON.stringify(key)
      } was replaced by another actor: this one is stale, and ends`,
    );
  }
}

/**
 * Returns a store in memory, for tests and the simulator. It outlives actors and nodes, not the process.
 *
 * @example
 * ```ts
 * import { memoryStore } from "@firn/firn/otp";
 * import { assertEquals } from "@std/assert";
 *
 * const store = memoryStore();
 * assertEquals(await store.save("a", new Uint8Array([1]), 7, undefined), true);
 * assertEquals(await store.save("a", new Uint8Array([2]), 8, 6), false);
 * assertEquals((await store.load("a"))?.version, 7);
 * ```
 */
export function memoryStore(): Store {
  const values = new Map<string, Stored>();
  return {
    load: (key) => values.get(key),
    save: (key, value, version, previous) => {
      if (values.get(key)?.version !== previous) return false;
      values.set(key, { value, version });
      return true;
    },
    remove: (key, version) => values.get(key)?.version === version && values.delete(key),
    keys: (prefix) => [...values.keys()].filter((key) => key.startsWith(prefix)),
  };
}
