/**
 * A Map for many keys, some of which are removed and added again very often.
 *
 * The built-in Map keeps a removed entry in the chain of its key until the whole table is rebuilt.
 * In a map with 100,000 entries, a key that is repeatedly added and removed leaves up to 100,000
 * removed entries, and each operation on the key takes 100 to 400 µs. In this class, the last
 * removed keys therefore stay in the map, without a value:
 *
 *     delete(k) ─▶ k stays, as one of the last KEPT removed ─▶ set(k): used again
 *                                 └─ a later one needs its place ─▶ deleted
 *
 * @module
 */

/** Number of removed keys that stay in the map. */
const KEPT = 64;

/**
 * Minimum number of keys of a map in which removed keys stay. In a smaller map they do not stay,
 * because the engine rebuilds a small table often enough.
 */
const SIZE_MIN = 1024;

/**
 * A map of keys to values; `undefined` is not a valid value. A key that is removed and added again
 * may keep its position in the order of iteration.
 */
export class ChurnMap<K, V extends NonNullable<unknown>> {
  /** The values by key. `undefined` marks a removed key that stays in the map. */
  readonly #map = new Map<K, V | undefined>();
  /** The removed keys that stay in the map, in the order of removal. */
  readonly #removed = new Set<K>();

  /** The number of values. */
  get size(): number {
    return this.#map.size - this.#removed.size;
  }

  /** Returns the value of a key. */
  get(key: K): V | undefined {
    return this.#map.get(key);
  }

  /** Returns whether the key has a value. */
  has(key: K): boolean {
    return this.#map.get(key) !== undefined;
  }

  /** Sets the value of a key. */
  set(key: K, value: V): void {
    if (this.#removed.size > 0) this.#removed.delete(key);
    this.#map.set(key, value);
  }

  /** Removes a key. Returns whether it had a value. */
  delete(key: K): boolean {
    if (this.#map.size < SIZE_MIN && this.#removed.size === 0) return this.#map.delete(key);
    if (this.#map.get(key) === undefined) return false;
    this.#map.set(key, undefined);
    this.#removed.add(key);
    if (this.#removed.size > KEPT) {
      const oldest = this.#removed.values().next().value as K;
      this.#removed.delete(oldest);
      this.#map.delete(oldest);
    }
    return true;
  }

  /** Iterates over the keys. The map may change during the iteration. */
  *keys(): Generator<K, void> {
    for (const [key, value] of this.#map) if (value !== undefined) yield key;
  }

  /** Iterates over the values. The map may change during the iteration. */
  *values(): Generator<V, void> {
    for (const value of this.#map.values()) if (value !== undefined) yield value;
  }

  /** Iterates over keys and values. The map may change during the iteration. */
  *entries(): Generator<[K, V], void> {
    for (const [key, value] of this.#map) if (value !== undefined) yield [key, value];
  }
}
