/**
 * Stores, which keep the states of services beyond the lifetime of their actors. Any database with
 * compare-and-set of one row can be used.
 *
 * @module
 */

/** A value in a store, with its version. */
export interface Stored {
  /** The value, encoded as bytes. */
  readonly value: Uint8Array;
  /** The version of the value: a positive safe integer, different for each save. */
  readonly version: number;
}

/**
 * Stores versioned values by key. `save` and `remove` are compare-and-set operations: an actor
 * cannot overwrite a state that another actor has stored since the first actor loaded it, not even
 * after a partition.
 *
 * Several nodes may use one store at a time, for example a database that all of them can reach. All
 * functions may return promises. A rejection ends the actor that awaits it.
 */
export interface Store {
  /** Returns the value of a key, or `undefined` if nothing is stored under it. */
  load(key: string): Stored | undefined | Promise<Stored | undefined>;
  /**
   * Stores a value as `version` if the stored version is `previous`, or if nothing is stored and
   * `previous` is undefined. Returns whether it was stored. If the result is true, the value must
   * survive the process.
   */
  save(
    key: string,
    value: Uint8Array,
    version: number,
    previous: number | undefined,
  ): boolean | Promise<boolean>;
  /** Removes a value if its version is `version`. Returns whether it was removed. */
  remove(key: string, version: number): boolean | Promise<boolean>;
  /** Returns the keys that begin with `prefix`, in any order. Only pools with a store need it. */
  keys?(prefix: string): readonly string[] | Promise<readonly string[]>;
}

/** Options of the persistence of a service's state. */
export interface PersistOptions {
  /** The store that the state is written to. */
  readonly store: Store;
  /**
   * Maximum delay before a change is stored, in milliseconds. Default 0: a change is stored before
   * a call is answered and the next message is handled, so that the effect of an answered call is
   * never lost. A delay reduces the number of writes, but a crash of the process may lose the
   * changes within it. A service stores its state before it ends, unless it is killed or calls
   * `self.exit`.
   */
  readonly within?: number | undefined;
}

/**
 * Another actor has replaced the stored state since this actor loaded it. This actor exits, and the
 * operation is not answered. `code` is "stale".
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
  /** Internal: created by the runtime. */
  constructor(key: string) {
    super(
      `the stored state of ${
        JSON.stringify(key)
      } was replaced by another actor: this one is stale, and ends`,
    );
  }
}

/**
 * Returns a store in memory, for tests and the simulator. It survives actors and nodes, but not the
 * process.
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
